"""The job that every tool does: the guide on a fresh Debian server, in plain text and file contents.

A limited user with a key and sudo, sshd's settings, Exim and rpcbind purged, Fail2Ban, unattended-upgrades, and both
rulesets loaded now and at boot.
"""

from dataclasses import dataclass
from functools import cached_property

from components.firewall.settings import FirewallSettings, ServiceSettings
from rules.values.family import Family

USER = "deploy"
ABSENT = ("exim4-daemon-light", "rpcbind")
PRESENT = ("fail2ban", "iptables-persistent", "python3-systemd", "unattended-upgrades")
SSHD = "PermitRootLogin no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
SUDOERS = f"{USER} ALL=(ALL:ALL) NOPASSWD: ALL\n"
JAIL = """\
[DEFAULT]
backend = systemd
ignoreip = 127.0.0.1/8 ::1 198.51.100.0/24 2001:db8:57::/64

[sshd]
enabled = true
"""
"""The lab's networks are ignored: the rejected root logins of the verification would lead to a ban."""
UPDATES = 'APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "1";\n'

FRESH = f"""\
export DEBIAN_FRONTEND=noninteractive
apt-get install -qqy {" ".join(ABSENT)} </dev/null >/dev/null 2>&1
sed -i 's/^#*PermitRootLogin.*/PermitRootLogin yes/' /etc/ssh/sshd_config
systemctl reload ssh
for tool in iptables ip6tables; do $tool -t mangle -A PREROUTING -m conntrack --ctstate INVALID; done
"""
"""Turns a pristine lab host into a server as a provider delivers it: root by key, mail and RPC listening.

The rule without a target keeps connection tracking on, as Docker's rules would. If iptables-restore replaces the only
rules that need tracking, the connection that it is run over is lost.
"""


@dataclass(frozen=True)
class File:
    """A file of the job: path, content and mode."""

    path: str
    text: str
    mode: str = "644"


@dataclass(frozen=True)
class Job:
    """What to set up: `key` is the user's public key; `ports` are open besides SSH, HTTP and HTTPS."""

    key: str
    ports: tuple[int, ...] = ()

    @cached_property
    def firewall(self) -> FirewallSettings:
        """The firewall as Stockade's settings; the other tools get the same rules as text."""
        services = tuple(ServiceSettings(ports=(port,)) for port in self.ports)
        return FirewallSettings(services=services)

    def rules(self, version: int) -> str:
        """The ruleset for IPv4 (4) or IPv6 (6), as input for iptables-restore."""
        return self.firewall.ruleset(Family.IPV4 if version == 4 else Family.IPV6)

    @property
    def files(self) -> tuple[File, ...]:
        """All files except the rulesets."""
        return (
            File(f"/etc/sudoers.d/{USER}", SUDOERS, "440"),
            File("/etc/ssh/sshd_config.d/10-bench.conf", SSHD),
            File("/etc/fail2ban/jail.d/bench.conf", JAIL),
            File("/etc/apt/apt.conf.d/99bench", UPDATES),
        )

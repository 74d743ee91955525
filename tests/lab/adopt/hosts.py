"""The prepared hosts: one of each variant of the lab, or several, each in a way of its own."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

SCRIPTS = Path(__file__).parent / "prepared"
SUDO_PASSWORD = "lab sudo password"


@dataclass(frozen=True)
class Prepared:
    """A host, and what its adoption must show.

    `user`, `port`: how it is adopted. `said`: texts in the stack config, or in the files of rules that it names.
    `left_out`: what cannot be taken over, as the file and the screen say. `admin`: who logs in once it is hardened.
    `ssh`, `served`: the families in which sshd, and a port that listened before, can then be reached.
    """

    name: str
    variant: str
    user: str = "root"
    port: int = 22
    said: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    admin: str = "deploy"
    ssh: tuple[str, ...] = ("ipv4", "ipv6")
    served: tuple[str, ...] = ()

    def reachable(self, family: str) -> set[int]:
        """The ports that answer once it is hardened, among those that are probed."""
        return ({self.port} if family in self.ssh else set()) | ({8444} if family in self.served else set())

    @property
    def script(self) -> str:
        """What prepares it."""
        return _text("common") + _text(self.name)


@cache
def _text(name: str) -> str:
    return (SCRIPTS / f"{name}.sh").read_text()


_NO_JAILS = "fail2ban: it is not installed"
_NO_UPDATES = "updates: nothing installs updates by itself"

PREPARED = (
    Prepared(
        "ufw",
        "debian",
        admin="bob",
        said=(
            "keep: ufw",
            "- name: deploy",
            'no-pty,command="/bin/true" ssh-ed25519',
            "- name: dave",  # his password is locked, not his key
            "allowUsers: [root, alice, bob, carol, dave, erin, deploy]",
            "Port: [22, 2222]",
            "# Match User deploy",
            "bantime: 1h",
            "- site=packages.example.org",
            "rebootTime: 04:30",
            "mailReport: only-on-error",
            "net.ipv4.conf.all.rp_filter: 2",
        ),
        left_out=("user carol: the account is locked or expired",),
    ),
    Prepared(
        "docker",
        "debian",
        admin="ops",
        user="ops",
        said=(
            "# Left to the programs that fill them: DOCKER, DOCKER-ISOLATION-STAGE-1,",
            '-A INPUT -p tcp -m multiport --dports 80,443 -m comment --comment "web: \\"all\\" \\\\ of # it" -j ACCEPT',
            "-A ssh-in -m set --match-set friends src -j ACCEPT",
            "persistent: false",
            "house:",
        ),
        left_out=(_NO_UPDATES,),
    ),
    Prepared(
        "persistent",
        "debian",
        admin="ops",
        user="ops",
        said=(
            "stockade:hosts.persistent.admin.sudoPassword",
            "AllowGroups: [sudo, guest]",
            "udp/51820 from anywhere",
            "daemon: chrony",
        ),
        left_out=(_NO_JAILS,),
    ),
    Prepared(
        "nftables", "debian", ssh=("ipv4",), left_out=("firewall: nftables.service is active", _NO_JAILS, _NO_UPDATES)
    ),
    Prepared("firewalld", "debian", said=("keep: firewalld",), left_out=(_NO_JAILS,)),
    Prepared(
        "ubuntu",
        "ubuntu",
        admin="ubuntu",
        user="ubuntu",
        port=2202,
        said=("keep: ufw", "- name: ubuntu", "Port: 2202", "port: 2202"),
    ),
    Prepared("fedora", "fedora", admin="wheelie", said=("maxretry: 7", "findtime: 20m", "tcp/9090 from anywhere")),
    Prepared(
        "fedora41",
        "fedora41",
        served=("ipv4", "ipv6"),
        said=("AuthenticationMethods: publickey", "permitRootLogin: prohibit-password"),
        left_out=("firewall: no rule filters anything", "updates: it installs all updates"),
    ),
    Prepared(
        "arch",
        "arch",
        said=(
            "-A INPUT -j REJECT --reject-with icmp-proto-unreachable",
            "Match Group sftponly",
            "groups: [sftponly]",
        ),
        left_out=(_NO_JAILS, "updates: "),
    ),
    Prepared("centos7", "centos7", said=("--limit 30/min", "LogLevel: VERBOSE", "bantime: 2h")),
    Prepared("centos6", "centos6", admin="wheelie", said=("tcp/111 from 192.0.2.0/24", "maxretry: 4")),
    Prepared("debian7", "debian7", said=("ClientAliveInterval: 120", "ssh: {}", "bantime: 20m")),
    Prepared(
        "debian8",
        "debian8",
        admin="admin",
        said=("Match Group sftponly", "ssh: {}", "findtime: 5m"),
        left_out=(_NO_UPDATES,),
    ),
)
SHORT = ("docker", "persistent", "centos6")
HARDENED = ("persistent", "fedora41", "debian7")
"""Those of `make test`, only adopted and also hardened; the others: `make test-adopt`."""

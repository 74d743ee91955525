"""What kinds of hosts there are: one recipe each, as data. A changed recipe has another digest, so it is built anew."""

import hashlib
import json
from dataclasses import asdict, dataclass

from local.lab.errors import LabError


@dataclass(frozen=True)
class Variant:
    """A kind of host: how its root file system and its package repository are made.

    Attributes:
        name: what `--variant` takes.
        title: for people.
        suite: release that debootstrap installs.
        mirror: where its packages come from, unless the machine's own apt names another mirror for that suite.
        keyring: keys that sign the mirror's indexes.
        include: packages on top of debootstrap's `minbase`.
        repository: packages that hosts must be able to install offline; their dependencies come along.
        customise: POSIX sh, run in the new root as its last step (networkless, with the repository at /srv/apt).
    """

    name: str
    title: str
    suite: str
    mirror: str
    keyring: str
    include: tuple[str, ...]
    repository: tuple[str, ...]
    customise: str

    def digest(self) -> str:
        """12 hex digits that change with any part of the recipe."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


# Addresses are set by the host itself at boot, after the firewall was loaded (network-pre.target), as on a real server.
LAB_NETWORK_SCRIPT = """\
#!/bin/sh
# The addresses of this lab host. No duplicate address detection: it would cost two seconds at every boot.
set -eu
. /etc/lab-network
echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_ra
echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad
ip link set lo up
ip -4 address replace "$IPV4" dev eth0
ip -6 address replace "$IPV6" dev eth0 nodad
ip link set eth0 up
"""

LAB_NETWORK_UNIT = """\
[Unit]
Description=Addresses of the lab host
DefaultDependencies=no
Requires=local-fs.target
After=local-fs.target network-pre.target
Wants=network-pre.target network.target
Before=network.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/lab-network

[Install]
WantedBy=multi-user.target
"""

# Units that cannot work, or have nothing to do, in a container: consoles, hardware, block devices.
USELESS_UNITS = (
    "console-getty.service getty.target dev-hugepages.mount sys-fs-fuse-connections.mount "
    "e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-pstore.service systemd-firstboot.service "
    "systemd-udevd.service systemd-resolved.service"
)

DEBIAN_CUSTOMISE = f"""\
set -eu
cat >/usr/local/sbin/lab-network <<'EOF'
{LAB_NETWORK_SCRIPT}EOF
chmod 755 /usr/local/sbin/lab-network
cat >/etc/systemd/system/lab-network.service <<'EOF'
{LAB_NETWORK_UNIT}EOF
systemctl enable lab-network.service
systemctl mask {USELESS_UNITS}
# a fresh server as many providers leave it: root may log in with a key and with a password
mkdir -p /etc/ssh/sshd_config.d
echo 'PermitRootLogin yes' >/etc/ssh/sshd_config.d/50-provider.conf
rm -f /etc/ssh/ssh_host_* /etc/resolv.conf /etc/apt/sources.list /var/lib/apt/lists/debootstrap*
echo 'deb [trusted=yes] file:/srv/apt ./' >/etc/apt/sources.list
apt-get update </dev/null
apt-get check </dev/null
"""

DEBIAN = Variant(
    name="debian",
    title="Debian 12 (bookworm)",
    suite="bookworm",
    mirror="http://deb.debian.org/debian",
    keyring="/usr/share/keyrings/debian-archive-keyring.gpg",
    include=(
        "adduser",
        "apt-utils",
        "dbus",
        "debconf-utils",
        "iproute2",
        "iptables",
        "iputils-ping",
        "less",
        "libpam-systemd",
        "netcat-openbsd",
        "nftables",
        "openssh-server",
        "passwd",
        "procps",
        "sudo",
        "systemd",
        "systemd-sysv",
    ),
    repository=(
        "chrony",
        "cron",
        "exim4-daemon-light",
        "fail2ban",
        "ipset",
        "iptables-persistent",
        "net-tools",
        "netfilter-persistent",
        "nftables",
        "ntpsec",
        "openntpd",
        "postfix",
        "rpcbind",
        "rsyslog",
        "systemd-timesyncd",
        "ufw",
        "unattended-upgrades",
    ),
    customise=DEBIAN_CUSTOMISE,
)

VARIANTS: dict[str, Variant] = {variant.name: variant for variant in (DEBIAN,)}


def variant_named(name: str) -> Variant:
    """The variant of that name.

    Raises:
        LabError: there is none.
    """
    try:
        return VARIANTS[name]
    except KeyError as err:
        raise LabError(f"unknown variant {name!r}; there is: {', '.join(sorted(VARIANTS))}") from err

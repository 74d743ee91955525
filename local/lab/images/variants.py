"""The kinds of hosts, each a recipe as data. A changed recipe has another digest, so it is built again."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace

from local.lab.errors import LabError
from local.lab.families import recipe_of
from local.lab.images.customise import DEBIAN_CUSTOMISE, FRESH_CUSTOMISE, UBUNTU_CUSTOMISE


@dataclass(frozen=True)
class Variant:
    """A kind of host: the recipe of its root file system and its package repository.

    Attributes:
        name: value of `--variant`.
        title: description for users.
        suite: release that debootstrap installs; with a `base`, the one that `tools` come from.
        mirror: source of its packages, unless the machine's own apt has another mirror for that suite.
        keyring: keys that sign the mirror's indexes.
        include: packages in addition to debootstrap's `minbase`.
        repository: packages that hosts must be able to install offline, with their dependencies.
        customise: POSIX sh, run in the new root as the last step (without a network, with the repository at /srv/apt).
        tools: packages that `customise` finds at /srv/tools, with their dependencies; only with a `base`.
        base: variant to build on instead of running debootstrap: a layer on top of its root, with its repository.
    """

    name: str
    title: str
    suite: str
    mirror: str
    keyring: str
    include: tuple[str, ...]
    repository: tuple[str, ...]
    customise: str
    tools: tuple[str, ...] = ()
    base: "Variant | None" = None

    def digest(self) -> str:
        """12 hex digits that change with any part of the recipe, including the base's."""
        recipe = {key: value for key, value in asdict(self).items() if key != "base"}
        if not self.tools:
            del recipe["tools"]
        if self.base:
            recipe["base"] = self.base.digest()
        text = json.dumps(recipe, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


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
        "exim4",
        "exim4-daemon-light",
        "fail2ban",
        "firewalld",
        "ipset",
        "ipset-persistent",
        "iptables-persistent",
        "lynis",
        "net-tools",
        "netfilter-persistent",
        "nftables",
        "nmap",
        "ntpsec",
        "openntpd",
        "postfix",
        "rpcbind",
        "rsyslog",
        "strace",
        "systemd-timesyncd",
        "ufw",
        "unattended-upgrades",
    ),
    customise=DEBIAN_CUSTOMISE,
)

DEBIAN_11 = replace(DEBIAN, name="debian-11", title="Debian 11 (bullseye)", suite="bullseye")
DEBIAN_13 = replace(DEBIAN, name="debian-13", title="Debian 13 (trixie)", suite="trixie")
DEBIAN_SID = replace(DEBIAN, name="debian-sid", title="Debian unstable (sid)", suite="sid")

_LAYER = replace(DEBIAN, include=(), repository=(), base=DEBIAN)
"""What a recipe adds to Debian 12."""

FRESH = replace(
    _LAYER,
    name="fresh",
    title="Debian 12 with mail, RPC and NTP listening",
    customise=FRESH_CUSTOMISE,
)

UBUNTU = replace(
    _LAYER,
    name="ubuntu",
    title="what bites on Ubuntu 24.04, on a Debian root",
    customise=UBUNTU_CUSTOMISE,
)

FEDORA = replace(
    _LAYER,
    name="fedora",
    title="what Fedora and RHEL have instead, on a Debian root",
    tools=("dnf", "rpm", "createrepo-c"),
    customise=recipe_of("tools", "common", "rpm", "fedora40", "fedora"),
)

FEDORA_41 = replace(
    FEDORA,
    name="fedora41",
    title="what Fedora has from 41 on (dnf 5), on a Debian 13 root",
    suite="forky",  # the first release with dnf5
    tools=("dnf5", "rpm", "createrepo-c"),
    customise=recipe_of("fedora41", "tools", "common", "rpm", "fedora"),
    base=DEBIAN_13,
)

ARCH = replace(
    FEDORA,
    name="arch",
    title="what Arch Linux has instead, on a Debian root",
    tools=("pacman-package-manager", "libarchive-tools", "python3"),
    customise=recipe_of("tools", "common", "arch"),
)

CENTOS_7 = replace(
    FEDORA,
    name="centos7",
    title="what CentOS 7 has instead, on a Debian root",
    tools=(),
    customise=recipe_of("common", "rpm", "old", "centos", "centos7"),
    base=FEDORA,
)

CENTOS_6 = replace(
    CENTOS_7,
    name="centos6",
    title="what CentOS 6 has instead, SysV init included, on a Debian root",
    tools=("sysvinit-core",),
    customise=recipe_of("common", "rpm", "old", "centos", "centos6"),
)

DEBIAN_7 = replace(
    FRESH,
    name="debian7",
    title="what Debian 7 has instead, SysV init included, on a Debian 12 root",
    tools=("sysvinit-core", "sysv-rc", "initscripts"),
    customise=recipe_of("old", "debian-then", "debian7"),
)

DEBIAN_8 = replace(
    FRESH,
    name="debian8",
    title="what Debian 8 has instead, on a Debian 12 root",
    customise=recipe_of("old", "debian-then", "debian8"),
)

_ALL = (
    DEBIAN,
    DEBIAN_11,
    DEBIAN_13,
    DEBIAN_SID,
    FRESH,
    UBUNTU,
    FEDORA,
    FEDORA_41,
    ARCH,
    CENTOS_7,
    CENTOS_6,
    DEBIAN_7,
    DEBIAN_8,
)
VARIANTS: dict[str, Variant] = {variant.name: variant for variant in _ALL}


def variant_named(name: str) -> Variant:
    """The variant of that name.

    Raises:
        LabError: it does not exist.
    """
    try:
        return VARIANTS[name]
    except KeyError as err:
        raise LabError(f"unknown variant {name!r}; there is: {', '.join(sorted(VARIANTS))}") from err

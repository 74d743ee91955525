"""Which distribution a host runs, and what differs between them: one table, `FAMILIES`, and the sh made from it.

`DISTRO` is sh that a script puts before its own body. It sets, from os-release(5) or what came before it:

    distro distro_version   ID and VERSION_ID; `linux` and "" where nothing tells
    family                  name of the row of `FAMILIES`; "" where none fits
    pkg_manager             apt, dnf, yum or pacman
    admin_groups            groups that sudo knows, the distribution's own first
    boot_v4 boot_v6         files of iptables rules that are loaded at boot
    unit_v4 unit_v6         units that load them
    updater                 program of the automatic updates; "" where there is none
    updater_file            its settings

and has the functions

    known_distro            ends the script with status `UNSUPPORTED` where no row fits, and says why where it is known
    real_names NAME…        sets named: what packages of these (Debian's) names are called here; those that do not exist
                            here go to nameless

Another distribution is another row, a lab variant that proves it (local/lab/families), and its line in
docs/distributions.md.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

UNSUPPORTED = 92
"""Exit status: no row of `FAMILIES` fits the host."""


@dataclass(frozen=True)
class Family:
    """Distributions that are administered alike.

    `releases`: patterns of `ID:MAJOR`, MAJOR being VERSION_ID up to its first dot; the host's ID is tried first, then
    each word of ID_LIKE. `packages`: what packages of Debian's names are called; "" where there is no such thing, and
    `a|b` where releases differ: the one that is there, else the first that is to be had.
    `lacks`: why a package that a chapter needs does not exist. `derived`: whether those that name it in ID_LIKE count
    too; not where they have numbers of their own.
    """

    name: str
    title: str
    releases: tuple[str, ...]
    manager: Literal["apt", "dnf", "yum", "pacman"]
    admin_groups: tuple[str, ...]
    boot: tuple[str, str]
    boot_units: tuple[str, str]
    updater: str = ""
    updater_file: str = ""
    packages: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    lacks: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    derived: bool = True


_EXIM = {
    "exim4": "exim",
    "exim4-base": "",
    "exim4-config": "",
    "exim4-daemon-heavy": "",
    "exim4-daemon-light": "exim",
}

_RPM = {
    **_EXIM,
    "fail2ban": "fail2ban-server",  # `fail2ban` itself brings firewalld along
    "iptables-persistent": "iptables-services|iptables-nft-services",  # the latter in RHEL from 9 on
    "netfilter-persistent": "iptables-services|iptables-nft-services",
    "unattended-upgrades": "dnf-automatic",
    "nfs-common": "nfs-utils",
    "cron": "cronie",
    "netcat-openbsd": "netcat",
}

_YUM = {
    "iptables-persistent": "iptables-services",
    "netfilter-persistent": "iptables-services",
    "unattended-upgrades": "yum-cron",
    "netcat-openbsd": "nc",
}

_UPSTART = "Upstart, whose jobs (sshd is one) Stockade does not know"

UNTRIED = {
    "debian:[1-6]": "Debian before 7 has another iptables-persistent, dpkg and fail2ban, and was not tried",
    "ubuntu:[4-9]": f"Ubuntu before 15.04 has {_UPSTART}",
    "ubuntu:1[0-4]": f"Ubuntu before 15.04 has {_UPSTART}",
}
"""Releases of supported distributions that no family has, and why; those derived from them count for themselves."""

FAMILIES = (
    Family(
        name="debian7",
        title="Debian 7",
        releases=("debian:7",),
        manager="apt",
        admin_groups=("sudo", "wheel"),
        boot=("/etc/iptables/rules.v4", "/etc/iptables/rules.v6"),
        boot_units=("iptables-persistent", "iptables-persistent"),
        updater="unattended-upgrades",
        updater_file="/etc/apt/apt.conf.d/99stockade-updates",
        packages={
            "netfilter-persistent": "iptables-persistent",
            "python3-systemd": "fail2ban",  # there is no journal to read
        },
        derived=False,  # Linux Mint has a release 7 that is like Debian 13
    ),
    Family(
        name="debian",
        title="Debian from 8, Ubuntu from 15.04 and those derived from them",
        releases=("debian:*", "ubuntu:*"),
        manager="apt",
        admin_groups=("sudo", "wheel"),
        boot=("/etc/iptables/rules.v4", "/etc/iptables/rules.v6"),
        boot_units=("netfilter-persistent", "netfilter-persistent"),
        updater="unattended-upgrades",
        updater_file="/etc/apt/apt.conf.d/99stockade-updates",
    ),
    Family(
        name="fedora",
        title="Fedora 22 to 40, and RHEL, CentOS Stream, AlmaLinux and Rocky Linux from 8",
        releases=(
            "fedora:2[2-9]",
            "fedora:3?",
            "fedora:40",
            "rhel:8",
            "rhel:9",
            "rhel:1?",
            "centos:8",
            "centos:9",
            "centos:1?",
        ),
        manager="dnf",
        admin_groups=("wheel", "sudo"),
        boot=("/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables"),
        boot_units=("iptables", "ip6tables"),
        updater="dnf-automatic",
        updater_file="/etc/dnf/automatic.conf",
        packages=_RPM,
    ),
    Family(
        name="fedora41",
        title="Fedora from 41 on",
        releases=("fedora:4[1-9]", "fedora:[5-9]?"),
        manager="dnf",  # that is dnf 5 there
        admin_groups=("wheel", "sudo"),
        boot=("/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables"),
        boot_units=("iptables", "ip6tables"),
        updater="dnf5-automatic",
        updater_file="/etc/dnf/automatic.conf",
        packages={**_RPM, "unattended-upgrades": "dnf5-plugin-automatic"},
    ),
    Family(
        name="centos7",
        title="RHEL and CentOS 7, Fedora 18 to 21",
        releases=("centos:7", "rhel:7", "fedora:1[89]", "fedora:2[01]"),
        manager="yum",
        admin_groups=("wheel", "sudo"),
        boot=("/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables"),
        boot_units=("iptables", "ip6tables"),
        updater="yum-cron",
        updater_file="/etc/yum/yum-cron.conf",
        packages={**_RPM, **_YUM, "python3-systemd": "systemd-python"},
    ),
    Family(
        name="centos6",
        title="RHEL and CentOS 6, Fedora 10 to 17",
        releases=("centos:6", "rhel:6", "fedora:1[0-7]"),
        manager="yum",
        admin_groups=("wheel", "sudo"),
        boot=("/etc/sysconfig/iptables", "/etc/sysconfig/ip6tables"),
        boot_units=("iptables", "ip6tables"),
        updater="yum-cron",
        updater_file="/etc/sysconfig/yum-cron",
        packages={
            **_RPM,
            **_YUM,
            "fail2ban": "fail2ban",
            "python3-systemd": "fail2ban",  # there is no journal to read
            "iptables-persistent": "iptables-ipv6",  # which brings iptables along
            "netfilter-persistent": "iptables-ipv6",
        },
    ),
    Family(
        name="arch",
        title="Arch Linux",
        releases=("arch:*",),
        manager="pacman",
        admin_groups=("wheel", "sudo"),
        boot=("/etc/iptables/iptables.rules", "/etc/iptables/ip6tables.rules"),
        boot_units=("iptables", "ip6tables"),
        packages={
            **_EXIM,
            "iptables-persistent": "iptables",
            "netfilter-persistent": "iptables",
            "openssh-server": "openssh",
            "python3-systemd": "python-systemd",
            "nfs-common": "nfs-utils",
            "cron": "cronie",
            "unattended-upgrades": "",
        },
        lacks={
            "unattended-upgrades": "Arch supports no unattended updates (its news tells what an update needs by hand): "
            "leave `updates` out for this host"
        },
    ),
)

SUPPORTED = {family.name: family.title for family in FAMILIES}
"""Families that the chapters know, and how to name them to people."""

UNSUPPORTED_EXIT = {
    UNSUPPORTED: f"this distribution is not supported; supported are {'; '.join(SUPPORTED.values())}",
}
"""For `Script.exits` of those who call `known_distro`."""

# distro_root: tests have one of their own.
_RECOGNISE = """\
: "${distro_root=}"
distro=linux distro_version= _like= _release=
for _file in "$distro_root/usr/lib/os-release" "$distro_root/etc/os-release"; do
    [ ! -f "$_file" ] || _release=$_file
done
if [ -n "$_release" ]; then
    set -- $(set +u; ID= ID_LIKE= VERSION_ID=; . "$_release" 2>/dev/null; echo "${ID:-linux} ${VERSION_ID:--} $ID_LIKE")
    distro=${1:-linux} distro_version=${2:--}
    [ $# -lt 3 ] || { shift 2; _like=$*; }
    [ "$distro_version" != - ] || distro_version=
elif [ -f "$distro_root/etc/redhat-release" ]; then # `CentOS release 6.10 (Final)`
    distro_version=$(sed -n '1s/.*release \\([0-9.]*\\).*/\\1/p' "$distro_root/etc/redhat-release")
    case $(cat "$distro_root/etc/redhat-release") in
        CentOS*) distro=centos ;;
        Fedora*) distro=fedora ;;
        *) distro=rhel ;;
    esac
elif [ -f "$distro_root/etc/arch-release" ]; then
    distro=arch
elif [ -f "$distro_root/etc/debian_version" ]; then
    distro=debian distro_version=$(sed 's/\\..*//' "$distro_root/etc/debian_version")
fi
family= pkg_manager= admin_groups= boot_v4= boot_v6= unit_v4= unit_v6= updater= updater_file= _untried=
case $distro:${distro_version%%.*} in
@UNTRIED@
@OWN@
esac
for _word in $distro $_like; do
    [ -z "$family$_untried" ] || break
    case $_word:${distro_version%%.*} in
@CASES@
    esac
done
# also where a distribution that is like Ubuntu has another number; CentOS 6 has it too, and scripts for all services
if [ "$pkg_manager" = apt ] && [ -x "$distro_root/sbin/initctl" ] && [ ! -d "$distro_root/run/systemd/system" ]; then
    family= _untried='@UPSTART@'
fi
"""

_KNOWN = f"""\
known_distro() {{
    [ -z "$family" ] || return 0
    echo "it is $distro $distro_version${{_untried:+: $_untried}}" >&2
    exit {UNSUPPORTED}
}}
"""


def _assignments(family: Family) -> str:
    values = {
        "family": family.name,
        "pkg_manager": family.manager,
        "admin_groups": " ".join(family.admin_groups),
        "boot_v4": family.boot[0],
        "boot_v6": family.boot[1],
        "unit_v4": family.boot_units[0],
        "unit_v6": family.boot_units[1],
        "updater": family.updater,
        "updater_file": family.updater_file,
    }
    return " ".join(f"{name}='{value}'" for name, value in values.items())


def _cases(*, derived: bool) -> str:
    rows = (family for family in FAMILIES if family.derived is derived)
    return "\n".join(f"        {' | '.join(row.releases)}) {_assignments(row)} ;;" for row in rows)


def _name_cases() -> Iterator[str]:
    for family in FAMILIES:
        for name, real in family.packages.items():
            found = f"$(pkg_first {real.replace('|', ' ')})" if "|" in real else f"'{real}'"
            yield f"            {family.name}:{name}) _real={found} ;;"


def _lack_cases() -> Iterator[str]:
    for family in FAMILIES:
        for name, reason in family.lacks.items():
            yield f"""            {family.name}:{name}) echo '{reason.replace("'", "")}' >&2 ;;"""


_NAMES = """\
command -v pkg_first >/dev/null || pkg_first() { echo "$1"; } # NAMES…: what hosts/packages/manager.py knows better
real_names() {
    named= nameless=
    for _name in "$@"; do
        _real=$_name
        case $family:$_name in
@NAMES@
        esac
        if [ -z "$_real" ]; then nameless="$nameless $_name"; continue; fi
        case " $named " in *" $_real "*) ;; *) named="$named $_real" ;; esac
    done
}
why_nameless() { # NAME…: the reasons, where they are known
    for _name in "$@"; do
        case $family:$_name in
@LACKS@
            *) echo "$distro has no package for $_name" >&2 ;;
        esac
    done
}
"""

DISTRO = (
    _RECOGNISE.replace("@CASES@", _cases(derived=True))
    .replace("@OWN@", _cases(derived=False))
    .replace("@UPSTART@", f"its init is {_UPSTART}")
    .replace("@UNTRIED@", "\n".join(f"    {release}) _untried='{why}' ;;" for release, why in UNTRIED.items()))
    + _KNOWN
    + _NAMES.replace("@NAMES@", "\n".join(_name_cases())).replace("@LACKS@", "\n".join(_lack_cases()))
)
"""See above; changes nothing on the host, starts two processes at most."""

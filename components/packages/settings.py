"""The packages to install and to remove on a host: inputs and facts. Pure."""

from fnmatch import fnmatch
from typing import Self

from pydantic import Field, field_validator, model_validator

from components.core.chapter import ChapterInputs, Model, worked_out
from hosts.packages.manager import LOCK_TIMEOUT, PACKAGE_NAME

MAIL = ("exim4", "exim4-base", "exim4-config", "exim4-daemon-heavy", "exim4-daemon-light")
"""Exim, which the guide removes."""

RPC = ("nfs-common", "rpcbind")
"""The RPC port mapper and rpc.statd, which the guide removes."""

UNNECESSARY = (*MAIL, *RPC)

GUIDE = ("fail2ban", "iptables", "iptables-persistent", "sudo", "unattended-upgrades")
"""What the guide installs, which an import looks for."""

PROTECTED = (
    # sshd and sudo: login and root
    *("openssh-server", "openssh", "sudo", "sudo-ldap"),
    # the firewall; ufw and firewalld only while they are active
    *("iptables", "iptables-nft", "iptables-legacy", "iptables-libs", "nftables"),
    *("iptables-persistent", "netfilter-persistent", "iptables-services", "iptables-nft-services"),
    # what starts the host, and its package manager
    *("init", "systemd", "systemd-sysv", "sysvinit*", "initscripts", "upstart", "runit-init", "openrc"),
    *("linux-image-*", "linux", "linux-lts", "kernel", "kernel-core", "grub-*", "grub2-*", "grub"),
    *("apt", "dpkg", "dnf", "dnf5", "yum", "rpm", "pacman", "zypper", "libzypp", "glibc", "bash"),
    # network configuration
    *("ifupdown", "netplan.io", "network-manager", "isc-dhcp-client", "dhcpcd-base"),
    *("NetworkManager", "networkmanager", "network-scripts", "dhcp-client", "dhclient", "dhcpcd"),
)
"""Never removed, whatever is declared."""

RECORDS = "/var/lib/stockade/packages"
TIMEOUT = 900
"""Maximum seconds for a transaction, excluding those spent waiting for locks."""


class PackageInputs(ChapterInputs):
    """Inputs of `Packages`. Names are sorted; the package manager never prompts.

    `present`: packages to install, with their dependencies. `absent`: packages to purge, with those that depend on them
    and dependencies that nothing else needs. `group`: distinguishes several of these resources on one host; their
    package names must not overlap. `unstarted`: services that are not started when their package is installed, because
    another resource starts them after configuring them (apt with systemd only). `take_over`: an active ufw or firewalld
    may be removed if it conflicts with a declared package. `lock_timeout`: seconds to wait for another package manager.
    `dropped`: how often each package ceased to be declared; computed, a given value is ignored. Its removal also
    removed what other resources had configured (`triggers_for`).
    """

    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    group: str = Field("", pattern=r"^[a-z0-9]*$")
    unstarted: tuple[str, ...] = ()
    take_over: bool = False
    lock_timeout: int = Field(LOCK_TIMEOUT, ge=0, le=TIMEOUT)
    dropped: dict[str, int] = worked_out({})

    @field_validator("present", "absent", "unstarted")
    @classmethod
    def _names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not PACKAGE_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a valid package name: use letters, digits and + - . _")
        return tuple(sorted(set(names)))

    @field_validator("absent")
    @classmethod
    def _not_the_way_in(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if any(fnmatch(name, pattern) for pattern in PROTECTED):
                raise ValueError(f"{name} is never removed: without it, the host could not boot or be reached")
        return names

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        both = sorted(set(self.present) & set(self.absent))
        if both:
            raise ValueError(f"{', '.join(both)}: both present and absent")
        return self


class PackageFacts(Model):
    """What was observed on the host.

    `installed`: the declared packages that are installed, with their versions. `removed`: `name=version` of each
    removed package, including those removed along with a declared one; delete installs them again. `ours`: packages
    that were installed because they are declared; delete removes them.
    """

    installed: dict[str, str] = {}
    removed: tuple[str, ...] = ()
    ours: tuple[str, ...] = ()

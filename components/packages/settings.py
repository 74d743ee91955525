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
    """What shall be there, and what not. Names are sorted; nobody is asked anything.

    `present`: installed with what they depend on. `absent`: purged, with what depends on them and what only they had
    needed. `group`: tells several of these resources on one host from each other; their names must not overlap.
    `unstarted`: services that are not started when their package is installed, because another resource starts them
    once they are configured (apt with systemd; elsewhere it does nothing). `take_over`: an active ufw or firewalld may
    be removed where a wanted package can't be there beside it.
    `lock_timeout`: seconds to wait for another package manager. `dropped`: how often each package was declared and then
    not any more; worked out, whatever is given. What others had configured of it is gone then (`triggers_for`).
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
    """`installed`: those of the declared packages that are installed, with their versions.

    `removed`: `name=version` of what was removed, also what went along; delete installs it again. `ours`: what was
    installed because it is declared; delete removes it.
    """

    installed: dict[str, str] = {}
    removed: tuple[str, ...] = ()
    ours: tuple[str, ...] = ()

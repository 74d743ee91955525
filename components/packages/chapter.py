"""Packages of one host: those that are wanted and those that are not, in one transaction; delete undoes both.

Sources: the guide, "Configure a Firewall" (`apt-get install iptables-persistent`) and "Uninstall the Listening
Services" (`apt-get purge package_name`).
"""

from collections.abc import Mapping
from fnmatch import fnmatch
from typing import Any, Self

from pulumi import Output, ResourceOptions
from pulumi.dynamic import CheckResult, DiffResult, UpdateResult
from pydantic import Field, field_validator, model_validator

from components.core.chapter import Chapter, ChapterInputs, KnownState, Model
from components.core.dynamic import HostProvider, has_unknown
from components.core.host_resource import HostResource
from components.packages.shell import APPLY, EXITS, OBSERVE, RESTORE
from hosts.packages.manager import LOCK_TIMEOUT, LOCKED, PACKAGE_NAME
from hosts.shell import Answer, Script

MAIL = ("exim4", "exim4-base", "exim4-config", "exim4-daemon-heavy", "exim4-daemon-light")
"""Exim, which the guide removes."""

RPC = ("nfs-common", "rpcbind")
"""The RPC port mapper and rpc.statd, which the guide removes."""

UNNECESSARY = (*MAIL, *RPC)

PROTECTED = (
    # sshd and sudo: the way in
    *("openssh-server", "openssh", "sudo", "sudo-ldap"),
    # the firewall; ufw and firewalld only while they are active
    *("iptables", "iptables-nft", "iptables-legacy", "iptables-libs", "nftables"),
    *("iptables-persistent", "netfilter-persistent", "iptables-services", "iptables-nft-services"),
    # what starts the host, and its package manager
    *("init", "systemd", "systemd-sysv", "sysvinit*", "initscripts", "upstart", "runit-init", "openrc"),
    *("linux-image-*", "linux", "linux-lts", "kernel", "kernel-core", "grub-*", "grub2-*", "grub"),
    *("apt", "dpkg", "dnf", "dnf5", "yum", "rpm", "pacman", "zypper", "libzypp", "glibc", "bash"),
    # its addresses
    *("ifupdown", "netplan.io", "network-manager", "isc-dhcp-client", "dhcpcd-base"),
    *("NetworkManager", "networkmanager", "network-scripts", "dhcp-client", "dhclient", "dhcpcd"),
)
"""What is never removed, whatever is asked for."""

RECORDS = "/var/lib/stockade/packages"
_ANY = "*"
"""Stands among the names of `dropped` for all of them."""
_TIMEOUT = 900


class PackageInputs(ChapterInputs):
    """What shall be there, and what not. Names are sorted; nobody is asked anything.

    `present`: installed with what they depend on. `absent`: purged, with what depends on them and what only they had
    needed. `group`: tells several of these resources on one host from each other; their names must not overlap.
    `unstarted`: services that are not started when their package is installed, because another resource starts them
    once they are configured (apt with systemd; elsewhere it does nothing). `take_over`: an active ufw or firewalld may
    be removed where a wanted package can't be there beside it.
    `lock_timeout`: seconds to wait for another package manager. `dropped`: how often each package was declared and then
    not any more; worked out, whatever is given. What others had configured of it is gone then (`came_back`).
    """

    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    group: str = Field("", pattern=r"^[a-z0-9]*$")
    unstarted: tuple[str, ...] = ()
    take_over: bool = False
    lock_timeout: int = Field(LOCK_TIMEOUT, ge=0, le=_TIMEOUT)
    dropped: dict[str, int] = {}

    @field_validator("present", "absent", "unstarted")
    @classmethod
    def _names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not PACKAGE_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a package name: letters, digits and + - . _ are expected")
        return tuple(sorted(set(names)))

    @field_validator("absent")
    @classmethod
    def _not_the_way_in(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if any(fnmatch(name, pattern) for pattern in PROTECTED):
                raise ValueError(f"{name} is never removed: the host could not be reached, or started, without it")
        return names

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        both = sorted(set(self.present) & set(self.absent))
        if both:
            raise ValueError(f"{', '.join(both)}: wanted (present) and not wanted (absent) at the same time")
        return self


class PackageFacts(Model):
    """`installed`: those of the declared packages that are installed, with their versions.

    `removed`: `name=version` of what was removed, also what went along; delete installs it again. `ours`: what was
    installed because it is declared; delete removes it.
    """

    installed: dict[str, str] = {}
    removed: tuple[str, ...] = ()
    ours: tuple[str, ...] = ()


class PackageChapter(Chapter[PackageInputs, PackageFacts]):
    """Installs what is missing and purges what is not wanted, in one transaction; upgrades nothing that is there.

    What a purge takes from /etc, debconf's answers and the state of the services stay on the host, readable for root
    alone, until the package is given back.
    """

    inputs = PackageInputs
    facts = PackageFacts
    replaced_by = frozenset({"host", "group"})

    def title(self, inputs: PackageInputs) -> str:
        return f"packages {inputs.group}".rstrip()

    def observe(self, inputs: PackageInputs) -> Script:
        return Script(step="list packages", body=OBSERVE, values=_values(inputs), exits=EXITS)

    def parse(self, inputs: PackageInputs, answer: Answer) -> PackageFacts:
        rows = (line.split() for line in answer.stdout.splitlines() if line.strip())
        removed = (line.split() for line in answer.sections.get("removed", "").splitlines())
        return PackageFacts(
            installed={row[0]: row[1] for row in rows},
            removed=tuple(sorted(f"{row[0]}={row[1]}" for row in removed)),
            ours=tuple(sorted(answer.sections.get("ours", "").split())),
        )

    def apply(self, inputs: PackageInputs, known: KnownState[PackageInputs, PackageFacts]) -> Script:
        return Script(
            step="install and remove packages",
            body=APPLY,
            values=_values(inputs),
            exits=_exits(inputs),
            timeout=_TIMEOUT + inputs.lock_timeout,
        )

    def restore(self, inputs: PackageInputs, known: KnownState[PackageInputs, PackageFacts]) -> Script:
        left = known.recorded or PackageFacts()
        # the host's own records go first; these are for a host that has lost them
        values = {"ours": " ".join(left.ours), "removed": " ".join(left.removed)}
        return Script(
            step="put the packages back as they were",
            body=RESTORE,
            values={**_values(inputs), **values},
            exits=_exits(inputs),
            timeout=_TIMEOUT + inputs.lock_timeout,
        )

    def differences(self, inputs: PackageInputs, seen: PackageFacts) -> str:
        missing = sorted(set(inputs.present) - set(seen.installed))
        left = sorted(set(inputs.absent) & set(seen.installed))
        said = (("not installed", missing), ("still installed", left))
        return "; ".join(f"{what}: {', '.join(names)}" for what, names in said if names)

    def irrecoverable(self, inputs: PackageInputs, seen: PackageFacts) -> bool:
        return not set(inputs.present) <= set(seen.installed)  # with what others had configured of it

    def as_observed(
        self, inputs: PackageInputs, known: KnownState[PackageInputs, PackageFacts], seen: PackageFacts
    ) -> PackageInputs:
        present = tuple(name for name in inputs.present if name in seen.installed)
        absent = tuple(name for name in inputs.absent if name not in seen.installed)
        return inputs.model_copy(update={"present": present, "absent": absent})


class PackageProvider(HostProvider[PackageInputs, PackageFacts]):
    """Pulumi's CRUD for `Packages`."""

    chapter = PackageChapter()

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Count, beside what every chapter's does, the packages that are not declared any more."""
        result = super().check(_olds, news)
        before, now = _olds.get("present") or (), result.inputs.get("present") or ()
        if result.failures or has_unknown([before, now]):
            return result
        dropped = {name: int(times) for name, times in (_olds.get("dropped") or {}).items()}
        for name in set(before) - set(now):
            dropped[name] = dropped.get(name, 0) + 1
        return CheckResult({**result.inputs, "dropped": dict(sorted(dropped.items()))}, [])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare what can be told from the declarations alone."""
        known = {name: times for name, times in (_olds.get("dropped") or {}).items() if name != _ANY}
        return super().diff(_id, {**_olds, "dropped": known} if "dropped" in _olds else _olds, _news)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Count also a change that failed and took packages with it: the state of before has no other trace of it."""
        result = super().update(_id, _olds, _news)
        failed = int((_olds.get("dropped") or {}).get(_ANY, 0)) + bool(_olds.get("unfinished"))
        outs = result.outs or {}
        return UpdateResult({**outs, "dropped": {_ANY: failed, **outs["dropped"]}}) if failed else result


class Packages(HostResource, module="stockade", name="Packages"):
    """Packages on one host.

    Properties: `host` (str), `connection`, `present`, `absent` (lists of package names), `unstarted` (list of
    services), `group` (str), `takeOver` (bool), `lockTimeout` (seconds).

    Outputs: `observed`: `installed` (versions by name), `removed`, `ours`. `dropped`: how often each package was not
    declared any more.
    """

    observed: Output[dict[str, Any] | None]
    dropped: Output[dict[str, Any] | None]

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        super().__init__(PackageProvider(), name, {"observed": None, "dropped": None, **props}, opts)

    def came_back(self, *names: str) -> Output[list[str] | None]:
        """Return the `triggers` of whoever configures these packages: others once one of them has gone meanwhile.

        A package that goes takes along what was configured of it. Where the run ends before its chapter has gone, too,
        and it is declared again, nothing else tells that the chapter is not in force any more.
        """

        def texts(times: dict[str, Any] | None) -> list[str] | None:
            return [f"{name} {int(times[name])}" for name in (_ANY, *names) if name in times] or None if times else None

        return self.dropped.apply(texts)


class RemovedPackages(Packages, module="stockade", name="Packages"):
    """The guide's unnecessary services removed, for use alone: `absent` is Exim and RPC unless it is given."""

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        super().__init__(name, {"absent": list(UNNECESSARY), "group": "removed", **props}, opts)


def _values(inputs: PackageInputs) -> dict[str, str]:
    return {
        "folder": f"{RECORDS}/{inputs.group or 'host'}",
        "present": " ".join(inputs.present),
        "absent": " ".join(inputs.absent),
        "protected": " ".join(PROTECTED),
        "unstarted": " ".join(inputs.unstarted),
        "take_over": "yes" if inputs.take_over else "no",
        "lock_wait": str(inputs.lock_timeout),
    }


def _exits(inputs: PackageInputs) -> dict[int, str]:
    limit = f"another package manager was at work on the host for more than {inputs.lock_timeout} seconds (lockTimeout)"
    return {**EXITS, LOCKED: f"{limit}; nothing was changed. Is its own update running? Try again when it is done."}

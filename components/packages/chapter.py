"""The package transaction of a host: how it is observed, carried out and undone."""

from collections.abc import Mapping
from typing import Any

from components.core.chapter import Chapter, KnownState
from components.packages.settings import (
    GUIDE,
    PROTECTED,
    RECORDS,
    TIMEOUT,
    UNNECESSARY,
    PackageFacts,
    PackageInputs,
)
from hosts.packages.manager import LOCKED
from hosts.scripts import script
from hosts.shell import Answer, Script
from hosts.system.distro import UNSUPPORTED_EXIT

WOULD_GO = 77
"""Exit status (EX_NOPERM of sysexits.h): sshd, sudo, the firewall, the init system or a declared package would be
removed."""
NAMELESS = 76
"""Exit status: the distribution has no such package."""
HELD = 78
"""Exit status: a package that would have to change is on hold."""
UNSTARTED = 71
"""Exit status (EX_OSERR): everything is restored, but a service that was running before does not start."""

EXITS = {
    **UNSUPPORTED_EXIT,
    NAMELESS: "this host's distribution has no such package",
    HELD: "nothing was changed: these packages would have to change, but the host's administrator has put them on hold "
    "(`apt-mark hold`, or HoldPkg in pacman.conf)",
}


class PackageChapter(Chapter[PackageInputs, PackageFacts]):
    """Installs missing packages and purges unwanted ones, in one transaction. Upgrades nothing that is installed.

    Whatever a purge removes from /etc, debconf's answers, and the state of the services are kept on the host, readable
    by root only, until the package is restored.
    """

    inputs = PackageInputs
    facts = PackageFacts
    importable = ("packages", "packages GROUP")
    replaced_by = frozenset({"host", "group"})
    keeps_records = True

    def title(self, inputs: PackageInputs) -> str:
        return f"packages {inputs.group}".rstrip()

    def observe(self, inputs: PackageInputs) -> Script:
        return Script(
            step="list packages", body=script("components/packages/observe.sh"), values=_values(inputs), exits=EXITS
        )

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
            body=script("components/packages/apply.sh"),
            values=_values(inputs),
            exits=_exits(inputs),
            timeout=TIMEOUT + inputs.lock_timeout,
        )

    def restore(self, inputs: PackageInputs, known: KnownState[PackageInputs, PackageFacts]) -> Script:
        left = known.recorded or PackageFacts()
        # the host's own records take precedence; these are for a host that lost them
        values = {"ours": " ".join(left.ours), "removed": " ".join(left.removed)}
        return Script(
            step="restore the packages",
            body=script("components/packages/restore.sh"),
            values={**_values(inputs), **values},
            exits=_exits(inputs),
            timeout=TIMEOUT + inputs.lock_timeout,
        )

    def sought(self) -> Mapping[str, Any]:
        return {"present": GUIDE, "absent": UNNECESSARY}

    def existing(self, inputs: PackageInputs, seen: PackageFacts, answer: Answer) -> PackageInputs:
        """Which of the guide's packages are installed, and what Stockade has installed and removed."""
        removed = {one.partition("=")[0] for one in seen.removed}
        named = {*inputs.present, *seen.ours}, {*inputs.absent, *removed}
        present = tuple(sorted(name for name in named[0] if name in seen.installed or name in seen.ours))
        absent = tuple(sorted(name for name in named[1] - {*present} if name not in seen.installed))
        return inputs.model_copy(update={"present": present, "absent": absent})

    def differences(self, inputs: PackageInputs, seen: PackageFacts) -> str:
        missing = sorted(set(inputs.present) - set(seen.installed))
        left = sorted(set(inputs.absent) & set(seen.installed))
        problems = (("not installed", missing), ("still installed", left))
        return "; ".join(f"{problem}: {', '.join(names)}" for problem, names in problems if names)

    def irrecoverable(self, inputs: PackageInputs, seen: PackageFacts) -> bool:
        return not set(inputs.present) <= set(seen.installed)  # including what others had configured of it

    def as_observed(
        self, inputs: PackageInputs, known: KnownState[PackageInputs, PackageFacts], seen: PackageFacts
    ) -> PackageInputs:
        present = tuple(name for name in inputs.present if name in seen.installed)
        absent = tuple(name for name in inputs.absent if name not in seen.installed)
        return inputs.model_copy(update={"present": present, "absent": absent})


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
    limit = f"another package manager was running on the host for more than {inputs.lock_timeout} seconds (lockTimeout)"
    return {**EXITS, LOCKED: f"{limit}; nothing was changed. Perhaps the host is updating itself; try again later."}

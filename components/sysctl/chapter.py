"""Kernel settings in terms of a host: how they are observed, put in force and restored.

Settings of `conf.all` are also set for `default` and every existing interface, because the kernel combines both values
(`components/sysctl/names.py`). Observed are /proc/sys and the files that are read at boot.
"""

from collections.abc import Mapping
from typing import Any

from components.core.chapter import Chapter, KnownState
from components.sysctl.names import all_of, for_all, holds, lines_of, name_of, settings_in
from components.sysctl.settings import DROP_IN, SysctlFacts, SysctlInputs, SysctlSettings
from hosts.guard.guarded import Guard
from hosts.scripts import script
from hosts.shell import Answer, Script
from hosts.ssh.connection import HostAccess
from hosts.system.files import FILE_EXITS, file_state

HEAD = "# Written by Stockade: edit the stack config instead, changes here are overwritten.\n"
REFUSED = 65
LATER = 66
EXITS = {
    **FILE_EXITS,
    REFUSED: "the kernel refuses a value",
    LATER: f"nothing was changed: other files that are read after {DROP_IN}, at least by some programs, override it. "
    "Remove these lines there, or declare the same values under `sysctl: {values: ...}`",
}
"""Exit statuses that the scripts in this directory reserve."""

Seen = KnownState[SysctlInputs, SysctlFacts]


class SysctlChapter(Chapter[SysctlInputs, SysctlFacts]):
    """Kernel settings of a host."""

    inputs = SysctlInputs
    facts = SysctlFacts
    importable = ("sysctl",)

    def title(self, inputs: SysctlInputs) -> str:
        return "sysctl"

    def observe(self, inputs: SysctlInputs) -> Script:
        return Script("read the kernel settings", _script("observe"), _values(inputs), exits=EXITS)

    def parse(self, inputs: SysctlInputs, answer: Answer) -> SysctlFacts:
        part = answer.sections
        pairs = (line.partition(" ") for line in part["values"].splitlines() if line)
        return SysctlFacts(
            values={path: value for path, _, value in pairs},
            missing=tuple(part["missing"].splitlines()),
            fixed=tuple(part["fixed"].splitlines()),
            later=tuple(part["later"].splitlines()),
            dropin=file_state(part, "dropin").packed(),
        )

    def apply(self, inputs: SysctlInputs, known: Seen) -> Script:
        values = {**_values(inputs), "head": HEAD, "was": _was(known)}
        return Script("change the kernel settings", _script("apply"), values, exits=EXITS)

    def restore(self, inputs: SysctlInputs, known: Seen) -> Script:
        values = {**_values(inputs), **_prior_file(known), "was": _was(known)}
        return Script("restore the prior kernel settings", _script("restore"), values, exits=EXITS)

    def guard(self, inputs: SysctlInputs, known: Seen, access: HostAccess, *, restoring: bool = False) -> Guard:
        commit, prior = ("restored", _prior_file(known)) if restoring else ("commit", {})
        values = {"dropin": DROP_IN, **prior}
        return Guard(_script("save"), _script("go_back"), _script(commit), values, inputs.confirm_within)

    def differences(self, inputs: SysctlInputs, seen: SysctlFacts) -> str:
        other = _other(inputs, seen).items()
        parts = [f"{name_of(path)} is {value}" for path, value in other]
        if not _persistent(inputs, seen):
            parts += seen.later or [f"{DROP_IN} is not as declared"]
        return "; ".join(parts)

    def as_observed(self, inputs: SysctlInputs, known: Seen, seen: SysctlFacts) -> SysctlInputs:
        shown = lines_of({**inputs.wanted, **_other(inputs, seen)})
        return inputs.model_copy(update={"settings": shown, "persistent": _persistent(inputs, seen)})

    def already_configured(self, inputs: SysctlInputs, seen: SysctlFacts) -> str:
        return f"{DROP_IN} already exists" if seen.dropin.exists else ""

    def sought(self) -> Mapping[str, Any]:
        return {"settings": SysctlSettings().text()}

    def existing(self, inputs: SysctlInputs, seen: SysctlFacts, answer: Answer) -> SysctlInputs:
        """The guide's settings, and those of our file if there is one, with the values in force."""
        ours = seen.dropin.unpacked().content if seen.dropin.exists else ""
        general = (path for path in settings_in(ours) if "/conf/" not in path or "/conf/all/" in path)
        declared = {path: settings_in(ours)[path] for path in general} or inputs.wanted
        there = {path: seen.values.get(path, value) for path, value in declared.items() if path not in seen.missing}
        return inputs.model_copy(update={"settings": lines_of(there)})

    def same_settings(self, one: SysctlFacts, other: SysctlFacts) -> bool:
        """Ignores interfaces, which come and go."""
        both = one.values.keys() & other.values.keys()
        return one.dropin == other.dropin and all(one.values[path] == other.values[path] for path in both)


def _script(name: str) -> str:
    return script(f"components/sysctl/{name}.sh")


def _values(inputs: SysctlInputs) -> dict[str, str]:
    wanted = inputs.wanted
    return {
        "dropin": DROP_IN,
        "settings": "\n".join(f"{path} {value}" for path, value in wanted.items()),
        "spread": " ".join(filter(for_all, wanted)),
    }


def _was(known: Seen) -> str:
    values = known.prior.values if known.prior else {}
    return "".join(f"{path} {value}\n" for path, value in values.items())


def _prior_file(known: Seen) -> dict[str, str]:
    return (known.prior or SysctlFacts()).dropin.unpacked().values("prior")


def _wanted(inputs: SysctlInputs, path: str) -> str | None:
    wanted = inputs.wanted
    return wanted.get(path, wanted.get(all_of(path)))


def _other(inputs: SysctlInputs, seen: SysctlFacts) -> dict[str, str]:
    """Return what differs from the declaration, except for fixed settings and interfaces covered by `conf.all`."""
    found: dict[str, str] = {}
    declared = inputs.wanted
    for path, value in seen.values.items():
        wanted = _wanted(inputs, path)
        if wanted is None or path in seen.fixed:
            continue
        above = "" if path in declared else seen.values.get(all_of(path), "")
        if not (value == wanted if path in declared else holds(path, wanted, value, above)):
            found[path] = value
    return {path: value for path, value in found.items() if found.get(all_of(path)) != value}


def _persistent(inputs: SysctlInputs, seen: SysctlFacts) -> bool:
    """Return whether the declared settings survive a boot. Lines for interfaces that are gone are harmless."""
    there = settings_in(seen.dropin.unpacked().content)
    needed = [path for path in seen.values if path in inputs.wanted or path.split("/")[3:4] == ["default"]]
    right = all(_wanted(inputs, path) == value for path, value in there.items())
    return right and seen.dropin.exists and not seen.later and all(path in there for path in needed)

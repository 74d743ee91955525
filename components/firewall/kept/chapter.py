"""A host whose firewall ufw or firewalld manages: nothing is changed, the rules in force are only read.

Policies check them like declared rules, as of the last observation.
"""

from collections.abc import Mapping
from typing import Any, Literal

from components.core.chapter import Chapter, ChapterInputs, KnownState, Model, worked_out
from components.failure import Failure
from hosts.scripts import script
from hosts.shell import Answer, Script
from rules.analysis.reachability import TooIntricateError, difference, exposure
from rules.errors import RuleSyntaxError
from rules.language.parse import parse, parse_saved
from rules.language.render import render
from rules.model import Ruleset
from rules.presets.firewalld import as_rules
from rules.values.family import Family

Program = Literal["ufw", "firewalld"]


class KeptInputs(ChapterInputs):
    """Inputs of `KeptFirewall`.

    `program`: the program that manages the rules. `changes`: what can be reached differently than at the last run;
    computed by a refresh.
    """

    program: Program
    changes: tuple[str, ...] = worked_out(())


class KeptFacts(Model):
    """What was observed on the host.

    `active`: whether the program's rules are in force. `ipv4`, `ipv6`: the program's rules; firewalld's zones are
    converted to rules. `exposure_ipv4`, `exposure_ipv6`: who can reach what, line by line.
    """

    active: bool = False
    ipv4: str = ""
    ipv6: str = ""
    exposure_ipv4: tuple[str, ...] = ()
    exposure_ipv6: tuple[str, ...] = ()


class KeptChapter(Chapter[KeptInputs, KeptFacts]):
    """Observes the host and changes nothing."""

    inputs = KeptInputs
    facts = KeptFacts
    importable = ("firewall kept",)
    changes = False

    def title(self, inputs: KeptInputs) -> str:
        return "firewall kept"

    def observe(self, inputs: KeptInputs) -> Script:
        return Script(
            f"read the rules of {inputs.program}",
            script("components/firewall/kept/observe.sh"),
            {"program": inputs.program},
            timeout=120,
        )

    def parse(self, inputs: KeptInputs, answer: Answer) -> KeptFacts:
        part = answer.sections
        found: dict[str, Any] = {"active": part["active"].strip() == "yes"}
        for family in Family:
            try:
                rules = _read(part, family)
            except RuleSyntaxError as error:
                raise Failure(
                    f"{inputs.host}: the {family} rules of {inputs.program} cannot be read: {error}"
                ) from None
            found[str(family)] = render(rules)
            found[f"exposure_{family}"] = _exposure(rules)
        return KeptFacts(**found)

    def apply(self, inputs: KeptInputs, known: KnownState[KeptInputs, KeptFacts]) -> Script:
        return Script("change nothing", ":")

    def restore(self, inputs: KeptInputs, known: KnownState[KeptInputs, KeptFacts]) -> Script:
        return Script("change nothing", ":")

    def sought(self) -> Mapping[str, Any]:
        return {"program": "ufw"}

    def existing(self, inputs: KeptInputs, seen: KeptFacts, answer: Answer) -> KeptInputs | None:
        if seen.active:
            return inputs
        return inputs.model_copy(update={"program": "firewalld"}) if inputs.program == "ufw" else None

    def differences(self, inputs: KeptInputs, seen: KeptFacts) -> str:
        if seen.active:
            return ""
        return (
            f"{inputs.program} is not active, so there is nothing to keep. Start it, or remove `keep`; if Stockade "
            "has taken it over, set `firewall: false` first, which restores it"
        )

    def as_observed(self, inputs: KeptInputs, known: KnownState[KeptInputs, KeptFacts], seen: KeptFacts) -> KeptInputs:
        """Report what somebody changed. The next run accepts it, because only the managing program is declared."""
        before = known.recorded or KeptFacts()
        gone = () if seen.active or not before.active else (f"{inputs.program} is no longer active",)
        changes = (line for family in Family for line in _changes(before, seen, family))
        return inputs.model_copy(update={"changes": (*gone, *changes)})


def _read(part: Mapping[str, str], family: Family) -> Ruleset:
    saved = part.get(str(family), "")
    if "zones" in part and "INPUT_direct" not in saved:  # its rules are in an nftables table
        return parse(as_rules(part["zones"], part.get("services", ""), part["default_zone"].strip(), family), family)
    return parse_saved(saved, family)


def _changes(before: KeptFacts, seen: KeptFacts, family: Family) -> tuple[str, ...]:
    then, now = getattr(before, family.value), getattr(seen, family.value)
    if then == now:
        return ()
    try:
        found = difference(parse_saved(then, family), parse_saved(now, family))
    except TooIntricateError:
        found = ()
    return tuple(f"{family}: {line}" for line in found or ("the rules differ",))


def _exposure(rules: Ruleset) -> tuple[str, ...]:
    try:
        return exposure(rules)
    except TooIntricateError as error:
        return (f"not worked out: {error}",)

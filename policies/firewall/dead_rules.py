"""Rules without effect: a shadowed rule is often meant to have one."""

from __future__ import annotations

from collections.abc import Iterable

from policies.firewall.declared import ruleset_policy
from policies.settings import PolicySettings, number
from rules.analysis.reachability import Analysis, Placed
from rules.language.render import render_rule

MOST = number(
    "mostRules", "Rulesets with more rules are not searched for redundant ones, because that takes too long.", 1000
)
_SHOWN = 5


def _check(analysis: Analysis, settings: PolicySettings) -> Iterable[str]:
    dead = analysis.shadowed()
    for found in dead[:_SHOWN]:
        first = ", ".join(f"rule {placed.place.number}" for placed in found.shadowed_by)
        reason = f"{first} decides before it" if first else found.reason
        yield (
            f"{_rule(analysis, found.placed)} never matches: {reason}. Remove it, or move it up if it is meant to "
            "take effect."
        )
    count = sum(len(chain.rules) for chain in analysis.table.chains)
    redundant = analysis.redundant() if count <= settings.number(MOST.name) else ()
    for placed in redundant[:_SHOWN]:
        yield (
            f"{_rule(analysis, placed)} changes nothing: the rules after it do the same. It can be removed, together "
            "with all others reported like this."
        )
    rest = max(0, len(dead) - _SHOWN) + max(0, len(redundant) - _SHOWN)
    if rest:
        yield f"{rest} more rules do nothing; `stockade explain` lists them all."


def _rule(analysis: Analysis, placed: Placed) -> str:
    return f"rule {placed.place.number} of {placed.place.chain} ({render_rule(placed.rule, analysis.family)})"


POLICIES = [
    ruleset_policy(
        "no-dead-rules",
        "Every rule has an effect.",
        _check,
        MOST,
        advisory=True,
    )
]

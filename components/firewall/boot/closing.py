"""How a ruleset's host is closed at a boot that fails to load the rules: values for `keep.sh`. Pure."""

from collections.abc import Iterable, Sequence

from components.firewall.boot.installed import CLOSED, CLOSED_FORWARD
from rules.analysis.doors import doors, has_neighbours, interface_patterns, restricts
from rules.model import Chain, Ruleset, Table
from rules.plan.drift import watched


def closing(rules: Ruleset, preserved: Sequence[str], ports: Iterable[int]) -> dict[str, str]:
    """Return how to close a host on which `rules` (names resolved) are not in force, except for what they accept at
    `ports`.

    `preserved`: patterns of interfaces whose rules belong to others. Rules that refuse nothing need no replacement.
    """
    if not restricts(rules, "INPUT"):
        return dict.fromkeys(("own_chains", "preserved", "doors", "forward", "neighbours"), "")
    return {
        "own_chains": " ".join(watched(rules)),
        "preserved": interface_patterns(preserved),
        "doors": "".join(f"{door}\n" for door in doors(rules, {*ports} - {0})),
        "forward": "yes" if restricts(rules, "FORWARD") else "",
        "neighbours": "yes" if has_neighbours(rules) else "",
    }


def with_closing_chains(last: Ruleset, current: Ruleset) -> Ruleset:
    """Return `last` plus the chains that closed the host at boot, if present, so that a change removes them."""
    there = [name for name in (CLOSED, CLOSED_FORWARD) if current.chain("filter", name)]
    table = last.table("filter") or Table("filter")
    for name in there:
        table = table.with_chain(Chain(name))
    return last.with_table(table) if there else last

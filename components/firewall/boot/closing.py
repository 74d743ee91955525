"""What a ruleset leaves on its host for a boot at which it cannot be loaded: values of `keep.sh`. Pure."""

from collections.abc import Iterable, Sequence

from components.firewall.boot.installed import CLOSED, CLOSED_FORWARD
from rules.analysis.doors import doors, has_neighbours, interface_patterns, restricts
from rules.model import Chain, Ruleset, Table
from rules.plan.drift import watched


def closing(rules: Ruleset, preserved: Sequence[str], ports: Iterable[int]) -> dict[str, str]:
    """Return how a host is closed where `rules`, names resolved, are not in force: but for what they let in at `ports`.

    `preserved`: patterns of interfaces whose rules are others'. Rules that refuse nothing need nothing in their place.
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
    """Return `last` with the chains that closed the host at boot, where they are there: a change takes them out."""
    there = [name for name in (CLOSED, CLOSED_FORWARD) if current.chain("filter", name)]
    table = last.table("filter") or Table("filter")
    for name in there:
        table = table.with_chain(Chain(name))
    return last.with_table(table) if there else last

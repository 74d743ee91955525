"""What the rules of others on a host expose beyond ours: ports that Docker publishes bypass INPUT. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from components.firewall.ruleset.settings import EXPLAINED, RulesetInputs
from rules.analysis.reachability import TooIntricateError
from rules.language.parse import parse_saved
from rules.language.tokens import saved_texts
from rules.model import Ruleset as Rules
from rules.plan.foreign import own_rules

_LETTING_IN = ("ACCEPT", "DNAT", "REDIRECT", "NETMAP")
_LETS_IN = re.compile(f" -j ({'|'.join(_LETTING_IN)})\\b")


def published(sections: Mapping[str, str], inputs: RulesetInputs) -> tuple[str, ...]:
    """What others' rules expose beyond ours, one line each; empty if theirs accept nothing.

    `sections`: from the output of `observe.sh`.
    """
    family = inputs.family
    if {*_letting_in(sections["saved"])} <= {*_letting_in(inputs.rules)}:
        return ()
    try:
        found = parse_saved(sections["saved"], family)
        own = own_rules(found, inputs.declared, inputs.preserved)
        if not _lets_in(found, own):
            return ()
        from components.firewall.ruleset.reachable import beyond  # takes 20 ms to import, and is seldom needed

        return beyond(own, found, sections, family)
    except TooIntricateError as error:
        return (f"not worked out: {error}",)
    except ValueError:
        return ()  # unparsable rules are reported elsewhere


def _letting_in(saved: str) -> Iterator[tuple[str, str]]:
    """Yield the rules that may accept something, as table and text: usually all of them are declared, word for word."""
    table = ""
    for line in saved_texts(saved):
        if line.startswith("*"):
            table = line[1:]
        elif _LETS_IN.search(line):
            yield table, line


def _lets_in(found: Rules, own: Rules) -> bool:
    """Whether any rule that is not ours may accept something; not checked for very large rulesets."""
    if sum(1 for _ in found.rules()) > EXPLAINED:
        return False
    ours = {(table, rule) for table, rule in own.rules()}
    return any(
        rule.target is not None and rule.target.name in _LETTING_IN and (table, rule) not in ours
        for table, rule in found.rules()
    )

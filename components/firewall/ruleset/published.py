"""What a host lets others reach through all of its tables: what Docker publishes goes past INPUT. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from components.firewall.ruleset.settings import EXPLAINED, RulesetInputs
from rules.analysis.reachability import Analysis, TooIntricateError
from rules.language.parse import parse_saved
from rules.model import Ruleset as Rules
from rules.path.answers import PathAnswers
from rules.path.layers import layers
from rules.path.network import HostNetwork, read_network
from rules.plan.foreign import own_rules
from rules.values.family import Family

_LETTING_IN = ("ACCEPT", "DNAT", "REDIRECT", "NETMAP")


def published(sections: Mapping[str, str], inputs: RulesetInputs) -> tuple[str, ...]:
    """What others' rules let others reach beyond ours, a line each; nothing where theirs let nobody in.

    `sections`: of what `observe.sh` printed.
    """
    family = inputs.family
    try:
        found = parse_saved(sections["saved"], family)
        own = own_rules(found, inputs.declared, inputs.preserved)
        if not _lets_in(found, own):
            return ()
        answers = PathAnswers(family, layers(found), network_of(sections, family))
        ours = Analysis(own.only([*{"filter", *(table.name for table in own.tables)}]), compiler=answers.compiler)
        return tuple(map(str, answers.lines(ours)))
    except TooIntricateError as error:
        return (f"not worked out: {error}",)
    except ValueError:
        return ()  # what cannot be read is told where the rules are


def reachable(sections: Mapping[str, str], family: Family) -> tuple[str, ...]:
    """What a host lets others reach, a line each, whoever wrote the rules."""
    found = parse_saved(sections["saved"], family)
    if _count(found) > EXPLAINED:
        return (f"not worked out for more than {EXPLAINED} rules",)
    other = layers(parse_saved(sections.get("other", ""), family), "other ")
    answers = PathAnswers(family, (*layers(found), *other), network_of(sections, family))
    return tuple(map(str, (*answers.lines(), *answers.forwarded())))


def network_of(sections: Mapping[str, str], family: Family) -> HostNetwork:
    """The host's addresses and routes."""
    told = (sections.get(name, "") for name in ("addresses", "routes", "forwards"))
    return read_network(family, *told)


def _lets_in(found: Rules, own: Rules) -> bool:
    """Whether any rule that is not ours may let somebody in; of very many rules that is not asked."""
    if _count(found) > EXPLAINED:
        return False
    ours = {(table, rule) for table, rule in own.rules()}
    return any(
        rule.target is not None and rule.target.name in _LETTING_IN and (table, rule) not in ours
        for table, rule in found.rules()
    )


def _count(rules: Rules) -> int:
    return sum(1 for _ in rules.rules())

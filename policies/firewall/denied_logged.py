"""What is denied is logged, and the log cannot be flooded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from policies.firewall.declared import ruleset_policy, sends
from policies.settings import PolicySettings, texts
from rules.analysis.reachability import Analysis
from rules.language.render import render_rule
from rules.model import Rule, Target

_TARGETS = ("LOG", "NFLOG", "ULOG")
_LIMITS = ("limit", "hashlimit")
CHAINS = texts("chains", "Built-in chains whose denied packets must be logged.", ("INPUT",))


def _check(analysis: Analysis, settings: PolicySettings) -> Iterable[str]:
    for chain in settings.texts(CHAINS.name) if sends(analysis) else ():
        if analysis.table.chain(chain) is None or analysis.default_deny(chain) is False:
            continue
        if _logging_accepts(analysis).default_deny(chain) is not False:
            prefix = f"{analysis.family.command}_{chain}_denied: "
            yield (
                f"what {chain} denies is not logged. Add `-A {chain} -m limit --limit 5/min -j LOG "
                f'--log-prefix "{prefix}" --log-level 7` above the rule that denies, or set `log: true` under '
                "`stockade:firewall`."
            )
    for chain_ in analysis.table.chains:
        for number, rule in enumerate(chain_.rules, 1):
            if _logs(rule) and not any(match.name in _LIMITS for match in rule.matches):
                yield (
                    f"rule {number} of {chain_.name} logs without a limit, so anybody can fill the disk: "
                    f"{render_rule(rule, analysis.family)}. Add `-m limit --limit 5/min` to it."
                )


def _logs(rule: Rule) -> bool:
    return rule.target is not None and rule.target.name in _TARGETS


def _accepting(rule: Rule) -> Rule:
    return replace(rule, target=Target("ACCEPT")) if _logs(rule) else rule


def _logging_accepts(analysis: Analysis) -> Analysis:
    """The same ruleset, but logged packets are accepted, so it is open to those whose packets are logged."""
    chains = tuple(replace(chain, rules=tuple(map(_accepting, chain.rules))) for chain in analysis.table.chains)
    marked = analysis.ruleset.with_table(replace(analysis.table, chains=chains))
    return Analysis(marked, compiler=analysis.compiler)


POLICIES = [
    ruleset_policy(
        "denied-logged",
        "Denied packets are logged, at a limited rate.",
        _check,
        CHAINS,
        advisory=True,
    )
]

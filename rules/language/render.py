"""Rulesets to canonical text: what iptables-save prints, without counters and dates.

Canonical text is a fixed point: parsing and rendering it gives the same text. Rules that the kernel stores identically
have the same text, however they were spelled.
"""

from __future__ import annotations

from functools import lru_cache

from rules.language.naming import names, resolve
from rules.language.parse import parse
from rules.model import Chain, Match, Option, Rule, Ruleset, Table, Target
from rules.options.base import SHORT
from rules.options.extensions import Extension, render_option
from rules.options.matches import MATCHES
from rules.options.targets import TARGETS
from rules.values.family import Family

__all__ = ["canonical", "names", "render", "render_rule", "render_spec", "resolve"]


def canonical(text: str, family: Family) -> str:
    """Canonical text of rules that a person wrote. Raises :class:`rules.errors.RuleSyntaxError`."""
    return render(parse(text, family))


def render(ruleset: Ruleset) -> str:
    """The ruleset as input for iptables-restore; empty for a ruleset without tables."""
    return "".join(_table(table) for table in ruleset.tables)


def render_rule(rule: Rule, family: Family) -> str:
    """One rule as ``-A CHAIN …``, as ``iptables-save`` of ``family`` prints it."""
    del family  # values know their own; the parameter keeps callers explicit
    spec = render_spec(rule)
    return f"-A {rule.chain} {spec}" if spec else f"-A {rule.chain}"


@lru_cache(maxsize=16_384)  # most hosts of a stack have the same rules
def render_spec(rule: Rule) -> str:
    """The matches and the target of a rule, without command and chain."""
    words = [render_match(match) for match in rule.matches]
    if rule.target is not None:
        words.append(_target(rule.target))
    return " ".join(words)


def _table(table: Table) -> str:
    lines = [f"*{table.name}"]
    lines += [f":{chain.name} {chain.policy or '-'}" for chain in table.chains]
    lines += [line for chain in table.chains for line in _chain(chain)]
    return "\n".join([*lines, "COMMIT", ""])


def _chain(chain: Chain) -> list[str]:
    return [render_rule(rule, Family.IPV4) for rule in chain.rules]


def render_match(match: Match) -> str:
    """One match as iptables-save prints it."""
    if match.base:
        return _base(match.options[0])
    if match.opaque:
        return " ".join([f"-m {match.name}", *match.tokens] if match.name else match.tokens)
    return " ".join([f"-m {match.name}", *_options(MATCHES[match.name], match.options)])


def _base(option: Option) -> str:
    words = ["!"] if option.negated else []
    words.append(f"-{SHORT[option.name]}")
    if option.value is not None:
        words.append(str(option.value))
    return " ".join(words)


def _options(extension: Extension, options: tuple[Option, ...]) -> list[str]:
    return [render_option(extension, option) for option in options]


def _target(target: Target) -> str:
    words = [f"{'-g' if target.goto else '-j'} {target.name}"]
    if target.opaque:
        return " ".join([*words, *target.tokens])
    extension = TARGETS.get(target.name)
    return " ".join([*words, *(_options(extension, target.options) if extension is not None else [])])

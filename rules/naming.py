"""Host names in rules: iptables looks them up when a rule is loaded, so they must be addresses before that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

from rules.addresses import read_address
from rules.errors import ExpectedError
from rules.family import Family
from rules.model import Chain, Match, Rule, Ruleset, Table
from rules.values import HostName, Network


def names(ruleset: Ruleset) -> tuple[str, ...]:
    """Host names that the rules use as source or destination, sorted, each once."""
    return tuple(sorted({name for _table, rule in ruleset.rules() for name in _named(rule)}))


def _named(rule: Rule) -> list[str]:
    return [value.name for value in (rule.source, rule.destination) if isinstance(value, HostName)]


def resolve(ruleset: Ruleset, addresses: Mapping[str, Sequence[str]]) -> Ruleset:
    """Each rule that has a name becomes one rule per address, and per pair of addresses, as iptables does.

    Addresses of the other family are left out. They are put in numeric order, as name servers rotate theirs.
    Raises :class:`ValueError` for a name with no address of the family, and for a negated name with several.
    """
    return Ruleset(ruleset.family, tuple(_table(table, ruleset.family, addresses) for table in ruleset.tables))


def _table(table: Table, family: Family, addresses: Mapping[str, Sequence[str]]) -> Table:
    chains = []
    for chain in table.chains:
        rules = tuple(found for rule in chain.rules for found in _expand(rule, family, addresses))
        chains.append(Chain(chain.name, chain.policy, rules))
    return Table(table.name, tuple(chains))


def _expand(rule: Rule, family: Family, addresses: Mapping[str, Sequence[str]]) -> list[Rule]:
    if not _named(rule):
        return [rule]
    choices = [_choices(match, family, addresses) for match in rule.matches]
    return [replace(rule, matches=matches) for matches in product(*choices)]


def _choices(match: Match, family: Family, addresses: Mapping[str, Sequence[str]]) -> list[Match]:
    option = match.options[0] if match.base else None
    if option is None or not isinstance(option.value, HostName):
        return [match]
    found = _networks(option.value.name, family, addresses)
    if option.negated and len(found) > 1:
        raise ValueError(f"{option.value.name} has several addresses and cannot be negated: name them one by one")
    return [Match(match.name, (replace(option, value=network),)) for network in found]


def _networks(name: str, family: Family, addresses: Mapping[str, Sequence[str]]) -> list[Network]:
    full = (1 << family.bits) - 1
    numbers = set()
    for text in addresses.get(name, ()):
        try:
            numbers.add(read_address(text, family))
        except ExpectedError:
            continue
    if not numbers:
        raise ValueError(f"{name} has no {family.label} address: name an address in the rule instead")
    return [Network(family, number, full) for number in sorted(numbers)]

"""Host names in rules: iptables resolves them when it loads a rule, so Stockade resolves them before that."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from rules.errors import ExpectedError
from rules.model import Chain, Match, Rule, Ruleset, Table
from rules.values.addresses import read_address
from rules.values.family import Family
from rules.values.typed import HostName, Network


def names(ruleset: Ruleset) -> tuple[str, ...]:
    """Host names used as source or destination, sorted, without duplicates."""
    return tuple(sorted({name for _table, rule in ruleset.rules() for name in _named(rule)}))


def _named(rule: Rule) -> list[str]:
    return [value.name for value in (rule.source, rule.destination) if isinstance(value, HostName)]


def moved_names(before: Mapping[str, Sequence[str]], now: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """The names whose addresses have changed; a name that cannot be resolved now counts as unchanged."""
    return frozenset(name for name, found in now.items() if name in before and {*before[name]} != {*found})


def resolve(ruleset: Ruleset, addresses: Mapping[str, Sequence[str]], only: Collection[str] | None = None) -> Ruleset:
    """Turn each rule that has a host name into one rule per address, or pair of addresses, as iptables does.

    ``only``: the names to resolve; all of them by default. Addresses of the other family are left out. Addresses are
    sorted numerically, because name servers rotate theirs. Raises :class:`ValueError` for a name with no address of the
    family, and for a negated name with several.
    """
    chosen = _Names(ruleset.family, addresses, only)
    return Ruleset(ruleset.family, tuple(_table(table, chosen) for table in ruleset.tables))


@dataclass(frozen=True)
class _Names:
    family: Family
    addresses: Mapping[str, Sequence[str]]
    only: Collection[str] | None

    def of(self, rule: Rule) -> list[str]:
        """The names in a rule that are to be resolved."""
        return [name for name in _named(rule) if self.only is None or name in self.only]

    def choices(self, match: Match) -> list[Match]:
        option = match.options[0] if match.base else None
        value = option.value if option is not None else None
        if option is None or not isinstance(value, HostName) or (self.only is not None and value.name not in self.only):
            return [match]
        found = _networks(value.name, self.family, self.addresses)
        if option.negated and len(found) > 1:
            raise ValueError(f"{value.name} has several addresses and cannot be negated: name them one by one")
        return [Match(match.name, (replace(option, value=network),)) for network in found]


def _table(table: Table, chosen: _Names) -> Table:
    chains = []
    for chain in table.chains:
        rules = tuple(found for rule in chain.rules for found in _expand(rule, chosen))
        chains.append(Chain(chain.name, chain.policy, rules))
    return Table(table.name, tuple(chains))


def _expand(rule: Rule, chosen: _Names) -> list[Rule]:
    if not chosen.of(rule):
        return [rule]
    choices = [chosen.choices(match) for match in rule.matches]
    return [replace(rule, matches=matches) for matches in product(*choices)]


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

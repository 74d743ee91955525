"""A ruleset as data: tables of chains of rules, each rule a list of matches and a target.

Everything is frozen and canonical. Built-in chains are always present, in the kernel's order. User chains are sorted by
name, and tables are in the order in which a packet traverses them, because neither order has a meaning. So equal
rulesets are equal objects, and render to equal text. Matches keep their order: ``limit`` before or after another match
is not the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from rules.values.family import Family
from rules.values.typed import HostName, Network, Protocol, Value

__all__ = [
    "BUILTIN_CHAINS",
    "TABLES",
    "VERDICTS",
    "Chain",
    "Family",
    "Match",
    "Option",
    "Rule",
    "Ruleset",
    "Table",
    "Target",
]

# The kernel's built-in chains, in the order iptables-save prints them.
BUILTIN_CHAINS: dict[str, tuple[str, ...]] = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "security": ("INPUT", "FORWARD", "OUTPUT"),
}
TABLES = tuple(BUILTIN_CHAINS)
VERDICTS = ("ACCEPT", "DROP", "QUEUE", "RETURN")
# The matches that need no ``-m``, in the order iptables-save prints them.
BASE_MATCHES = ("source", "destination", "in-interface", "out-interface", "protocol", "fragment")


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a match or target: its canonical long name without dashes, and its typed value.

    ``value`` is None for an option without one (``--rsource``).
    """

    name: str
    value: Value = None
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """One match of a rule: a base match (``source``) or an extension (``conntrack``) with its options in saved order.

    An ``opaque`` match is an extension, or an option of one, that this package does not support: ``tokens`` keeps what
    follows ``-m NAME`` as iptables-save spells it, and ``options`` is empty.
    """

    name: str
    options: tuple[Option, ...] = ()
    opaque: bool = False
    tokens: tuple[str, ...] = ()

    @property
    def base(self) -> bool:
        """Whether this is one of :data:`BASE_MATCHES`, printed without ``-m``."""
        return self.name in BASE_MATCHES

    @property
    def negated(self) -> bool:
        """Whether any option is negated."""
        return any(option.negated for option in self.options)

    def option(self, name: str) -> Option | None:
        """The option of that canonical name, if the match has it."""
        return next((option for option in self.options if option.name == name), None)


@dataclass(frozen=True, slots=True)
class Target:
    """What happens to a matching packet: a verdict, a target extension with options, or a jump to a user chain.

    ``goto``: ``-g`` instead of ``-j``. ``opaque`` and ``tokens`` are as in :class:`Match`.
    """

    name: str
    options: tuple[Option, ...] = ()
    goto: bool = False
    opaque: bool = False
    tokens: tuple[str, ...] = ()

    @property
    def verdict(self) -> bool:
        """Whether this is one of :data:`VERDICTS`."""
        return self.name in VERDICTS

    def option(self, name: str) -> Option | None:
        """The option of that canonical name, if the target has it."""
        return next((option for option in self.options if option.name == name), None)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a chain. ``target``: None if it only counts packets.

    ``source_line``: where it was written, from 1.
    """

    chain: str
    matches: tuple[Match, ...] = ()
    target: Target | None = None
    source_line: int | None = field(default=None, compare=False)

    def match(self, name: str) -> Match | None:
        """The first match of that name, if any."""
        return next((match for match in self.matches if match.name == name), None)

    def value(self, name: str) -> Value:
        """Value of a base match, or None."""
        match = self.match(name)
        return match.options[0].value if match is not None and match.options else None

    @property
    def source(self) -> Network | HostName | None:
        """The value of ``-s``."""
        value = self.value("source")
        return value if isinstance(value, Network | HostName) else None

    @property
    def destination(self) -> Network | HostName | None:
        """The value of ``-d``."""
        value = self.value("destination")
        return value if isinstance(value, Network | HostName) else None

    @property
    def protocol(self) -> Protocol | None:
        """The value of ``-p``."""
        value = self.value("protocol")
        return value if isinstance(value, Protocol) else None

    @property
    def in_interface(self) -> str | None:
        """The value of ``-i``; a ``+`` at the end stands for any suffix."""
        value = self.value("in-interface")
        return value if isinstance(value, str) else None

    @property
    def out_interface(self) -> str | None:
        """The value of ``-o``; a ``+`` at the end stands for any suffix."""
        value = self.value("out-interface")
        return value if isinstance(value, str) else None

    @property
    def negations(self) -> tuple[str, ...]:
        """Names of the negated options, in order."""
        return tuple(option.name for match in self.matches for option in match.options if option.negated)

    @property
    def comment(self) -> str | None:
        """Text of the first comment match."""
        match = self.match("comment")
        option = match.option("comment") if match is not None else None
        return option.value if option is not None and isinstance(option.value, str) else None

    def moved_to(self, chain: str) -> Rule:
        """The same rule in another chain."""
        return replace(self, chain=chain)


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain. ``policy``: ACCEPT or DROP for a built-in chain, None for a user chain."""

    name: str
    policy: str | None = None
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table; missing built-in chains are added with policy ACCEPT, and chains are put in canonical order."""

    name: str
    chains: tuple[Chain, ...] = ()

    def __post_init__(self) -> None:
        builtin = BUILTIN_CHAINS.get(self.name, ())
        given = {chain.name: chain for chain in self.chains}
        first = [given.get(name, Chain(name, "ACCEPT")) for name in builtin]
        rest = sorted((chain for chain in self.chains if chain.name not in builtin), key=_chain_order)
        object.__setattr__(self, "chains", (*first, *rest))

    def chain(self, name: str) -> Chain | None:
        """The chain of that name, if the table has it."""
        return next((chain for chain in self.chains if chain.name == name), None)

    @property
    def user_chains(self) -> tuple[str, ...]:
        """Names of the chains that are not built in."""
        return tuple(chain.name for chain in self.chains if chain.name not in BUILTIN_CHAINS.get(self.name, ()))

    def with_chain(self, chain: Chain) -> Table:
        """This table with ``chain`` added, or replacing the one of its name."""
        return Table(self.name, (*(old for old in self.chains if old.name != chain.name), chain))


def _chain_order(chain: Chain) -> tuple[bool, str]:
    return chain.policy is None, chain.name


@dataclass(frozen=True, slots=True)
class Ruleset:
    """All tables of one family; a table that is missing is one that the ruleset does not cover."""

    family: Family
    tables: tuple[Table, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "tables", tuple(sorted(self.tables, key=_table_order)))

    def table(self, name: str) -> Table | None:
        """The table of that name, if the ruleset has it."""
        return next((table for table in self.tables if table.name == name), None)

    def chain(self, table: str, chain: str) -> Chain | None:
        """The chain of that name in the table of that name."""
        found = self.table(table)
        return found.chain(chain) if found is not None else None

    def rules(self) -> Iterator[tuple[str, Rule]]:
        """Every rule with the name of its table, in rendered order."""
        for table in self.tables:
            for chain in table.chains:
                for rule in chain.rules:
                    yield table.name, rule

    def with_table(self, table: Table) -> Ruleset:
        """This ruleset with ``table`` added, or replacing the one of its name."""
        return Ruleset(self.family, (*(old for old in self.tables if old.name != table.name), table))

    def only(self, names: Iterable[str]) -> Ruleset:
        """The tables of those names; missing ones are added empty."""
        return Ruleset(self.family, tuple(self.table(name) or Table(name) for name in names))


def _table_order(table: Table) -> tuple[int, str]:
    return (TABLES.index(table.name), "") if table.name in TABLES else (len(TABLES), table.name)

"""The tables that packets traverse at each hook, in the kernel's order: iptables, the other iptables, nftables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rules.model import BUILTIN_CHAINS, Ruleset, Table

# netfilter_ipv4.h: the priority of each table; source NAT comes last.
_PRIORITIES = {"raw": -300, "mangle": -150, "nat": -100, "filter": 0, "security": 50}
_SOURCES = 100
CONNTRACK = -200
HOOKS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")


@dataclass(frozen=True, slots=True)
class Hook:
    """Where a chain is hooked. ``nat``: only first packets traverse it, to be translated."""

    hook: str
    priority: int
    chain: str
    nat: bool = False


@dataclass(frozen=True, slots=True)
class Layer:
    """A table with its hooks. ``name``: as shown in answers."""

    name: str
    table: Table
    hooks: tuple[Hook, ...]


def layers(ruleset: Ruleset, prefix: str = "") -> tuple[Layer, ...]:
    """The tables of one iptables variant; ``prefix`` marks those of the other one (``legacy ``)."""
    found = []
    for table in ruleset.tables:
        hooks = tuple(
            Hook(chain, _priority(table.name, chain), chain, table.name == "nat")
            for chain in BUILTIN_CHAINS.get(table.name, ())
        )
        found.append(Layer(f"{prefix}{table.name}", table, hooks))
    return tuple(found)


def _priority(table: str, chain: str) -> int:
    return _SOURCES if table == "nat" and chain in ("INPUT", "POSTROUTING") else _PRIORITIES[table]


def at(hook: str, found: Iterable[Layer]) -> Sequence[tuple[Layer, Hook]]:
    """The chains at a hook, in the order in which packets traverse them."""
    here = [(layer, one) for layer in found for one in layer.hooks if one.hook == hook]
    return sorted(here, key=lambda pair: pair[1].priority)

"""nftables tables outside iptables (``nft -j list ruleset``), as layers: their matches in iptables' terms.

An expression without an equivalent becomes an unknown match, named after its rule, and makes answers "possibly".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rules.model import BUILTIN_CHAINS, Chain, Match, Rule, Table, Target
from rules.path.layers import HOOKS, Hook, Layer
from rules.path.nftables.matches import Reader, Unreadable
from rules.path.sets import Members
from rules.values.family import Family

_PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
# Hooks before or after those of iptables; they see whole frames.
_ELSEWHERE = ("ingress", "egress")
# Flags of a table under which it filters.
_AWAKE = {"owner", "persist"}


@dataclass(frozen=True, slots=True)
class Listing:
    """``layers``: the tables that see packets of a family; ``sets``: the sets they refer to, under unique names.

    ``doubts``: other firewalls that are not followed, in words.
    """

    layers: tuple[Layer, ...] = ()
    sets: Mapping[str, Members] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()


def read_listing(text: str, family: Family, *, beside: bool = True) -> Listing:
    """Parse the tables of a listing.

    ``beside``: leave out tables that iptables itself created, whose rules are known otherwise. Raises
    :class:`ValueError` if the text is not such a listing.
    """
    try:
        entries = json.loads(text)["nftables"]
    except (ValueError, KeyError, TypeError):
        raise ValueError("this is not what `nft -j list ruleset` prints") from None
    found: dict[tuple[str, str], _Table] = {}
    flags: dict[tuple[str, str], set[str]] = {}
    for entry in entries if isinstance(entries, list) else ():
        for kind, value in entry.items() if isinstance(entry, dict) else ():
            if isinstance(value, dict) and kind == "table":
                flags[str(value.get("family")), str(value.get("name"))] = _words(value.get("flags", []))
            if isinstance(value, dict) and kind in ("chain", "set", "map", "rule"):
                place = str(value.get("family")), str(value.get("table"))
                found.setdefault(place, _Table(*place)).parts.append((kind, value))
    layers, sets, doubts = [], {}, []
    for place, one in found.items():
        if unclear := flags.get(place, set()) - _AWAKE:
            # Version 1.0.6 prints something else for each flag.
            if "dormant" not in unclear and one.decides():
                doubts.append(f"the nftables table {one.title}, which may be dormant,")
            continue
        if one.family == "bridge" and one.decides():
            doubts.append(f"the nftables table {one.title}")
        if one.family in ("inet", "netdev") and one.decides():
            doubts += [f"the nftables table {one.title} at {hook}" for hook in one.elsewhere()]
        if one.family not in ("inet", "ip" if family is Family.IPV4 else "ip6") or (beside and one.iptables):
            continue
        layer, known = one.layer(family)
        if layer.hooks:
            layers.append(layer)
            sets.update(known)
    return Listing(tuple(layers), sets, tuple(dict.fromkeys(doubts)))


@dataclass
class _Table:
    family: str
    name: str
    parts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def title(self) -> str:
        return f"{self.family} {self.name}"

    @property
    def iptables(self) -> bool:
        """Whether iptables-nft created it: the table and its base chains have the names that iptables uses."""
        known = BUILTIN_CHAINS.get(self.name, ())
        hooked = [str(value["name"]) for value in self._of("chain") if "hook" in value]
        return self.family in ("ip", "ip6") and bool(hooked) and set(hooked) <= set(known)

    def elsewhere(self) -> list[str]:
        """Those hooks of its chains that are not followed."""
        return [hook for value in self._of("chain") if (hook := str(value.get("hook", ""))) in _ELSEWHERE]

    def decides(self) -> bool:
        """Whether it may deny anything."""
        text = json.dumps([value.get("expr") for value in self._of("rule")])
        policies = any(value.get("policy") == "drop" for value in self._of("chain"))
        return policies or '"drop"' in text or '"reject"' in text or '"queue"' in text

    def layer(self, family: Family) -> tuple[Layer, dict[str, Members]]:
        """The table in iptables' terms, with the sets it refers to."""
        reader = Reader(self.title, family, {str(value["name"]): value for kind, value in self.parts if kind != "rule"})
        chains = {str(value["name"]): value for value in self._of("chain")}
        rules: dict[str, list[Rule]] = {name: [] for name in chains}
        for value in self._of("rule"):
            name = str(value.get("chain"))
            if name in rules:
                number = len(rules[name]) + 1
                rules[name] += self._rules(reader, name, number, value.get("expr"), chains)
        made = Table(
            self.title,
            tuple(
                Chain(name, str(value.get("policy", "accept")).upper() if "hook" in value else None, tuple(rules[name]))
                for name, value in chains.items()
            ),
        )
        hooks = (_hook(name, value) for name, value in chains.items())
        return Layer(f"nft {self.title}", made, tuple(one for one in hooks if one is not None)), reader.sets

    def _rules(
        self, reader: Reader, chain: str, number: int, expressions: Any, chains: Mapping[str, object]
    ) -> Iterator[Rule]:
        """One rule as several, one per alternative."""
        ways: list[tuple[Match, ...]] = [()]
        made: list[Rule] = []
        for expression in expressions if isinstance(expressions, list) else ():
            named = expression if isinstance(expression, dict) else {str(expression): None}
            kind, value = next(iter(named.items()), ("", None))
            try:
                if kind == "vmap":
                    made += [
                        Rule(chain, (*way, *more), target)
                        for way in ways
                        for more, verdict in reader.map_of(value)
                        if (target := _verdict(verdict, chains)) is not None
                    ]
                    continue
                target = _verdict(expression, chains) or reader.target(kind, value)
                if target is not None:
                    yield from (Rule(chain, way, target) for way in ways)
                    continue
                choices = reader.choices(kind, value)
            except (Unreadable, LookupError, TypeError, ValueError):  # or of another form than known
                choices = [(self._unknown(chain, number),)]
                if kind == "vmap":  # it may drop, accept or pass on
                    either = [Target("DROP"), Target("ACCEPT")]
                    made += [Rule(chain, (*way, *choices[0]), target) for way in ways for target in either]
                    continue
            ways = [(*way, *choice) for way in ways for choice in choices]
        yield from made

    def _unknown(self, chain: str, number: int) -> Match:
        return Match("nft", opaque=True, tokens=(f"{self.title} {chain} {number}",))

    def _of(self, kind: str) -> list[dict[str, Any]]:
        return [value for one, value in self.parts if one == kind]


def _words(flags: Any) -> set[str]:
    return set(map(str, flags)) if isinstance(flags, list) else {str(flags)}


def _hook(name: str, value: Mapping[str, Any]) -> Hook | None:
    hook = str(value.get("hook", "")).upper()
    priority = value.get("prio", 0)
    if hook not in HOOKS:
        return None
    number = _PRIORITIES.get(priority, 0) if isinstance(priority, str) else priority
    return Hook(hook, number if isinstance(number, int) else 0, name, value.get("type") == "nat")


def _verdict(expression: Any, chains: Mapping[str, object]) -> Target | None:
    """The target equivalent to a verdict; None if it is not one."""
    if isinstance(expression, str):
        expression = {expression: None}
    for kind, value in expression.items() if isinstance(expression, dict) else ():
        if kind in ("accept", "drop", "reject", "return", "queue"):
            return Target(kind.upper())
        if kind in ("jump", "goto") and isinstance(value, dict) and value.get("target") in chains:
            return Target(str(value["target"]), goto=kind == "goto")
    return None

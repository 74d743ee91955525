"""What can come from outside: the packets that others can send to a chain, and the states conntrack gives them."""

from __future__ import annotations

from dataclasses import replace

from rules.model import Rule, Ruleset, Table, Target
from rules.packets.chains import Compiler
from rules.packets.diagrams import Box, Node
from rules.packets.outcomes import Verdict
from rules.packets.packet import Field, interface, is_reply, state_number, states, tops, tracked
from rules.values.family import Family
from rules.values.intervals import Intervals, complement, numbers
from rules.values.protocols import ICMP, ICMPV6

# A packet with the highest hop limit comes from the link itself: every router decrements it (RFC 4861, 11.2).
ON_LINK = 255
_ICMP = 255 * 256
# Types that can be NEW: requests (nf_conntrack_proto_icmp.c, nf_conntrack_proto_icmpv6.c).
REQUESTS = {Family.IPV4: (8, 13, 15, 17), Family.IPV6: (128, 139)}
# Neighbour and multicast listener discovery is never tracked (nf_conntrack_proto_icmpv6.c).
_UNTRACKED = (130, 131, 132, 133, 134, 135, 136, 143)
# Address types that routing delivers to this host: LOCAL, BROADCAST, ANYCAST, MULTICAST (RTN_*, linux/rtnetlink.h).
DELIVERED = numbers([2, 3, 4, 5])
_TRANSLATING = ("DNAT", "REDIRECT", "NETMAP")


def possible(compiler: Compiler, chain: str) -> Node:
    """The packets that can reach a built-in chain at all."""
    family = compiler.family
    valid = [number for number in range(40) if _valid(number)]
    box: dict[int, Intervals] = {int(Field.STATE): numbers(valid)}
    if chain in ("INPUT", "PREROUTING"):
        box[Field.OUT] = (interface(""),)
    if chain in ("OUTPUT", "POSTROUTING"):
        box[Field.IN] = (interface(""),)
    for field, chains in ((Field.IN, ("INPUT", "FORWARD", "PREROUTING")), (Field.OUT, ("OUTPUT", "FORWARD"))):
        if chain in chains:
            box[field] = complement((interface(""),), tops(family)[field])
    return _set(compiler, box)


def _valid(number: int) -> bool:
    if not tracked(number):
        return number < 5
    return not (number % 5 == 1 and is_reply(number))


def outside(compiler: Compiler, chain: str, ruleset: Ruleset) -> Node:
    """Unsolicited first packets that others can send to a chain: not through lo, unfragmented, NEW to conntrack.

    ICMP that is not a request is never NEW. It has the state that the kernel gives it instead, so that a rule that
    accepts only NEW is seen not to accept it.
    """
    store, family = compiler.store, compiler.family
    not_lo = complement((interface("lo"),), tops(family)[Field.IN])
    box: dict[int, Intervals] = {int(Field.FRAGMENT): ((0, 0),), int(Field.HOPS): ((1, 255),)}
    for field, chains in ((Field.IN, ("INPUT", "FORWARD")), (Field.OUT, ("OUTPUT", "FORWARD"))):
        if chain in chains:
            box[field] = not_lo
    if chain == "INPUT":
        box[Field.DESTINATION_TYPE] = DELIVERED
    sent = store.both(_set(compiler, box), possible(compiler, chain))
    return store.both(sent, _first_states(compiler, ruleset))


def _set(compiler: Compiler, box: Box) -> Node:
    return compiler.store.box(box, compiler.store.all, compiler.store.none)


def _first_states(compiler: Compiler, ruleset: Ruleset) -> Node:
    """The state that each unsolicited packet has; all possible ones if it is not certain."""
    store = compiler.store
    away = set(_never_first(ruleset))
    in_state = {
        name: _set(compiler, {int(Field.STATE): numbers(n for n in states((name,)) if _valid(n) and n not in away)})
        for name in ("NEW", "INVALID")
    }
    untracked = _set(compiler, {int(Field.STATE): numbers([state_number("UNTRACKED")])})
    protocol = ICMP if compiler.family is Family.IPV4 else ICMPV6
    icmp = _set(compiler, {int(Field.PROTOCOL): numbers([protocol])})
    requests = _icmp_types(compiler, protocol, REQUESTS[compiler.family])
    never = _icmp_types(compiler, protocol, _UNTRACKED if compiler.family is Family.IPV6 else ())
    first = store.union(
        [
            store.both(in_state["NEW"], store.either(store.minus(store.all, icmp), requests)),
            store.both(in_state["INVALID"], store.minus(icmp, store.either(requests, never))),
            store.both(untracked, never),
        ]
    )
    may, must = _not_tracked(compiler, ruleset)
    return store.either(store.minus(first, must), store.both(untracked, may))


def _never_first(ruleset: Ruleset) -> list[int]:
    """States that no first packet is in. Sources are translated behind every filter; destinations before it, by the
    nat table, and by an unknown one where none is given."""
    table = ruleset.table("nat")
    rules = [rule for chain in table.chains for rule in chain.rules] if table is not None else []
    translates = table is None or any(rule.target is not None and rule.target.name in _TRANSLATING for rule in rules)
    return states(("SNAT",) if translates else ("SNAT", "DNAT"))


def _icmp_types(compiler: Compiler, protocol: int, types: tuple[int, ...]) -> Node:
    services = tuple((kind * 256, kind * 256 + 255) for kind in types)
    box = {int(Field.PROTOCOL): numbers([protocol]), int(Field.SERVICE): services}
    return _set(compiler, box) if types else compiler.store.none


def _not_tracked(compiler: Compiler, ruleset: Ruleset) -> tuple[Node, Node]:
    """The packets that the raw table may, and those that it must, exempt from tracking."""
    table = ruleset.table("raw")
    if table is None or not any(_untracks(rule) for chain in table.chains for rule in chain.rules):
        return compiler.store.none, compiler.store.none
    diagram = compiler.compile(_marked(table))["PREROUTING"].diagram
    may = compiler.where(diagram, Verdict.REJECT, surely=False)
    return may, compiler.where(diagram, Verdict.REJECT, surely=True)


def _untracks(rule: Rule) -> bool:
    target = rule.target
    if target is None:
        return False
    return target.name == "NOTRACK" or (target.name == "CT" and target.option("notrack") is not None)


def _marked(table: Table) -> Table:
    """The raw table with REJECT, a target that it cannot have, for each rule that exempts packets from tracking."""
    return Table(table.name, tuple(replace(chain, rules=tuple(map(_mark, chain.rules))) for chain in table.chains))


def _mark(rule: Rule) -> Rule:
    return replace(rule, target=Target("REJECT")) if _untracks(rule) else rule

"""Chains compiled to decision diagrams: for every packet, what happens to it.

A chain is a binary tree of segments. The diagram of a segment is composed from those of its halves, so large diagrams
meet large ones and the work grows with n log n. A user chain is compiled once, however many rules jump to it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

from rules.model import Chain, Rule, Table
from rules.packets.diagrams import Diagrams, Node, TooIntricateError
from rules.packets.layout import Layout
from rules.packets.operations import binary
from rules.packets.outcomes import PASS, Outcome, Place, Placed, Verdict, renamed, sure, then, when_matched
from rules.packets.packet import layouts
from rules.packets.predicates import Predicate, predicate
from rules.values.family import Family

# Non-terminating targets: they act on a packet or report it, and let it continue (man 8 iptables-extensions).
_GOING_ON = """
LOG NFLOG ULOG AUDIT SET TEE TRACE MARK CONNMARK TTL HL DSCP TOS TCPMSS TCPOPTSTRIP CLASSIFY CHECKSUM ECN NOTRACK
CT SECMARK CONNSECMARK IDLETIMER LED RATEEST HMARK
"""
GOING_ON = frozenset(_GOING_ON.split())
_DECIDING = {
    "ACCEPT": Verdict.ACCEPT,
    "DROP": Verdict.DROP,
    "REJECT": Verdict.REJECT,
    "RETURN": Verdict.RETURN,
}
# A program decides, and may accept the packet.
_QUEUES = ("QUEUE", "NFQUEUE")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One rule and its diagram. ``acts``: its target decides or leads to a chain."""

    placed: Placed
    predicate: Predicate
    diagram: Node
    acts: bool


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """``size`` consecutive rules of a chain, from leaf ``first`` on: their diagram, and two halves or one rule.

    ``returns``: one of them may leave the chain by RETURN. ``calls``: one of them leads to another chain.
    """

    first: int
    size: int
    diagram: Node
    returns: bool
    calls: bool
    halves: tuple[Segment, Segment] | None = None
    leaf: Leaf | None = None


@dataclass(frozen=True, slots=True)
class Compiled:
    """A chain: its rules as leaves and as a tree of segments (None if there are no rules), and its diagram.

    In the diagram, packets that leave the chain by RETURN or at its end pass.
    """

    chain: Chain
    leaves: tuple[Leaf, ...]
    segment: Segment | None
    diagram: Node


def _target(leaf: Leaf) -> str:
    return leaf.placed.rule.target.name if leaf.placed.rule.target is not None else ""


class Compiler:
    """Compiles the chains of tables of one family into one store of diagrams."""

    def __init__(self, family: Family, more: Sequence[Layout] = ()) -> None:
        """``more``: further fields that rules test, placed after those of packets."""
        self.family = family
        self.store = Diagrams((*layouts(family), *more))
        self.passing = self.store.leaf(PASS)
        self.then = binary(self.store, self._then, kept=True)
        self.when = binary(self.store, self._when, kept=True)
        self.through = binary(self.store, self._through, kept=True)
        self._matched: dict[Segment, Node] = {}
        self.store.memos.append(self._matched)

    def compile(self, table: Table) -> dict[str, Compiled]:
        """All chains of a table, callees before their callers.

        Raises :class:`ValueError` if chains call each other in a loop, which no kernel accepts.
        """
        done: dict[str, Compiled] = {}
        chains = {chain.name: chain for chain in table.chains}
        for name in _called_first(table):
            chain = chains[name]
            leaves = [self._leaf(Placed(Place(name, number), rule), done) for number, rule in enumerate(chain.rules, 1)]
            done[name] = self._compiled(chain, leaves, self._segment(leaves) if leaves else None)
        return done

    def without(self, chains: dict[str, Compiled], places: Mapping[str, Collection[int]]) -> dict[str, Compiled]:
        """The chains as they are if the given rules, by chain name and indexes from 0, do nothing."""
        done: dict[str, Compiled] = {}
        changed: set[str] = set()
        for name, compiled in chains.items():
            leaves = {
                index: replace(leaf, diagram=self.passing, acts=False)
                if index in places.get(name, ())
                else self._leaf(leaf.placed, done)
                for index, leaf in enumerate(compiled.leaves)
                if index in places.get(name, ()) or _target(leaf) in changed
            }
            if not leaves or compiled.segment is None:
                done[name] = compiled
                continue
            changed.add(name)
            segment = self._patched(compiled.segment, leaves, sorted(leaves))
            done[name] = self._compiled(compiled.chain, self._in_order(segment), segment)
        return done

    def decided(self, compiled: Compiled) -> Node:
        """The diagram of a built-in chain with its policy; that of a user chain as it is."""
        if compiled.chain.policy is None:
            return compiled.diagram
        return self.then(compiled.diagram, self.policy(compiled.chain))

    def policy(self, chain: Chain) -> Node:
        """What happens to packets that no rule of a built-in chain decides on."""
        return self.store.leaf(sure(_DECIDING[chain.policy or "RETURN"]))

    def outcome(self, leaf: Node) -> Outcome:
        """The outcome that a leaf stands for."""
        return _as_outcome(self.store.value(leaf))

    def outcome_at(self, diagram: Node, digits: Sequence[int]) -> Outcome:
        """The outcome for one packet, given by the digits of its fields."""
        return _as_outcome(self.store.at(diagram, digits))

    def passes(self, diagram: Node, digits: Sequence[int]) -> bool:
        """Whether one packet may pass to the next rule."""
        return bool(self.outcome_at(diagram, digits).possibly & Verdict.PASS)

    def where(self, node: Node, verdicts: Verdict, *, surely: bool) -> Node:
        """The packets that may get one of the verdicts; with ``surely``, those that certainly do at some time."""

        def decide(leaf: Node) -> Node:
            if leaf == self.store.none:
                return leaf
            found = self.outcome(leaf)
            return self.store.leaf(bool((found.surely if surely else found.possibly) & verdicts))

        return self.store.map(node, decide)

    def matching(self, found: Predicate) -> Node:
        """The set of packets that a rule may match."""
        return self.store.union([self.store.box(box, self.store.all, self.store.none) for box in found.boxes])

    def matched(self, segment: Segment) -> Node:
        """The set of packets that any rule of a segment may match."""
        found = self._matched.get(segment)
        if found is None:
            if segment.halves is not None:
                found = self.store.either(*(self.matched(half) for half in segment.halves))
            else:
                found = self.matching(segment.leaf.predicate) if segment.leaf is not None else self.store.none
            self._matched[segment] = found
        return found

    def _compiled(self, chain: Chain, leaves: Sequence[Leaf], segment: Segment | None) -> Compiled:
        diagram = segment.diagram if segment is not None else self.passing
        if segment is not None and segment.returns:
            diagram = self._renamed(diagram, Verdict.RETURN, Verdict.PASS)
        return Compiled(chain, tuple(leaves), segment, diagram)

    def _patched(self, segment: Segment, leaves: Mapping[int, Leaf], numbers: Sequence[int]) -> Segment:
        """A segment with other leaves at the given indexes, which are in order."""
        if bisect_left(numbers, segment.first) == bisect_left(numbers, segment.first + segment.size):
            return segment
        if segment.halves is None:
            return self._segment([leaves[segment.first]], segment.first)
        left, right = (self._patched(half, leaves, numbers) for half in segment.halves)
        return self._joined(left, right)

    def _in_order(self, segment: Segment) -> list[Leaf]:
        if segment.halves is None:
            return [segment.leaf] if segment.leaf is not None else []
        return [leaf for half in segment.halves for leaf in self._in_order(half)]

    def _segment(self, leaves: Sequence[Leaf], first: int = 0) -> Segment:
        if len(leaves) == 1:
            target = leaves[0].placed.rule.target
            name = target.name if leaves[0].acts and target is not None else ""
            returns = name == "RETURN" or (target is not None and target.goto)
            calls = bool(name) and name not in _DECIDING and name not in _QUEUES
            return Segment(first, 1, leaves[0].diagram, returns, calls, None, leaves[0])
        half = len(leaves) // 2
        left, right = self._segment(leaves[:half], first), self._segment(leaves[half:], first + half)
        return self._joined(left, right)

    def _joined(self, left: Segment, right: Segment) -> Segment:
        try:
            diagram = self.then(left.diagram, right.diagram)
        except TooIntricateError as error:
            raise _of_rules(error, left, right) from None
        returns, calls = left.returns or right.returns, left.calls or right.calls
        return Segment(left.first, left.size + right.size, diagram, returns, calls, (left, right))

    def _leaf(self, placed: Placed, done: dict[str, Compiled]) -> Leaf:
        found = self.predicate(placed.rule)
        unknown = bool(found.unknown)
        body = self._body(placed, done)
        if body is None:
            return Leaf(placed, found, self.passing, acts=False)
        if found.limited or unknown:
            body = self.store.map(
                body,
                lambda leaf: self.store.leaf(when_matched(self.outcome(leaf), limited=found.limited, unknown=unknown)),
            )
        if self.store.is_leaf(body) and len(found.boxes) == 1:
            return Leaf(placed, found, self.store.box(found.boxes[0], body, self.passing), acts=True)
        return Leaf(placed, found, self.when(self.matching(found), body), acts=True)

    def predicate(self, rule: Rule) -> Predicate:
        """What a rule matches."""
        return predicate(rule, self.family)

    def _body(self, placed: Placed, done: dict[str, Compiled]) -> Node | None:
        """What happens to a packet that matches; None if nothing does."""
        target = placed.rule.target
        if target is None or target.name in GOING_ON:
            return None
        if target.name in _DECIDING:
            return self.store.leaf(sure(_DECIDING[target.name]))
        if target.name in done:
            body = done[target.name].diagram
            return self._renamed(body, Verdict.PASS, Verdict.RETURN) if target.goto else body
        verdicts = [Verdict.ACCEPT, Verdict.DROP, *([] if target.name in _QUEUES else [Verdict.PASS])]
        return self.store.leaf(Outcome(frozenset(map(int, verdicts))))

    def _renamed(self, node: Node, old: Verdict, new: Verdict) -> Node:
        return self.store.map(node, lambda leaf: self.store.leaf(renamed(self.outcome(leaf), old, new)))

    def _then(self, first: Node, second: Node) -> Node | None:
        """The composition of two diagrams; undefined (False) where ``second`` is for packets that reach it."""
        if first == self.passing:
            return second
        if self.store.is_leaf(first):
            if first == self.store.none or not self.outcome(first).possibly & Verdict.PASS:
                return first
            if second == self.store.none:
                return second
            if self.store.is_leaf(second):
                return self.store.leaf(then(self.outcome(first), self.outcome(second)))
        return first if second == self.passing else None

    def _when(self, packets: Node, body: Node) -> Node | None:
        """``body`` for a set of packets; the others pass."""
        if packets == self.store.none or body == self.passing:
            return self.passing
        return body if packets == self.store.all else None

    def _through(self, packets: Node, diagram: Node) -> Node | None:
        """The packets of a set that a diagram may let pass to the next rule."""
        if packets == self.store.none or diagram == self.passing:
            return packets
        if self.store.is_leaf(diagram):
            return packets if self.outcome(diagram).possibly & Verdict.PASS else self.store.none
        return None


def _of_rules(error: TooIntricateError, left: Segment, right: Segment) -> TooIntricateError:
    """The error with the rules that cause it: the shortest run of rules that is too much."""
    first, last = left, right
    while first.halves is not None:
        first = first.halves[0]
    while last.halves is not None:
        last = last.halves[1]
    if "rules " in str(error).partition(":")[0] or first.leaf is None or last.leaf is None:
        return error
    start, end = first.leaf.placed.place, last.leaf.placed.place
    return TooIntricateError(f"rules {start.number} to {end.number} of {start.chain} {str(error).partition(' ')[2]}")


def _as_outcome(value: Hashable) -> Outcome:
    if not isinstance(value, Outcome):
        raise TypeError(f"{value!r} is not an outcome")
    return value


def _called_first(table: Table) -> list[str]:
    """Names of the chains, ordered so that each follows those it calls."""
    calls = {
        chain.name: [rule.target.name for rule in chain.rules if rule.target is not None] for chain in table.chains
    }
    order: dict[str, None] = {}
    for start, called_first in calls.items():
        stack = [(start, iter(called_first))]
        open_chains = {start}
        while stack:
            name, rest = stack[-1]
            called = next((other for other in rest if other in calls and other not in order), None)
            if called is None:
                order[name] = None
                open_chains.discard(name)
                stack.pop()
            elif called in open_chains:
                raise ValueError(f"the chains {name} and {called} of table {table.name} call each other in a circle")
            else:
                open_chains.add(called)
                stack.append((called, iter(calls[called])))
    return list(order)

"""How packets reach the rules of a table's chains, and their fate after each rule: a walk over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from rules.analysis.outside import possible
from rules.packets.chains import Compiled, Compiler, Leaf, Segment
from rules.packets.diagrams import Node
from rules.packets.operations import binary, meeting
from rules.packets.outcomes import Verdict, renamed, then


@dataclass(frozen=True, slots=True)
class Visit:
    """``packets`` that reach a segment of a chain; ``after``: their fate after it; ``end``: after the chain.

    ``claim``: all packets that might enter the chain in this way, whatever other rules do.
    """

    packets: Node
    after: Node
    end: Node
    claim: Node


class Visits:
    """Walks the chains, callers first, and passes each rule to `rule` with the visits by which packets reach it."""

    # Whether to include packets that would enter a chain if other rules did not exist.
    claims = True

    def __init__(self, compiler: Compiler, chains: dict[str, Compiled]) -> None:
        self._compiler = compiler
        self._store = compiler.store
        self._chains = chains
        self._sent: dict[str, list[Visit]] = {name: [] for name in chains}
        self._returning = binary(self._store, self._plain_returning)
        self._over = binary(self._store, self._plain_over)
        self._meet = meeting(self._store)

    def walk(self) -> None:
        """Visit all rules that packets reach."""
        for name in reversed(self._chains):
            chain = self._chains[name]
            visits = self._visits(chain)
            if chain.segment is not None and visits:
                self._down(chain.segment, visits)

    def rule(self, leaf: Leaf, visits: Sequence[Visit]) -> None:
        """Examine one rule; ``visits`` have only packets that it may match."""
        raise NotImplementedError

    def _visits(self, chain: Compiled) -> list[Visit]:
        """How packets enter a chain; visits that share no packets with others are merged into one."""
        name = chain.chain.name
        if chain.chain.policy is not None:
            packets, policy = possible(self._compiler, name), self._compiler.policy(chain.chain)
            return [Visit(packets, policy, policy, packets)]
        alone, twice = self._apart(self._sent[name])
        visits = [Visit(one.claim, one.after, one.after, one.claim) for one in twice]
        if alone:
            packets, claim = (
                self._store.union(parts)
                for parts in ([visit.packets for visit in alone], [visit.claim for visit in alone])
            )
            after = self._overlaid([self._store.select(visit.claim, visit.after) for visit in alone])
            visits.append(Visit(packets, after, after, claim))
        return visits

    def _apart(self, visits: Sequence[Visit]) -> tuple[list[Visit], list[Visit]]:
        """Split visits into those whose packets cannot come by another, and those that share some."""
        unions = [
            list(accumulate((visit.claim for visit in order), self._store.either, initial=self._store.none))
            for order in (visits, visits[::-1])
        ]
        others = [self._store.either(*pair) for pair in zip(unions[0][:-1], unions[1][-2::-1], strict=True)]
        alone: list[Visit] = []
        twice: list[Visit] = []
        for visit, other in zip(visits, others, strict=True):
            (twice if self._meet(visit.claim, other) else alone).append(visit)
        return alone, twice

    def _overlaid(self, parts: Sequence[Node]) -> Node:
        """One diagram of several that are defined for different packets."""
        if len(parts) < 2:
            return parts[0] if parts else self._store.none
        half = len(parts) // 2
        return self._over(self._overlaid(parts[:half]), self._overlaid(parts[half:]))

    def _down(self, segment: Segment, arriving: Sequence[Visit]) -> None:
        matched = self._compiler.matched(segment)
        visits = [self._within(segment, matched, visit) for visit in arriving if self._meet(visit.packets, matched)]
        if not visits:
            return
        if segment.leaf is not None:
            self._leaf(segment.leaf, visits)
        if segment.halves is not None:
            left, right = segment.halves
            self._down(left, [self._before(right, visit) for visit in visits])
            self._down(right, [self._behind(left, visit) for visit in visits])

    def _within(self, segment: Segment, matched: Node, visit: Visit) -> Visit:
        """Restrict a visit to the packets that matter: small sets are cheap."""
        packets = self._store.both(visit.packets, matched)
        claim = self._store.both(visit.claim, matched) if segment.calls else packets
        after = self._store.select(claim, visit.after)
        end = self._store.select(claim, visit.end) if segment.returns else visit.end
        return Visit(packets, after, end, claim)

    def _before(self, segment: Segment, visit: Visit) -> Visit:
        """The part before a segment: its fate includes the segment."""
        after = self._compiler.then(segment.diagram, visit.after)
        if segment.returns:
            after = self._returning(after, visit.end)
        return Visit(visit.packets, after, visit.end, visit.claim)

    def _behind(self, segment: Segment, visit: Visit) -> Visit:
        """The part after a segment: the packets that it lets pass."""
        packets = self._compiler.through(visit.packets, segment.diagram)
        return Visit(packets, visit.after, visit.end, visit.claim)

    def _leaf(self, leaf: Leaf, visits: Sequence[Visit]) -> None:
        self.rule(leaf, visits)
        target = leaf.placed.rule.target
        if target is not None and leaf.acts and target.name in self._sent:
            for visit in visits:
                after = visit.end if target.goto else visit.after
                claim = visit.claim if self.claims else visit.packets
                self._sent[target.name].append(Visit(visit.packets, after, after, claim))

    def _plain_over(self, first: Node, second: Node) -> Node | None:
        if first in (self._store.none, second):
            return second
        return first if second == self._store.none or self._store.is_leaf(first) else None

    def _plain_returning(self, fate: Node, end: Node) -> Node | None:
        """The end of the chain in place of RETURN."""
        if not self._store.is_leaf(fate):
            return None
        if fate == self._store.none or not self._compiler.outcome(fate).possibly & Verdict.RETURN:
            return fate
        if end == self._store.none:
            return end
        if not self._store.is_leaf(end):
            return None
        passing = renamed(self._compiler.outcome(fate), Verdict.RETURN, Verdict.PASS)
        return self._store.leaf(then(passing, self._compiler.outcome(end)))

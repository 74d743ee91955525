"""Redundant rules: those whose packets would have the same fate without them, given what follows."""

from __future__ import annotations

from rules.chain_diagrams import Compiled, Compiler, Leaf, Segment
from rules.diagrams import Binary, Node
from rules.model import Table
from rules.outcomes import Place, Placed, Verdict, renamed, sure, then
from rules.reachability_dead import Arrivals

# RETURN at the end of a chain and jumps to chains that decide nothing yet are good style.
_VERDICTS = ("ACCEPT", "DROP", "REJECT")


class Redundancy:
    """Goes through the segments of each chain with the fate that packets have after them."""

    def __init__(self, compiler: Compiler, table: Table, dead: frozenset[Place]) -> None:
        self.compiler = compiler
        self.store = compiler.store
        self.chains = compiler.compile(table, dead)
        self.arrivals = Arrivals(compiler, self.chains)
        self._found: dict[Place, Placed] = {}
        # A fate that depends on who called the chain.
        self._depends = self.store.leaf(sure(Verdict.CALLER))
        self._merge = Binary(self.store, self._plain_merge)
        self._returning = Binary(self.store, self._plain_returning)
        self._after: dict[str, list[Node]] = {}

    def run(self) -> tuple[Placed, ...]:
        """The redundant rules in the order of the chains: each can be removed alone, not always all together."""
        for name in reversed(self.chains):
            compiled = self.chains[name]
            end = self._end(compiled)
            if compiled.segment is not None:
                self._visit(compiled.segment, end, end)
        return tuple(
            self._found[place]
            for name, compiled in self.chains.items()
            for number in range(1, len(compiled.chain.rules) + 1)
            if (place := Place(name, number)) in self._found
        )

    def _end(self, compiled: Compiled) -> Node:
        """The fate of packets at the end of a chain."""
        if compiled.chain.policy is not None:
            return self.compiler.policy(compiled.chain)
        joined = self.store.none
        for node in self._after.get(compiled.chain.name, []):
            joined = self._merge(joined, node)
        return joined

    def _visit(self, segment: Segment, after: Node, end: Node) -> None:
        """``after``: the fate of what this segment lets pass; ``end``: of what leaves the chain."""
        after, end = self.store.select(segment.matches, after), self.store.select(segment.matches, end)
        if segment.leaf is not None:
            self._rule(segment.leaf, after, end)
        elif segment.halves is not None:
            left, right = segment.halves
            self._visit(right, after, end)
            meeting = self.store.select(left.matches, right.diagram)
            self._visit(left, self._fate(meeting, after, end), end)

    def _rule(self, leaf: Leaf, after: Node, end: Node) -> None:
        packets, target = self.arrivals.hits[leaf.placed.place], leaf.placed.rule.target
        if not leaf.acts or packets == self.store.none or target is None:
            return
        with_rule = self._fate(self.store.select(packets, leaf.diagram), after, end)
        without = self.store.select(packets, after)
        if with_rule == without and target.name in _VERDICTS:
            self._found[leaf.placed.place] = leaf.placed
        if target.name in self.chains:
            following = self.store.select(packets, end) if target.goto else without
            self._after.setdefault(target.name, []).append(following)

    def _fate(self, diagram: Node, after: Node, end: Node) -> Node:
        return self._returning(self.compiler.then(diagram, after), end)

    def _plain_merge(self, a: Node, b: Node) -> Node | None:
        if a in (self.store.none, b):
            return b
        if b == self.store.none:
            return a
        return self._depends if self.store.is_leaf(a) and self.store.is_leaf(b) else None

    def _plain_returning(self, fate: Node, end: Node) -> Node | None:
        """The end of the chain in place of RETURN."""
        if not self.store.is_leaf(fate):
            return None
        if fate == self.store.none or not self.compiler.outcome(fate).possibly & Verdict.RETURN:
            return fate
        if end == self.store.none or not self.store.is_leaf(end):
            return end if end == self.store.none else None
        passing = renamed(self.compiler.outcome(fate), Verdict.RETURN, Verdict.PASS)
        return self.store.leaf(then(passing, self.compiler.outcome(end)))

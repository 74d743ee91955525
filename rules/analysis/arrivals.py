"""Which packets reach the chains and rules of a table: one pass over the segments of each chain, callers first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rules.analysis.outside import possible
from rules.packets.chains import Compiled, Compiler, Leaf, Segment
from rules.packets.diagrams import Node
from rules.packets.outcomes import Place


@dataclass(frozen=True, slots=True)
class Arrivals:
    """``entering``: the packets that may enter each chain.

    ``dead``: the indexes, from 0, of rules that match no packet. Unknown matches may match or not. ``noticed``: the
    packets that may match each of the rules asked about.
    """

    compiler: Compiler
    chains: dict[str, Compiled]
    entering: dict[str, Node]
    dead: dict[str, frozenset[int]]
    noticed: dict[Place, Node]


def arrivals(
    compiler: Compiler, chains: dict[str, Compiled], notices: Callable[[Leaf], bool] = lambda _leaf: False
) -> Arrivals:
    """Follow all packets through the chains of one table. ``notices``: selects the rules asked about."""
    found = _Walk(compiler, chains, notices)
    for name in reversed(chains):
        found.walk(name)
    dead = {name: frozenset(numbers) for name, numbers in found.dead.items()}
    return Arrivals(compiler, chains, found.entering, dead, found.noticed)


class _Walk:
    def __init__(self, compiler: Compiler, chains: dict[str, Compiled], notices: Callable[[Leaf], bool]) -> None:
        self.compiler = compiler
        self.chains = chains
        self.notices = notices
        self.noticed: dict[Place, Node] = {}
        self.entering: dict[str, Node] = {}
        self.dead: dict[str, list[int]] = {name: [] for name in chains}
        self._sent: dict[str, list[Node]] = {name: [] for name in chains}

    def walk(self, name: str) -> None:
        """Follow the packets through a chain; the chains that call it must have been walked before."""
        chain = self.chains[name]
        if chain.chain.policy is not None:
            self.entering[name] = possible(self.compiler, name)
        else:
            self.entering[name] = self.compiler.store.union(self._sent[name])
        if chain.segment is not None:
            self._visit(chain.segment, self.entering[name], self.dead[name])

    def _visit(self, segment: Segment, arriving: Node, dead: list[int]) -> None:
        packets = self.compiler.store.both(arriving, self.compiler.matched(segment))
        if packets == self.compiler.store.none:
            dead += range(segment.first, segment.first + segment.size)
        elif segment.halves is not None:
            left, right = segment.halves
            self._visit(left, packets, dead)
            self._visit(right, self.compiler.through(packets, left.diagram), dead)
        elif segment.leaf is not None:
            if self.notices(segment.leaf):
                self.noticed[segment.leaf.placed.place] = packets
            target = segment.leaf.placed.rule.target
            if segment.leaf.acts and target is not None and target.name in self._sent:
                self._sent[target.name].append(packets)

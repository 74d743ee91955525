"""Reachable services: from which sources a first packet to which protocol and port may be accepted."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from rules.chain_diagrams import Compiler
from rules.diagram_operations import binary
from rules.diagrams import Diagrams, Node
from rules.intervals import Intervals
from rules.outcomes import Place, Verdict
from rules.packets import Field

# Whether some packet is surely, and possibly, accepted; and the rules to blame where that differs.
Answer = tuple[bool, bool, tuple[Place, ...]]


class Reach:
    """Which sources reach which services, as sets of protocols, services and sources.

    ``surely``, ``possibly``: some packet of those ``packets`` is accepted; they differ where unknown matches decide.
    """

    def __init__(self, compiler: Compiler, decided: Node, packets: Node) -> None:
        self._compiler = compiler
        self.store: Diagrams = compiler.store
        self._depth = self.store.start[Field.DESTINATION]
        self._answers: dict[Node, Answer] = {}
        self._doubts: dict[Node, Answer] = {}
        self.diagram = binary(self.store, self._plain)(packets, decided)
        self.surely = self._where(lambda answer: answer[0])
        self.possibly = self._where(lambda answer: answer[1])

    def doubts(self) -> dict[tuple[Place, ...], Node]:
        """What is possibly but not surely reachable, by the rules to blame."""
        blamed = dict.fromkeys(blame for _, _, blame in self._doubts.values())
        return {blame: self._where(partial(_blames, blame)) for blame in blamed}

    def _plain(self, packets: Node, decided: Node) -> Node | None:
        """Whether any of these packets, which differ in what is not asked for, is accepted."""
        if packets == self.store.none:
            return packets
        if self.store.level[packets] < self._depth or self.store.level[decided] < self._depth:
            return None
        answer = self._answer(self.store.select(packets, decided))
        surely, possibly, blame = answer
        if surely or not possibly:
            return self.store.leaf(surely)
        leaf = self.store.leaf(("doubt", blame))
        self._doubts[leaf] = answer
        return leaf

    def _answer(self, node: Node) -> Answer:
        """The answer for all packets that a node tells apart."""
        found = self._answers.get(node)
        if found is not None:
            return found
        if node == self.store.none:
            return False, False, ()
        if self.store.is_leaf(node):
            outcome = self._compiler.outcome(node)
            possibly = bool(outcome.possibly & Verdict.ACCEPT)
            found = bool(outcome.surely & Verdict.ACCEPT), possibly, outcome.blame if possibly else ()
        else:
            below = [self._answer(kid) for kid in dict.fromkeys(self.store.kids[node])]
            surely, possibly = any(one[0] for one in below), any(one[1] for one in below)
            blame = sorted({place for one in below for place in one[2]}, key=lambda place: (place.chain, place.number))
            found = surely, possibly, () if surely else tuple(blame)
        self._answers[node] = found
        return found

    def _where(self, test: Callable[[Answer], bool]) -> Node:
        if not self._doubts:
            return self.diagram
        leaves = {leaf: self.store.leaf(test(answer)) for leaf, answer in self._doubts.items()}
        return self.store.map(self.diagram, lambda leaf: leaves.get(leaf, leaf))


def _blames(blame: tuple[Place, ...], answer: Answer) -> bool:
    return answer[2] == blame


def sources_of(store: Diagrams, node: Node) -> Intervals:
    """The sources in a set that looks at nothing else."""
    return tuple((first, last) for first, last, kid in store.spans(node, Field.SOURCE) if kid == store.all)


def served(_first: int, last: int) -> bool:
    """Whether an interval has any port but 0, which cannot be served."""
    return last > 0


def reaching_all(store: Diagrams, node: Node, protocol: int, only: Callable[[int, int], bool] | None = None) -> Node:
    """The sources that reach every service of a protocol, of those intervals of services that count."""
    found = store.all
    for start, end, services in store.spans(node, Field.PROTOCOL):
        if start <= protocol <= end:
            for first, last, sources in store.spans(services, Field.SERVICE):
                if only is None or only(first, last):
                    found = store.both(found, sources)
    return found


def reaching_any_of_each(store: Diagrams, node: Node) -> Node:
    """The sources that reach, in every protocol, at least one service."""
    found = store.all
    for _, _, services in store.spans(node, Field.PROTOCOL):
        kinds = {sources for _, _, sources in store.spans(services, Field.SERVICE)}
        found = store.both(found, store.union(sorted(kinds)))
    return found

"""Reachable services: from which sources a first packet to which protocol and port may be accepted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from rules.chain_diagrams import Compiler
from rules.diagrams import Diagrams, Node
from rules.intervals import Intervals
from rules.outcomes import Place, Verdict
from rules.packets import Field


@dataclass(frozen=True, slots=True)
class Answer:
    """``surely``, ``possibly``: some packet is accepted; they differ where unknown matches decide, then ``blame``."""

    surely: bool
    possibly: bool
    blame: tuple[Place, ...] = ()


class Reach:
    """Which sources reach which services: a diagram of protocol, service and source, its leaves are answers."""

    def __init__(self, compiler: Compiler, decided: Node, packets: Node) -> None:
        self._compiler = compiler
        self.store: Diagrams = compiler.store
        self._answers: dict[Node, Answer] = {}
        selected = self.store.select(packets, decided)
        self.diagram = self.store.map(selected, self._answer, self.store.start[Field.DESTINATION])
        self.surely = self._where(lambda answer: answer.surely)
        self.possibly = self._where(lambda answer: answer.possibly)

    def doubts(self) -> dict[tuple[Place, ...], Node]:
        """What is possibly but not surely reachable, by the rules to blame."""
        blamed = {
            answer.blame: None
            for leaf in sorted(self.store.leaves(self.diagram))
            if (answer := self._answers[leaf]).possibly and not answer.surely
        }
        return {blame: self._where(partial(_doubted_by, blame)) for blame in blamed}

    def _answer(self, node: Node) -> Node:
        """Whether any packet of those that the node tells apart is accepted."""
        outcomes = [self._compiler.outcome(leaf) for leaf in self.store.leaves(node) if leaf != self.store.none]
        surely = any(outcome.surely & Verdict.ACCEPT for outcome in outcomes)
        possibly = any(outcome.possibly & Verdict.ACCEPT for outcome in outcomes)
        blame = {
            place: None
            for outcome in sorted(outcomes, key=lambda one: one.blame)
            if outcome.possibly & Verdict.ACCEPT
            for place in outcome.blame
        }
        answer = Answer(surely, possibly, tuple(blame) if possibly and not surely else ())
        leaf = self.store.leaf(answer)
        self._answers[leaf] = answer
        return leaf

    def _where(self, test: Callable[[Answer], bool]) -> Node:
        return self.store.map(self.diagram, lambda leaf: self.store.leaf(test(self._answers[leaf])))


def _doubted_by(blame: tuple[Place, ...], answer: Answer) -> bool:
    return answer.possibly and not answer.surely and answer.blame == blame


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

"""Reachable services: from which sources a first packet to which protocol and port may be accepted."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rules.packets.chains import Compiler
from rules.packets.diagrams import Diagrams, Node
from rules.packets.operations import binary
from rules.packets.outcomes import Place, Verdict
from rules.packets.packet import Field
from rules.values.intervals import Intervals

# The most rules named as the reason for an unknown answer.
BLAMED = 3
# If there are more different reasons than this, they are named once for all.
_REASONS = 100
Blame = tuple[Place, ...]


class Reach:
    """Which sources reach which services, as sets of protocols, services and sources.

    ``surely``, ``possibly``: some packet of ``packets`` is accepted. They differ where unknown matches decide.
    """

    def __init__(self, compiler: Compiler, decided: Node, packets: Node) -> None:
        self.store: Diagrams = compiler.store
        self._depth = self.store.start[Field.SOURCE + 1]
        accepted = [
            self.store.both(packets, compiler.where(decided, Verdict.ACCEPT, surely=surely)) for surely in (True, False)
        ]
        self.surely, self.possibly = map(self._reached, accepted)
        self._doubtful = self.store.minus(accepted[1], accepted[0])

    def doubts(self, unknown: Callable[[], Mapping[Place, Node]]) -> dict[Blame, Node]:
        """What is possibly but not surely reachable, by the rules responsible.

        ``unknown``: the rules that are not understood, with the packets that reach them and may match.
        """
        store = self.store
        doubtful = store.minus(self.possibly, self.surely)
        if doubtful == store.none:
            return {}
        blamed = []
        for place, packets in sorted(unknown().items(), key=lambda one: (one[0].chain, one[0].number)):
            reached = store.both(doubtful, self._reached(store.both(packets, self._doubtful)))
            if reached != store.none:
                blamed.append(self._named(reached, place))
        join = binary(store, self._joined)
        while len(blamed) > 1:
            pairs = [blamed[at : at + 2] for at in range(0, len(blamed), 2)]
            blamed = [join(*pair) if len(pair) > 1 else pair[0] for pair in pairs]
        # No rule is responsible if nothing is in doubt.
        leaves = {store.value(leaf): leaf for leaf in store.leaves(blamed[0])} if blamed else {}
        reasons = [value for value in leaves if isinstance(value, tuple) and value]
        if len(reasons) > _REASONS:
            return {tuple(dict.fromkeys(place for blame in sorted(reasons, key=str) for place in blame)): doubtful}
        found = {blame: self._where(blamed[0], leaves[blame]) for blame in reasons}
        rest = store.minus(doubtful, store.union(sorted(found.values())))
        return found if rest == store.none else {**found, (): rest}

    def _named(self, reached: Node, place: Place) -> Node:
        return self.store.map(reached, lambda leaf: self.store.leaf((place,) if leaf == self.store.all else ()))

    def _where(self, node: Node, wanted: Node) -> Node:
        return self.store.map(node, lambda leaf: self.store.leaf(leaf == wanted))

    def _reached(self, packets: Node) -> Node:
        """The services and sources of a set of packets."""
        return self.store.map(packets, lambda node: self.store.leaf(node != self.store.none), self._depth)

    def _joined(self, one: Node, other: Node) -> Node | None:
        store = self.store
        if not (store.is_leaf(one) and store.is_leaf(other)):
            return None
        first, second = store.value(one), store.value(other)
        assert isinstance(first, tuple)
        assert isinstance(second, tuple)
        return store.leaf(tuple(dict.fromkeys((*first, *second)))[:BLAMED])


def sources_of(store: Diagrams, node: Node) -> Intervals:
    """The sources in a set that tests no other field."""
    return tuple((first, last) for first, last, kid in store.spans(node, Field.SOURCE) if kid == store.all)


def served(_first: int, last: int) -> bool:
    """Whether an interval has any port except 0, on which no service can listen."""
    return last > 0


def reaching_all(store: Diagrams, node: Node, protocol: int, only: Callable[[int, int], bool] | None = None) -> Node:
    """The sources that reach every service of a protocol; with ``only``, every service in the intervals it selects."""
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

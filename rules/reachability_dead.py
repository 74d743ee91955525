"""Rules that never match, and by which rules they are shadowed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rules.chain_diagrams import Compiled, Compiler, Leaf, Segment
from rules.diagrams import Node
from rules.outcomes import Placed
from rules.reachability_arrivals import Arrivals


@dataclass(frozen=True, slots=True)
class Dead:
    """A rule that no packet matches. ``shadowed_by``: the rules that decide on all its packets before it."""

    placed: Placed
    shadowed_by: tuple[Placed, ...]
    reason: str


def dead_rules(arrivals: Arrivals) -> tuple[Dead, ...]:
    """Every rule that no packet matches, in the order of the chains."""
    return tuple(
        _explained(arrivals, compiled, index)
        for name, compiled in arrivals.chains.items()
        for index in sorted(arrivals.dead[name])
    )


def _explained(arrivals: Arrivals, compiled: Compiled, index: int) -> Dead:
    store, name = arrivals.compiler.store, compiled.chain.name
    leaf, entering = compiled.leaves[index], arrivals.entering[name]
    matches = arrivals.compiler.matching(leaf.predicate)
    wanted = store.both(entering, matches)
    if matches == store.none:
        return Dead(leaf.placed, (), "its matches exclude each other")
    if entering == store.none:
        return Dead(leaf.placed, (), f"no packet gets to chain {name}")
    if wanted == store.none:
        return Dead(leaf.placed, (), f"no packet that gets to chain {name} matches it")
    return Dead(leaf.placed, _shadows(arrivals.compiler, compiled, index, wanted), "decided before")


def _shadows(compiler: Compiler, compiled: Compiled, index: int, wanted: Node) -> tuple[Placed, ...]:
    """The first rule that takes all of ``wanted``, or else the rules that take it together."""
    takers = []
    rest = wanted
    for earlier in _taking(compiler, compiled.segment, wanted, index):
        if compiler.through(wanted, earlier.diagram) == compiler.store.none:
            return (earlier.placed,)
        left = compiler.through(rest, earlier.diagram)
        if left != rest:
            takers.append(earlier.placed)
        rest = left
    return tuple(takers)


def _taking(compiler: Compiler, segment: Segment | None, packets: Node, before: int) -> Iterator[Leaf]:
    """The rules, in order and up to a number, that decide on some of the packets."""
    if segment is None or segment.first >= before or compiler.through(packets, segment.diagram) == packets:
        return
    if segment.leaf is not None:
        yield segment.leaf
    elif segment.halves is not None:
        for half in segment.halves:
            yield from _taking(compiler, half, packets, before)

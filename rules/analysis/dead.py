"""Rules that never match, and by which rules they are shadowed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from rules.analysis.arrivals import Arrivals
from rules.packets.chains import Compiled, Compiler, Leaf, Segment
from rules.packets.diagrams import Node
from rules.packets.outcomes import Placed


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
    # A rule that takes all takes any one packet: few do.
    one = compiler.store.some(wanted, Random(index))  # noqa: S311 -- the same answer each time

    for earlier in _taking(compiled.segment, index, lambda diagram: not compiler.passes(diagram, one)):
        if compiler.through(wanted, earlier.diagram) == compiler.store.none:
            return (earlier.placed,)
    takers = []
    rest = wanted
    for earlier in _taking(compiled.segment, index, lambda diagram: compiler.through(wanted, diagram) != wanted):
        left = compiler.through(rest, earlier.diagram)
        if left != rest:
            takers.append(earlier.placed)
        rest = left
    return tuple(takers)


def _taking(segment: Segment | None, before: int, takes: Callable[[Node], bool]) -> Iterator[Leaf]:
    """The rules, in order and up to a number, whose diagrams take what is asked about."""
    if segment is None or segment.first >= before or not takes(segment.diagram):
        return
    if segment.leaf is not None:
        yield segment.leaf
    elif segment.halves is not None:
        for half in segment.halves:
            yield from _taking(half, before, takes)

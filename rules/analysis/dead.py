"""Rules that never match, and the rules that shadow them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from rules.analysis.arrivals import Arrivals
from rules.packets.chains import Compiled, Compiler, Leaf, Segment
from rules.packets.diagrams import Node
from rules.packets.outcomes import Placed


@dataclass(frozen=True, slots=True)
class Dead:
    """A rule that matches no packet. ``shadowed_by``: the earlier rules that decide on all its packets."""

    placed: Placed
    shadowed_by: tuple[Placed, ...]
    reason: str


def dead_rules(arrivals: Arrivals) -> tuple[Dead, ...]:
    """Every rule that matches no packet, in chain order."""
    return tuple(
        _explained(arrivals, compiled, index, living)
        for name, compiled in arrivals.chains.items()
        for living in [sorted(set(range(len(compiled.leaves))) - set(arrivals.dead[name]))]
        for index in sorted(arrivals.dead[name])
    )


def _explained(arrivals: Arrivals, compiled: Compiled, index: int, living: Sequence[int]) -> Dead:
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
    before = living[: bisect_left(living, index)]
    return Dead(leaf.placed, _shadows(arrivals.compiler, compiled, before, wanted), "decided before")


def _shadows(compiler: Compiler, compiled: Compiled, before: Sequence[int], wanted: Node) -> tuple[Placed, ...]:
    """Among the rules ``before``: the first that decides on all of ``wanted``, or else those that do so together."""
    # A rule that decides on all of them decides on any single packet, which few rules do.
    one = compiler.store.some(wanted, Random(len(before)))  # noqa: S311 -- the same answer each time

    for earlier in _taking(compiled.segment, before, lambda diagram: not compiler.passes(diagram, one)):
        if compiler.through(wanted, earlier.diagram) == compiler.store.none:
            return (earlier.placed,)
    takers = []
    rest = wanted
    for earlier in _taking(compiled.segment, before, lambda diagram: compiler.through(wanted, diagram) != wanted):
        left = compiler.through(rest, earlier.diagram)
        if left != rest:
            takers.append(earlier.placed)
        rest = left
    return tuple(takers)


def _taking(segment: Segment | None, among: Sequence[int], takes: Callable[[Node], bool]) -> Iterator[Leaf]:
    """The rules with these indexes, in order, whose diagrams satisfy ``takes``."""
    if segment is None or not among:
        return
    here = among[bisect_left(among, segment.first) : bisect_left(among, segment.first + segment.size)]
    if not here or not takes(segment.diagram):
        return
    if segment.leaf is not None:
        yield segment.leaf
    elif segment.halves is not None:
        for half in segment.halves:
            yield from _taking(half, here, takes)

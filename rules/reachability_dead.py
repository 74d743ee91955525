"""Rules that never match, and by which rules they are shadowed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from rules.chain_diagrams import Compiled, Compiler, Leaf, Segment
from rules.diagrams import Node
from rules.outcomes import Place, Placed
from rules.reachability_outside import possible


@dataclass(frozen=True, slots=True)
class Dead:
    """A rule that no packet matches. ``shadowed_by``: the rules that decide on all its packets before it."""

    placed: Placed
    shadowed_by: tuple[Placed, ...]
    reason: str


@dataclass
class Arrivals:
    """Which packets get to each chain and match each rule of a table, whatever unknown matches do."""

    compiler: Compiler
    chains: dict[str, Compiled]
    entering: dict[str, Node] = field(default_factory=dict)
    hits: dict[Place, Node] = field(default_factory=dict)
    _calls: dict[str, list[Node]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        store = self.compiler.store
        for name in reversed(self.chains):
            compiled = self.chains[name]
            builtin = compiled.chain.policy is not None
            packets = possible(self.compiler, name) if builtin else store.union(self._calls.get(name, []))
            self.entering[name] = packets
            if compiled.segment is not None:
                self._visit(compiled.segment, packets)

    def _visit(self, segment: Segment, packets: Node) -> None:
        packets = self.compiler.store.both(packets, segment.matches)
        if segment.leaf is not None:
            self.hits[segment.leaf.placed.place] = packets
            target = segment.leaf.placed.rule.target
            if target is not None and target.name in self.chains and packets != self.compiler.store.none:
                self._calls.setdefault(target.name, []).append(packets)
        elif segment.halves is not None:
            left, right = segment.halves
            self._visit(left, packets)
            rest = self.compiler.store.both(packets, right.matches)
            self._visit(right, self.compiler.through(rest, left.diagram))


def dead_rules(arrivals: Arrivals) -> tuple[Dead, ...]:
    """Every rule that no packet matches, in the order of the chains."""
    found = []
    for compiled in arrivals.chains.values():
        for leaf in _leaves(compiled.segment):
            if arrivals.hits[leaf.placed.place] == arrivals.compiler.store.none:
                found.append(_explained(arrivals, compiled, leaf))
    return tuple(found)


def _leaves(segment: Segment | None) -> Iterator[Leaf]:
    stack = [segment] if segment is not None else []
    while stack:
        at = stack.pop()
        if at.leaf is not None:
            yield at.leaf
        elif at.halves is not None:
            stack += reversed(at.halves)


def _explained(arrivals: Arrivals, compiled: Compiled, leaf: Leaf) -> Dead:
    store, name = arrivals.compiler.store, compiled.chain.name
    entering = arrivals.entering[name]
    wanted = store.both(entering, leaf.matches)
    if leaf.matches == store.none:
        return Dead(leaf.placed, (), "its matches exclude each other")
    if entering == store.none:
        return Dead(leaf.placed, (), f"no packet gets to chain {name}")
    if wanted == store.none:
        return Dead(leaf.placed, (), f"no packet that gets to chain {name} matches it")
    return Dead(leaf.placed, _shadows(arrivals.compiler, compiled, leaf, wanted), "decided before")


def _shadows(compiler: Compiler, compiled: Compiled, leaf: Leaf, wanted: Node) -> tuple[Placed, ...]:
    """The first rule that takes all of ``wanted``, or else the rules that take it together."""
    takers = []
    rest = wanted
    for earlier in _meeting(compiler, compiled.segment, wanted):
        if earlier.placed.place.number >= leaf.placed.place.number:
            break
        if compiler.through(wanted, earlier.diagram) == compiler.store.none:
            return (earlier.placed,)
        left = compiler.through(rest, earlier.diagram)
        if left != rest:
            takers.append(earlier.placed)
        rest = left
    return tuple(takers)


def _meeting(compiler: Compiler, segment: Segment | None, packets: Node) -> Iterator[Leaf]:
    """The rules, in order, that match some of the packets."""
    if segment is None or compiler.store.both(packets, segment.matches) == compiler.store.none:
        return
    if segment.leaf is not None:
        yield segment.leaf
    elif segment.halves is not None:
        for half in segment.halves:
            yield from _meeting(compiler, half, packets)

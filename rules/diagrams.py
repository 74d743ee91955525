"""Interval decision diagrams: functions of a packet's fields, shared, and in one form each.

A node looks at one field and has a child for each interval of its values; fields are looked at in a fixed order and
left out where they do not matter. Nodes are interned, so equal functions are the same number and comparing is free.
Bryant's binary diagrams ("Graph-Based Algorithms for Boolean Function Manipulation", 1986) with intervals in place of
bits, as in Gouda and Liu's firewall decision diagrams (2004). Sets are functions with the leaves False and True.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

from rules.intervals import Intervals

LEAF = 1 << 30
Node = int
# What a path through a diagram allows each field to be; a field that is not there may be anything.
Box = Mapping[int, Intervals]


class Diagrams:
    """A store of nodes. ``tops``: the highest value of each field, in the order in which fields are looked at."""

    def __init__(self, tops: Sequence[int]) -> None:
        self.tops = tuple(tops)
        self.level: list[int] = []
        self.ends: list[tuple[int, ...]] = []
        self.kids: list[tuple[Node, ...]] = []
        self._leaves: dict[Hashable, Node] = {}
        self._values: dict[Node, Hashable] = {}
        self._inner: dict[tuple[int, tuple[int, ...], tuple[Node, ...]], Node] = {}
        self.none, self.all = self.leaf(False), self.leaf(True)
        self.both = Binary(self, self._both)
        self.either = Binary(self, self._either)
        self.minus = Binary(self, self._minus)
        self.select = Binary(self, self._select)

    def leaf(self, value: Hashable) -> Node:
        """The constant function."""
        found = self._leaves.get(value)
        if found is None:
            found = self._leaves[value] = self._new(LEAF, (), ())
            self._values[found] = value
        return found

    def is_leaf(self, node: Node) -> bool:
        """Whether the function is constant."""
        return self.level[node] == LEAF

    def value(self, node: Node) -> Hashable:
        """The value of a leaf."""
        return self._values[node]

    def node(self, level: int, ends: Sequence[int], kids: Sequence[Node]) -> Node:
        """The function that is ``kids[i]`` where field ``level`` is above ``ends[i - 1]`` and at most ``ends[i]``.

        Neighbours must differ, and the last end be the top of the field.
        """
        if len(kids) == 1:
            return kids[0]
        key = level, tuple(ends), tuple(kids)
        found = self._inner.get(key)
        if found is None:
            found = self._inner[key] = self._new(*key)
        return found

    def box(self, box: Box, inside: Node, outside: Node) -> Node:
        """``inside`` where every field is in its intervals, ``outside`` elsewhere."""
        node = inside
        for level in sorted(box, reverse=True):
            ends: list[int] = []
            kids: list[Node] = []
            for first, last in box[level]:
                if first > 0:
                    ends.append(first - 1)
                    kids.append(outside)
                ends.append(last)
                kids.append(node)
            if not ends or ends[-1] < self.tops[level]:
                ends.append(self.tops[level])
                kids.append(outside)
            node = outside if node == outside else self.node(level, ends, kids)
        return node

    def union(self, nodes: Sequence[Node]) -> Node:
        """The union of sets, halved so that big ones meet big ones."""
        if len(nodes) < 2:
            return nodes[0] if nodes else self.none
        half = len(nodes) // 2
        return self.either(self.union(nodes[:half]), self.union(nodes[half:]))

    def at(self, node: Node, point: Sequence[int]) -> Hashable:
        """The value at one point, which gives every field."""
        while self.level[node] != LEAF:
            node = self.kids[node][bisect_left(self.ends[node], point[self.level[node]])]
        return self._values[node]

    def map(self, node: Node, change: Callable[[Node], Node], depth: int = LEAF) -> Node:
        """The diagram with ``change`` applied to its leaves, or to whatever begins at field ``depth`` or below."""
        done: dict[Node, Node] = {}

        def visit(at: Node) -> Node:
            if at not in done:
                deep = self.level[at] >= depth
                done[at] = change(at) if deep else self._rebuilt(at, [visit(kid) for kid in self.kids[at]])
            return done[at]

        return visit(node)

    def leaves(self, node: Node) -> set[Node]:
        """All leaves that a diagram has."""
        seen, stack = {node}, [node]
        while stack:
            for kid in self.kids[stack.pop()]:
                if kid not in seen:
                    seen.add(kid)
                    stack.append(kid)
        return {at for at in seen if self.level[at] == LEAF}

    def boxes(self, node: Node) -> Iterator[tuple[dict[int, Intervals], Node]]:
        """The diagram as disjoint boxes, each with its leaf, except where it is False."""
        if node == self.none:
            return
        if self.level[node] == LEAF:
            yield {}, node
            return
        branches: dict[Node, list[tuple[int, int]]] = {}
        start = 0
        for end, kid in zip(self.ends[node], self.kids[node], strict=True):
            branches.setdefault(kid, []).append((start, end))
            start = end + 1
        for kid, intervals in branches.items():
            for box, leaf in self.boxes(kid):
                yield {self.level[node]: tuple(intervals), **box}, leaf

    def pieces(self, node: Node, level: int) -> Iterator[tuple[int, int, Node]]:
        """The intervals of field ``level`` with what is below; the whole field when the node does not look at it."""
        if self.level[node] != level:
            yield 0, self.tops[level], node
            return
        start = 0
        for end, kid in zip(self.ends[node], self.kids[node], strict=True):
            yield start, end, kid
            start = end + 1

    def _new(self, level: int, ends: tuple[int, ...], kids: tuple[Node, ...]) -> Node:
        self.level.append(level)
        self.ends.append(ends)
        self.kids.append(kids)
        return len(self.level) - 1

    def _rebuilt(self, node: Node, kids: Sequence[Node]) -> Node:
        ends: list[int] = []
        merged: list[Node] = []
        for end, kid in zip(self.ends[node], kids, strict=True):
            if merged and merged[-1] == kid:
                ends[-1] = end
            else:
                ends.append(end)
                merged.append(kid)
        return self.node(self.level[node], ends, merged)

    def _both(self, a: Node, b: Node) -> Node | None:
        if self.none in (a, b):
            return self.none
        if a in (self.all, b):
            return b
        return a if b == self.all else None

    def _either(self, a: Node, b: Node) -> Node | None:
        if self.all in (a, b):
            return self.all
        if a in (self.none, b):
            return b
        return a if b == self.none else None

    def _minus(self, a: Node, b: Node) -> Node | None:
        if a in (self.none, b) or b == self.all:
            return self.none
        return a if b == self.none else None

    def _select(self, a: Node, b: Node) -> Node | None:
        if self.none in (a, b):
            return self.none
        return b if a == self.all else None


class Binary:
    """An operation on two diagrams, given by what it does where the answer is plain (always so for two leaves)."""

    def __init__(self, diagrams: Diagrams, plain: Callable[[Node, Node], Node | None]) -> None:
        self._diagrams = diagrams
        self._plain = plain
        self._memo: dict[tuple[Node, Node], Node] = {}

    def __call__(self, a: Node, b: Node) -> Node:
        plain = self._plain(a, b)
        if plain is not None:
            return plain
        found = self._memo.get((a, b))
        if found is None:
            found = self._memo[a, b] = self._combine(a, b)
        return found

    def _combine(self, a: Node, b: Node) -> Node:
        store = self._diagrams
        level_a, level_b = store.level[a], store.level[b]
        level = min(level_a, level_b)
        ends_a, kids_a = (store.ends[a], store.kids[a]) if level_a == level else ((store.tops[level],), (a,))
        ends_b, kids_b = (store.ends[b], store.kids[b]) if level_b == level else ((store.tops[level],), (b,))
        ends: list[int] = []
        kids: list[Node] = []
        i = j = 0
        while i < len(ends_a):
            kid = self(kids_a[i], kids_b[j])
            end_a, end_b = ends_a[i], ends_b[j]
            end = end_a if end_a <= end_b else end_b
            if kids and kids[-1] == kid:
                ends[-1] = end
            else:
                ends.append(end)
                kids.append(kid)
            i += end_a == end
            j += end_b == end
        return store.node(level, ends, kids)

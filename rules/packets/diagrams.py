"""Interval decision diagrams: functions of a packet's fields, shared and canonical.

A node tests one digit of a field and has a child for each interval of its values. Digits are tested in a fixed order
and skipped where they do not matter. Nodes are interned, so equal functions have the same number and comparing them is
free. These are Bryant's diagrams ("Graph-Based Algorithms for Boolean Function Manipulation", 1986) with intervals
instead of bits, as in Gouda and Liu's firewall decision diagrams (2004). Sets have the leaves False and True.

Wide fields (addresses) have several digits, the highest first. Sets of addresses that differ in a few networks then
share nearly all of their nodes, which keeps interleaved rules about sources and ports from multiplying.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from random import Random
from typing import Any

from rules.packets.layout import Layout, digit_tops
from rules.packets.operations import binary
from rules.values.intervals import Intervals

LEAF = 1 << 30
Node = int
# The values that a path through a diagram allows for each field; a missing field may have any value.
Box = Mapping[int, Intervals]


# The most nodes: about 2 GB of them.
MOST_NODES = 3_000_000


class TooIntricateError(ValueError):
    """There are more cases to distinguish than fit into memory."""


class Diagrams:
    """A store of nodes. ``fields``: in the order in which they are tested.

    ``most``: the most nodes in total, or within `apart`; :data:`MOST_NODES` by default. Creating more raises
    :class:`TooIntricateError`.
    """

    def __init__(self, fields: Sequence[Layout], most: int | None = None) -> None:
        self.fields = tuple(fields)
        self.allowed = MOST_NODES if most is None else most
        self.most = self.allowed
        # The first level of each field, and one past the last level of all.
        self.start = tuple(accumulate((len(field.shifts) for field in fields), initial=0))
        self.tops = tuple(top for field in fields for top in digit_tops(field))
        self._parts = [
            (number, shift, (1 << top.bit_length()) - 1)
            for number, field in enumerate(fields)
            for shift, top in zip(field.shifts, digit_tops(field), strict=True)
        ]
        self.level: list[int] = []
        self.ends: list[tuple[int, ...]] = []
        self.kids: list[tuple[Node, ...]] = []
        self._leaves: dict[Hashable, Node] = {}
        self._values: dict[Node, Hashable] = {}
        self._inner: dict[tuple[int, tuple[int, ...], tuple[Node, ...]], Node] = {}
        # Memoised results of operations, and whatever else refers to a node.
        self.memos: list[dict[Any, Node]] = []
        self.none, self.all = self.leaf(False), self.leaf(True)
        self.both = binary(self, self._both, kept=True)
        self.either = binary(self, self._either, kept=True)
        self.minus = binary(self, self._minus, kept=True)
        self.select = binary(self, self._select, kept=True)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Allow the full number of nodes for this block. If they are not enough, everything it created is discarded."""
        mark, most = len(self.level), self.most
        self.most = mark + self.allowed
        try:
            yield
        except TooIntricateError:
            self._forget(mark)
            raise
        finally:
            self.most = most

    def _forget(self, mark: int) -> None:
        """Restore the state before a node was created."""
        for nodes in (self.level, self.ends, self.kids):
            del nodes[mark:]
        self._leaves = {value: leaf for value, leaf in self._leaves.items() if leaf < mark}
        self._inner = {key: node for key, node in self._inner.items() if node < mark}
        for leaf in [leaf for leaf in self._values if leaf >= mark]:
            del self._values[leaf]
        for memo in self.memos:
            for key in [key for key, node in memo.items() if node >= mark or _newest(key) >= mark]:
                del memo[key]

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

        Adjacent children must differ, and the last end must be the top of the field.
        """
        if len(kids) == 1:
            return kids[0]
        key = level, tuple(ends), tuple(kids)
        found = self._inner.get(key)
        if found is None:
            found = self._inner[key] = len(self.level)
            if found >= self.most:
                raise TooIntricateError(f"the rules overlap in too many ways: more than {self.allowed} cases")
            self.level.append(level)
            self.ends.append(key[1])
            self.kids.append(key[2])
        return found

    def box(self, box: Box, inside: Node, outside: Node) -> Node:
        """``inside`` in the box, ``outside`` elsewhere; ``inside`` tests no field up to the last one of the box."""
        node = inside
        for field in sorted(box, reverse=True):
            node = self._field(self.start[field], self.fields[field].shifts, box[field], node, outside)
        return node

    def _field(self, level: int, shifts: Sequence[int], allowed: Intervals, inside: Node, outside: Node) -> Node:
        """The node for one digit, given the intervals of this and the lower digits."""
        shift = shifts[0]
        full = (1 << shift) - 1
        parts: dict[int, list[tuple[int, int]]] = {}
        runs: list[tuple[int, int, Node]] = []
        for first, last in allowed:
            low, high = first >> shift, last >> shift
            if low == high and (first & full or last & full != full):
                parts.setdefault(low, []).append((first & full, last & full))
                continue
            if first & full:
                parts.setdefault(low, []).append((first & full, full))
                low += 1
            if last & full != full:
                parts.setdefault(high, []).append((0, last & full))
                high -= 1
            if low <= high:
                runs.append((low, high, inside))
        for digit, lower in parts.items():
            runs.append((digit, digit, self._field(level + 1, shifts[1:], tuple(lower), inside, outside)))
        return self.filled(level, sorted(runs), outside)

    def filled(self, level: int, runs: Sequence[tuple[int, int, Node]], outside: Node) -> Node:
        """A node from runs of values with their children, and ``outside`` between them."""
        ends: list[int] = []
        kids: list[Node] = []
        for first, last, kid in (*runs, (self.tops[level] + 1, self.tops[level], outside)):
            start = ends[-1] + 1 if ends else 0
            for end, child in ((first - 1, outside), (last, kid)):
                if end < start:
                    continue
                if kids and kids[-1] == child:
                    ends[-1] = end
                else:
                    ends.append(end)
                    kids.append(child)
                start = end + 1
        return self.node(level, ends, kids)

    def union(self, nodes: Sequence[Node]) -> Node:
        """The union of sets, built by halves so that large sets meet large ones."""
        if len(nodes) < 2:
            return nodes[0] if nodes else self.none
        half = len(nodes) // 2
        return self.either(self.union(nodes[:half]), self.union(nodes[half:]))

    def digits(self, point: Sequence[int]) -> tuple[int, ...]:
        """All digits of a point that has a value for every field."""
        return tuple(point[field] >> shift & top for field, shift, top in self._parts)

    def at(self, node: Node, digits: Sequence[int]) -> Hashable:
        """The value at one point, given by its digits."""
        while self.level[node] != LEAF:
            node = self.kids[node][bisect_left(self.ends[node], digits[self.level[node]])]
        return self._values[node]

    def map(self, node: Node, change: Callable[[Node], Node], depth: int = LEAF) -> Node:
        """The diagram with ``change`` applied to its leaves, or to every node at level ``depth`` or below."""
        done: dict[Node, Node] = {}

        def visit(at: Node) -> Node:
            if at not in done:
                deep = self.level[at] >= depth
                done[at] = change(at) if deep else self._rebuilt(at, [visit(kid) for kid in self.kids[at]])
            return done[at]

        return visit(node)

    def some(self, node: Node, random: Random) -> tuple[int, ...]:
        """The digits of a random point of a non-empty set; digits that the set leaves open are random too."""
        digits = [random.randint(0, top) for top in self.tops]
        while self.level[node] != LEAF:
            ends, kids = self.ends[node], self.kids[node]
            chosen = random.choice([place for place, kid in enumerate(kids) if kid != self.none])
            digits[self.level[node]] = random.randint(ends[chosen - 1] + 1 if chosen else 0, ends[chosen])
            node = kids[chosen]
        return tuple(digits)

    def leaves(self, node: Node) -> set[Node]:
        """All leaves of a diagram."""
        seen, stack = {node}, [node]
        while stack:
            for kid in self.kids[stack.pop()]:
                if kid not in seen:
                    seen.add(kid)
                    stack.append(kid)
        return {at for at in seen if self.level[at] == LEAF}

    def boxes(self, node: Node) -> Iterator[tuple[dict[int, Intervals], Node]]:
        """The diagram as disjoint boxes, each with its leaf; boxes where it is False are omitted."""
        if node == self.none:
            return
        if self.level[node] == LEAF:
            yield {}, node
            return
        branches: dict[Node, list[tuple[int, int]]] = {}
        field = bisect_right(self.start, self.level[node]) - 1
        for first, last, kid in self.spans(node, field):
            branches.setdefault(kid, []).append((first, last))
        for kid, intervals in branches.items():
            for box, leaf in self.boxes(kid):
                yield {field: tuple(intervals), **box}, leaf

    def spans(self, node: Node, field: int) -> Iterator[tuple[int, int, Node]]:
        """The intervals of a field, ascending, with the diagram below each; adjacent ones differ."""
        held: tuple[int, int, Node] | None = None
        for first, last, kid in self._spans(node, field, 0, 0):
            if held is not None and held[2] == kid:
                held = held[0], last, kid
                continue
            if held is not None:
                yield held
            held = first, last, kid
        if held is not None:
            yield held

    def _spans(self, node: Node, field: int, digit: int, base: int) -> Iterator[tuple[int, int, Node]]:
        level, shifts = self.start[field] + digit, self.fields[field].shifts
        if self.level[node] >= self.start[field + 1]:
            above = base + (1 << shifts[digit - 1]) - 1 if digit else self.fields[field].top
            yield base, above, node
            return
        shift, start = shifts[digit], 0
        looks = self.level[node] == level
        ends, kids = (self.ends[node], self.kids[node]) if looks else ((self.tops[level],), (node,))
        for end, kid in zip(ends, kids, strict=True):
            if self.level[kid] >= self.start[field + 1]:
                yield base + (start << shift), base + (end << shift) + (1 << shift) - 1, kid
            else:
                for value in range(start, end + 1):
                    yield from self._spans(kid, field, digit + 1, base + (value << shift))
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


def _newest(key: object) -> Node:
    """The newest node that a memoised entry refers to."""
    return max(key) if isinstance(key, tuple) else 0

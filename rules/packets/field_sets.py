"""The values of one field in a set of packets: how many, in how many ranges, and which. Counted without listing them.

A diagram that tests only one field can represent millions of ranges; counting visits each of its nodes once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rules.packets.diagrams import Diagrams, Node


@dataclass(frozen=True, slots=True)
class Count:
    """``values`` of ``size`` possible ones, in ``ranges`` separated by gaps; ``longest``: size of the largest range.

    ``first``, ``last``: how many consecutive values there are from the lowest possible value, and up to the highest.
    """

    values: int
    size: int
    ranges: int
    first: int
    last: int
    longest: int

    def __add__(self, above: Count) -> Count:
        touching = self.last > 0 and above.first > 0
        return Count(
            self.values + above.values,
            self.size + above.size,
            self.ranges + above.ranges - touching,
            self.first if self.first < self.size else self.size + above.first,
            above.last if above.last < above.size else above.size + self.last,
            max(self.longest, above.longest, self.last + above.first),
        )

    def __mul__(self, times: int) -> Count:
        if self.values == self.size:
            size = self.size * times
            return Count(size, size, 1, size, size, size)
        touching = (times - 1) * (self.last > 0 and self.first > 0)
        longest = max(self.longest, self.last + self.first if times > 1 else 0)
        return Count(
            self.values * times, self.size * times, self.ranges * times - touching, self.first, self.last, longest
        )


class FieldSets:
    """Counts and lists sets that test only one field."""

    def __init__(self, store: Diagrams, field: int) -> None:
        self._store = store
        self._field = field
        self._counts: dict[tuple[Node, int], Count] = {}

    def count(self, node: Node) -> Count:
        """The number of values in a set, and of its ranges."""
        return self._count(node, 0)

    def ranges(self, node: Node) -> Iterator[tuple[int, int]]:
        """The ranges of a set, ascending, generated lazily."""
        return ((first, last) for first, last, kid in self._store.spans(node, self._field) if kid == self._store.all)

    def has_highest(self, node: Node) -> bool:
        """Whether the highest value of the field is in the set."""
        while not self._store.is_leaf(node):
            node = self._store.kids[node][-1]
        return node == self._store.all

    def _count(self, node: Node, digit: int) -> Count:
        store, level = self._store, self._store.start[self._field] + digit
        key = node, digit
        found = self._counts.get(key)
        if found is not None:
            return found
        if store.is_leaf(node):
            size = self._size(digit)
            full = size if node == store.all else 0
            found = Count(full, size, int(full > 0), full, full, full)
        elif store.level[node] > level:
            found = self._count(node, digit + 1) * (store.tops[level] + 1)
        else:
            start = 0
            for end, kid in zip(store.ends[node], store.kids[node], strict=True):
                part = self._count(kid, digit + 1) * (end + 1 - start)
                found = part if found is None else found + part
                start = end + 1
        if found is None:
            raise ValueError("a node without children")
        self._counts[key] = found
        return found

    def _size(self, digit: int) -> int:
        """The number of values from one digit on."""
        layout = self._store.fields[self._field]
        return layout.top + 1 if digit == 0 else 1 << layout.shifts[digit - 1]

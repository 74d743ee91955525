"""Sets of integers as sorted, disjoint, closed intervals: the values that a field of a packet may have."""

from __future__ import annotations

from collections.abc import Iterable

# ((first, last), ...), ascending, never adjacent.
Intervals = tuple[tuple[int, int], ...]


def normal(pairs: Iterable[tuple[int, int]]) -> Intervals:
    """The union of any intervals, in order."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(pairs):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(last, merged[-1][1])
        else:
            merged.append((first, last))
    return tuple(merged)


def numbers(values: Iterable[int]) -> Intervals:
    """The set of these numbers."""
    return normal((value, value) for value in values)


def complement(intervals: Intervals, top: int) -> Intervals:
    """What remains of 0 to ``top``."""
    rest, start = [], 0
    for first, last in intervals:
        if first > start:
            rest.append((start, first - 1))
        start = last + 1
    if start <= top:
        rest.append((start, top))
    return tuple(rest)


def common(one: Intervals, other: Intervals) -> Intervals:
    """The intersection."""
    found, i, j = [], 0, 0
    while i < len(one) and j < len(other):
        first, last = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if first <= last:
            found.append((first, last))
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


def contains(intervals: Intervals, number: int) -> bool:
    """Whether the number is in one of the intervals."""
    return any(first <= number <= last for first, last in intervals)


def masked(value: int, mask: int, bits: int, most: int) -> Intervals | None:
    """The numbers of ``bits`` bits that equal ``value`` under ``mask``; None for more than ``most`` pieces."""
    tail = _tail(mask, bits)
    holes = [bit for bit in range(tail, bits) if not mask >> bit & 1]
    if 1 << len(holes) > most:
        return None
    pieces = []
    for choice in range(1 << len(holes)):
        start = value & mask
        for place, bit in enumerate(holes):
            start |= (choice >> place & 1) << bit
        pieces.append((start, start | (1 << tail) - 1))
    return normal(pieces)


def _tail(mask: int, bits: int) -> int:
    """How many of the lowest bits a mask leaves open."""
    return next((bit for bit in range(bits) if mask >> bit & 1), bits)

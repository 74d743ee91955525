"""The shortest list of inserts, replacements and deletions by number that turns one list of rules into another.

The guide does this by hand ("Insert, Replace or Delete iptables Rules"): positions count from 1, and each is valid when
its edit is carried out, after those before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Generic, TypeVar

T = TypeVar("T")
# Beyond this many edits the search takes seconds: its cost grows with the square of the number of edits.
SEARCH_LIMIT = 1000
# The operation, and its index in the new list.
_Step = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Insert(Generic[T]):
    """``-I CHAIN position rule``: afterwards the rule is at ``position``."""

    position: int
    rule: T


@dataclass(frozen=True, slots=True)
class Replace(Generic[T]):
    """``-R CHAIN position rule``."""

    position: int
    rule: T


@dataclass(frozen=True, slots=True)
class Delete:
    """``-D CHAIN position``."""

    position: int


Edit = Insert[T] | Replace[T] | Delete


def edit_script(
    old: Sequence[T], new: Sequence[T], key: Callable[[T], Hashable] | None = None
) -> tuple[Insert[T] | Replace[T] | Delete, ...]:
    """The fewest edits that turn ``old`` into ``new``; a replacement counts as one.

    Rules are the same if their ``key`` is equal (the rules themselves by default); unchanged rules are never touched.
    Up to :data:`SEARCH_LIMIT` edits, the script is the shortest possible (Landau and Vishkin: time grows with the
    length plus the square of the number of edits, so 10,000 rules with few differences take milliseconds). Beyond that
    it is correct but maybe not the shortest: it then follows ``difflib``'s longest common runs.
    """
    keys: dict[Hashable, int] = {}
    before = [keys.setdefault(key(rule) if key is not None else rule, len(keys)) for rule in old]
    after = [keys.setdefault(key(rule) if key is not None else rule, len(keys)) for rule in new]
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    middle_old, middle_new = before[start : len(before) - end], after[start : len(after) - end]
    steps = _smallest(middle_old, middle_new)
    return tuple(_edits(steps if steps is not None else _approximate(middle_old, middle_new), new, start))


def apply_edits(old: Sequence[T], edits: Sequence[Insert[T] | Replace[T] | Delete]) -> tuple[T, ...]:
    """``old`` after ``edits``. Raises :class:`IndexError` for a position that does not exist."""
    rules = list(old)
    for edit in edits:
        size = len(rules) + isinstance(edit, Insert)
        if not 1 <= edit.position <= size:
            raise IndexError(f"position {edit.position} of {len(rules)} rules")
        if isinstance(edit, Insert):
            rules.insert(edit.position - 1, edit.rule)
        elif isinstance(edit, Replace):
            rules[edit.position - 1] = edit.rule
        else:
            del rules[edit.position - 1]
    return tuple(rules)


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """Length of the common prefix."""
    length = min(len(first), len(second))
    for index in range(length):
        if first[index] != second[index]:
            return index
    return length


def _edits(steps: Iterable[_Step], new: Sequence[T], start: int) -> Iterator[Insert[T] | Replace[T] | Delete]:
    """Steps from left to right as edits; everything to the left of each already is as in ``new``."""
    for what, index in steps:
        if what == "insert":
            yield Insert(start + index + 1, new[start + index])
        elif what == "replace":
            yield Replace(start + index + 1, new[start + index])
        else:
            yield Delete(start + index + 1)


def _smallest(old: list[int], new: list[int]) -> list[_Step] | None:
    """The shortest script, or None if it is longer than :data:`SEARCH_LIMIT`.

    ``rows[distance][diagonal]`` is the furthest index of ``old`` reached on a diagonal (index in ``new`` minus index in
    ``old``) with that many edits.
    """
    shared = (Counter(old) & Counter(new)).total()
    if max(len(old), len(new)) - shared > SEARCH_LIMIT:
        return None
    goal = len(new) - len(old)
    rows: list[dict[int, int]] = []
    for distance in range(SEARCH_LIMIT + 1):
        row: dict[int, int] = {}
        last = rows[-1] if rows else {}
        for diagonal in range(max(-distance, -len(old)), min(distance, len(new)) + 1):
            found = _furthest(last, diagonal, min(len(old), len(new) - diagonal)) if rows else 0
            if found >= 0:
                row[diagonal] = _slide(old, new, found, diagonal)
        rows.append(row)
        if row.get(goal) == len(old):
            return _trace(rows, goal, len(old), len(new))
    return None


def _furthest(last: dict[int, int], diagonal: int, most: int) -> int:
    """How far one more edit of any kind gets on ``diagonal``; -1 if it is unreachable."""
    replaced = last.get(diagonal, -2) + 1
    inserted = last.get(diagonal - 1, -1)
    deleted = last.get(diagonal + 1, -2) + 1
    best = -1
    for reached in (replaced, inserted, deleted):
        if best < reached <= most:
            best = reached
    return best


def _origin(last: dict[int, int], diagonal: int, most: int) -> tuple[str, int, int]:
    """Which edit gets furthest on ``diagonal``, how far, and the diagonal it comes from."""
    best = _furthest(last, diagonal, most)
    # Replacements come last here and so first in the script: a rule that takes another's place replaces it.
    if last.get(diagonal - 1, -1) == best:
        return "insert", best, diagonal - 1
    if last.get(diagonal + 1, -2) + 1 == best:
        return "delete", best, diagonal + 1
    return "replace", best, diagonal


def _slide(old: list[int], new: list[int], index: int, diagonal: int) -> int:
    """Advance over equal rules."""
    while index < len(old) and index + diagonal < len(new) and old[index] == new[index + diagonal]:
        index += 1
    return index


def _trace(rows: list[dict[int, int]], goal: int, old_size: int, new_size: int) -> list[_Step]:
    """The steps that lead to the goal, from left to right."""
    steps: list[_Step] = []
    diagonal = goal
    for last in rows[-2::-1]:
        what, reached, before = _origin(last, diagonal, min(old_size, new_size - diagonal))
        steps.append((what, reached + diagonal - (what != "delete")))
        diagonal = before
    return steps[::-1]


def _approximate(old: list[int], new: list[int]) -> Iterator[_Step]:
    """A correct script for sequences with more differences than the search allows."""
    for tag, low, high, new_low, new_high in SequenceMatcher(None, old, new).get_opcodes():
        if tag == "equal":
            continue
        both = min(high - low, new_high - new_low)
        yield from (("replace", new_low + offset) for offset in range(both))
        yield from (("delete", new_low + both) for _index in range(low + both, high))
        yield from (("insert", index) for index in range(new_low + both, new_high))

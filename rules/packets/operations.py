"""Operations on two diagrams: defined by their trivial cases, applied recursively and memoised.

Written for speed: the analysis of large rulesets spends its time in these few loops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rules.packets.diagrams import Diagrams, Node

Plain = Callable[["Node", "Node"], "Node | None"]
Operation = Callable[["Node", "Node"], "Node"]


def binary(diagrams: Diagrams, plain: Plain, *, kept: bool = False) -> Operation:  # noqa: PLR0915 -- calls cost more than lines here
    """An operation on the diagrams of a store. ``plain``: the answer in trivial cases; two leaves always are one.

    ``kept``: it lives as long as the store, so its memo must discard what the store discards.
    """
    levels, all_ends, all_kids, tops, node = diagrams.level, diagrams.ends, diagrams.kids, diagrams.tops, diagrams.node
    memo: dict[tuple[Node, Node], Node] = {}
    if kept:
        diagrams.memos.append(memo)

    def operate(a: Node, b: Node) -> Node:
        found = plain(a, b)
        if found is not None:
            return found
        found = memo.get((a, b))
        if found is not None:
            return found
        level, level_b = levels[a], levels[b]
        ends: list[int] = []
        kids: list[Node] = []
        last = None
        if level != level_b:
            if level < level_b:
                pairs = [(kid, b) for kid in all_kids[a]]
                tops_of = all_ends[a]
            else:
                level = level_b
                pairs = [(a, kid) for kid in all_kids[b]]
                tops_of = all_ends[b]
            for end, pair in zip(tops_of, pairs, strict=True):
                kid = memo.get(pair)
                if kid is None:
                    kid = operate(*pair)
                if kid == last:
                    ends[-1] = end
                else:
                    ends.append(end)
                    kids.append(kid)
                    last = kid
        else:
            ends_a, ends_b, kids_a, kids_b = all_ends[a], all_ends[b], all_kids[a], all_kids[b]
            i = j = 0
            end_a, end_b, top = ends_a[0], ends_b[0], tops[level]
            while True:
                pair = kids_a[i], kids_b[j]
                kid = memo.get(pair)
                if kid is None:
                    kid = operate(*pair)
                end = end_a if end_a < end_b else end_b
                if kid == last:
                    ends[-1] = end
                else:
                    ends.append(end)
                    kids.append(kid)
                    last = kid
                if end == top:
                    break
                if end_a == end:
                    i += 1
                    end_a = ends_a[i]
                if end_b == end:
                    j += 1
                    end_b = ends_b[j]
        found = memo[a, b] = node(level, ends, kids)
        return found

    return operate


def meeting(diagrams: Diagrams) -> Callable[[Node, Node], bool]:
    """Whether two sets have any packet in common: creates no nodes, and stops at the first such packet."""
    levels, all_ends, all_kids, tops = diagrams.level, diagrams.ends, diagrams.kids, diagrams.tops
    none, everything = diagrams.none, diagrams.all
    apart: set[tuple[Node, Node]] = set()

    def meet(a: Node, b: Node) -> bool:
        if none in (a, b):
            return False
        if a == b or everything in (a, b):
            return True
        if (a, b) in apart:
            return False
        level, level_b = levels[a], levels[b]
        if level < level_b:
            found = any(meet(kid, b) for kid in all_kids[a])
        elif level_b < level:
            found = any(meet(a, kid) for kid in all_kids[b])
        else:
            found = any(meet(x, y) for x, y in _pairs(all_ends[a], all_kids[a], all_ends[b], all_kids[b], tops[level]))
        if not found:
            apart.add((a, b))
        return found

    return meet


def _pairs(
    ends_a: tuple[int, ...], kids_a: tuple[Node, ...], ends_b: tuple[int, ...], kids_b: tuple[Node, ...], top: int
) -> list[tuple[Node, Node]]:
    """The pairs of children of two nodes that test the same digit, for each interval of its values."""
    pairs = []
    i = j = 0
    while True:
        pairs.append((kids_a[i], kids_b[j]))
        end_a, end_b = ends_a[i], ends_b[j]
        if end_a == end_b == top:
            return pairs
        i += end_a <= end_b
        j += end_b <= end_a

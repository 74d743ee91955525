"""Whether a rule changes what happens to packets, given what happens without it."""

from __future__ import annotations

from rules.packets.chains import Compiler
from rules.packets.diagrams import Node
from rules.packets.outcomes import Verdict, then


class Difference:
    """Searches for one packet whose fate differs with and without a rule; creates no nodes."""

    def __init__(self, compiler: Compiler) -> None:
        self._compiler = compiler
        self._store = compiler.store
        self._alike: set[tuple[Node, Node, Node]] = set()
        self._leaves: dict[tuple[Node, Node], bool] = {}

    def __call__(self, packets: Node, rule: Node, after: Node) -> bool:
        """Whether ``rule`` before ``after`` changes the fate of any of ``packets`` compared with ``after`` alone."""
        store = self._store
        if store.none in (packets, rule, after) or rule == self._compiler.passing:
            return False
        if store.is_leaf(rule) and store.is_leaf(after):
            return self._differ(rule, after)
        key = packets, rule, after
        if key in self._alike:
            return False
        level = min(store.level[node] for node in key)
        parts = [
            (store.ends[node], store.kids[node]) if store.level[node] == level else ((store.tops[level],), (node,))
            for node in key
        ]
        at = [0, 0, 0]
        while True:
            if self(*(kids[place] for (_, kids), place in zip(parts, at, strict=True))):
                return True
            ends = [ends[place] for (ends, _), place in zip(parts, at, strict=True)]
            end = min(ends)
            if end == store.tops[level]:
                break
            at = [place + (own == end) for place, own in zip(at, ends, strict=True)]
        self._alike.add(key)
        return False

    def _differ(self, rule: Node, after: Node) -> bool:
        found = self._leaves.get((rule, after))
        if found is None:
            fate, first = self._compiler.outcome(after), self._compiler.outcome(rule)
            # Two consecutive limits both affect how often packets pass, though not whether they can. Of two unknown
            # matches, either may be the one that matches.
            sometimes = any(case & Verdict.PASS and case != Verdict.PASS for case in first.cases)
            found = (
                then(first, fate) != fate
                or (sometimes and any(case & (case - 1) for case in fate.cases))
                or (len(first.cases) > 1 and len(fate.cases) > 1)
            )
            self._leaves[rule, after] = found
        return found

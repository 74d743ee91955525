"""Redundant rules: those whose packets would have the same fate without them, given what follows."""

from __future__ import annotations

from collections.abc import Iterator

from rules.diagrams import Binary, Node
from rules.outcomes import Placed, Verdict, renamed, then
from rules.reachability_arrivals import Arrivals

# RETURN at the end of a chain and jumps to chains that decide nothing yet are good style.
_VERDICTS = ("ACCEPT", "DROP", "REJECT")


class Redundancy:
    """Finds the rules without which nothing would change. Only verdicts count: other targets have other purposes."""

    def __init__(self, arrivals: Arrivals) -> None:
        self.arrivals = arrivals
        self.compiler = arrivals.compiler
        self.store = arrivals.store
        self._returning = Binary(self.store, self._plain_returning)

    def run(self) -> tuple[Placed, ...]:
        """The redundant rules in the order of the chains: each can be removed alone, not always all together.

        Dead rules have to be left out of the chains, or they would make those that shadow them redundant.
        """
        return tuple(
            leaf.placed
            for name, compiled in self.arrivals.chains.items()
            for index, leaf in enumerate(compiled.leaves)
            if self._decides(name, index) and self._redundant(name, index)
        )

    def _decides(self, chain: str, index: int) -> bool:
        target = self.arrivals.leaf(chain, index).placed.rule.target
        return target is not None and target.name in _VERDICTS

    def _redundant(self, chain: str, index: int) -> bool:
        for witness in self.arrivals.witnesses(chain, index, all_tries=True):
            if self.arrivals.after(witness, with_rule=True) != self.arrivals.after(witness, with_rule=False):
                return False
        return all(
            self._fate(chain, index, packets, callers, with_rule=True)
            == self._fate(chain, index, packets, callers, with_rule=False)
            for packets, callers in self._ways(chain, index, ())
        )

    def _ways(
        self, chain: str, index: int, callers: tuple[tuple[str, int], ...]
    ) -> Iterator[tuple[Node, tuple[tuple[str, int], ...]]]:
        """All ways to get to a rule: the packets that take each, and the rules that led to its chain."""
        for packets, through in self._ways_in(chain):
            found = self.arrivals.arriving(chain, index, packets)
            if found != self.store.none:
                yield found, (*through, *callers)

    def _ways_in(self, chain: str) -> Iterator[tuple[Node, tuple[tuple[str, int], ...]]]:
        if self.arrivals.chains[chain].chain.policy is not None:
            yield self.arrivals.entering(chain), ()
            return
        for caller in self.arrivals.calls[chain]:
            for packets, callers in self._ways(*caller, ()):
                yield packets, (caller, *callers)

    def _fate(
        self, chain: str, index: int, packets: Node, callers: tuple[tuple[str, int], ...], *, with_rule: bool
    ) -> Node:
        """What becomes of a set of packets from a rule on, or without that rule."""
        end = self._end(packets, callers, chain)
        found = end
        for segment in reversed(self.arrivals.chains[chain].behind(index)):
            found = self._returned(self.store.select(packets, segment.diagram), found, end)
        if not with_rule:
            return found
        return self._returned(self.store.select(packets, self.arrivals.leaf(chain, index).diagram), found, end)

    def _end(self, packets: Node, callers: tuple[tuple[str, int], ...], chain: str) -> Node:
        """What becomes of packets at the end of a chain that was called like that."""
        if not callers:
            policy = self.compiler.policy(self.arrivals.chains[chain].chain)
            return self.store.select(packets, policy)
        (caller, index), *rest = callers
        target = self.arrivals.leaf(caller, index).placed.rule.target
        if target is not None and target.goto:
            return self._end(packets, tuple(rest), caller)
        return self._fate(caller, index, packets, tuple(rest), with_rule=False)

    def _returned(self, diagram: Node, after: Node, end: Node) -> Node:
        return self._returning(self.compiler.then(diagram, after), end)

    def _plain_returning(self, fate: Node, end: Node) -> Node | None:
        """The end of the chain in place of RETURN."""
        if not self.store.is_leaf(fate):
            return None
        if fate == self.store.none or not self.compiler.outcome(fate).possibly & Verdict.RETURN:
            return fate
        if end == self.store.none:
            return end
        if not self.store.is_leaf(end):
            return None
        passing = renamed(self.compiler.outcome(fate), Verdict.RETURN, Verdict.PASS)
        return self.store.leaf(then(passing, self.compiler.outcome(end)))

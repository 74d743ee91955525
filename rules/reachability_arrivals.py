"""Which packets get to each rule of a table, and what becomes of them after it.

Questions about one rule are asked of the few segments that make up what is before and behind it. Most are settled by
a single packet as a witness; sets are only computed for the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from rules.chain_diagrams import Compiled, Compiler, Leaf
from rules.diagrams import Node
from rules.outcomes import PASS, Outcome, Verdict, renamed, then
from rules.reachability_outside import possible

_TRIES = 12
_CALLERS = 4


@dataclass(frozen=True, slots=True)
class Visit:
    """A rule, as it is met through certain calls: ``callers`` are the rules that led to its chain, the last first."""

    chain: str
    index: int
    callers: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Witness:
    """A packet, by the digits of its fields, that gets to a rule and may match it."""

    visit: Visit
    digits: tuple[int, ...]


class Arrivals:
    """Answers about the rules of the chains of one table. Unknown matches may do either."""

    def __init__(self, compiler: Compiler, chains: dict[str, Compiled]) -> None:
        self.compiler = compiler
        self.store = compiler.store
        self.chains = chains
        self.calls: dict[str, list[tuple[str, int]]] = {name: [] for name in chains}
        for name, compiled in chains.items():
            for index, leaf in enumerate(compiled.leaves):
                target = leaf.placed.rule.target
                if target is not None and target.name in chains:
                    self.calls[target.name].append((name, index))
        self._entering: dict[str, Node] = {}

    def leaf(self, chain: str, index: int) -> Leaf:
        """A rule by its chain and its number from 0."""
        return self.chains[chain].leaves[index]

    def entering(self, chain: str) -> Node:
        """The packets that may get to a chain."""
        if chain not in self._entering:
            if self.chains[chain].chain.policy is not None:
                found = possible(self.compiler, chain)
            else:
                found = self.store.union([self.arriving(*caller) for caller in self.calls[chain]])
            self._entering[chain] = found
        return self._entering[chain]

    def arriving(self, chain: str, index: int, entering: Node | None = None) -> Node:
        """The packets that may get to a rule and match it, of those that enter its chain."""
        start = self.entering(chain) if entering is None else entering
        packets = self.store.both(start, self.leaf(chain, index).matches)
        for segment in self.chains[chain].before(index):
            packets = self.compiler.through(packets, segment.diagram)
        return packets

    def witnesses(self, chain: str, index: int, *, all_tries: bool = False) -> Iterator[Witness]:
        """Packets that get to a rule, found by trying; none is no proof that there are none."""
        random = Random(index)  # noqa: S311 -- the same answer each time
        for visit, candidates in self._candidates(Visit(chain, index), self.leaf(chain, index).matches):
            for _ in range(_TRIES if candidates != self.store.none else 0):
                digits = self.store.some(candidates, random)
                if self._gets_there(visit, digits):
                    yield Witness(visit, digits)
                    if not all_tries:
                        return

    def _candidates(self, visit: Visit, packets: Node) -> Iterator[tuple[Visit, Node]]:
        """Ways to get to a rule, each with a set in which to look for packets that take it."""
        chain = visit.callers[-1][0] if visit.callers else visit.chain
        if self.chains[chain].chain.policy is not None:
            yield visit, self.store.both(packets, possible(self.compiler, chain))
            return
        for caller in self.calls[chain][:_CALLERS]:
            met = self.store.both(packets, self.leaf(*caller).matches)
            if met != self.store.none:
                yield from self._candidates(Visit(visit.chain, visit.index, (*visit.callers, caller)), met)

    def _gets_there(self, visit: Visit, digits: tuple[int, ...]) -> bool:
        return all(
            self.compiler.outcome_at(segment.diagram, digits).possibly & Verdict.PASS
            for chain, index in ((visit.chain, visit.index), *visit.callers)
            for segment in self.chains[chain].before(index)
        )

    def after(self, witness: Witness, *, with_rule: bool) -> Outcome:
        """What becomes of a packet from a rule on, or without that rule."""
        visit = witness.visit
        found = (
            self.compiler.outcome_at(self.leaf(visit.chain, visit.index).diagram, witness.digits) if with_rule else PASS
        )
        chain, index = visit.chain, visit.index
        for caller, place in (*visit.callers, ("", 0)):
            for segment in self.chains[chain].behind(index):
                found = then(found, self.compiler.outcome_at(segment.diagram, witness.digits))
            if not caller:
                break
            goto = self.leaf(caller, place).placed.rule.target
            found = renamed(found, Verdict.RETURN, Verdict.PASS)
            if goto is not None and goto.goto:
                found = renamed(found, Verdict.PASS, Verdict.RETURN)
            chain, index = caller, place
        found = renamed(found, Verdict.RETURN, Verdict.PASS)
        return then(found, self.compiler.outcome(self.compiler.policy(self.chains[chain].chain)))

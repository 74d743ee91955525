"""Answers about one built-in chain and the chains it leads to, each computed within its own memory limit.

A question that needs too much memory is abandoned and reported, for that chain and that question only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

from rules.analysis.arrivals import Arrivals, arrivals
from rules.analysis.dead import Dead, dead_rules
from rules.analysis.outside import ON_LINK, outside
from rules.analysis.reach import Reach
from rules.analysis.redundant import redundant
from rules.model import Ruleset, Table
from rules.packets.chains import Compiled, Compiler, Leaf
from rules.packets.diagrams import Node, TooIntricateError
from rules.packets.outcomes import Place, Placed
from rules.packets.packet import Field, tops
from rules.values.intervals import complement

T = TypeVar("T")


class ChainAnswers:
    """Computes, once and on demand, what happens to packets in a built-in chain."""

    def __init__(self, compiler: Compiler, ruleset: Ruleset, table: Table, chain: str) -> None:
        self.compiler = compiler
        self.store = compiler.store
        self.chain = chain
        self._ruleset = ruleset
        self._table = calling(table, chain)
        self._answers: dict[object, object] = {}
        self._failures: dict[object, str] = {}

    @property
    def chains(self) -> dict[str, Compiled]:
        """The chain and the chains it leads to, callees first."""
        return self._apart("chains", lambda: self.compiler.compile(self._table))

    @property
    def decided(self) -> Node:
        """The diagram of the chain with its policy."""
        chains = self.chains
        return self._apart("decided", lambda: self.compiler.decided(chains[self.chain]))

    def reached(self, near: bool | None) -> Reach:
        """``near``: True for packets with the highest hop limit, False for those with a lower one, None for both."""
        decided, hops = self.decided, near if self._looks_at_hops else None
        return self._apart(("reached", hops), lambda: Reach(self.compiler, decided, self._packets(hops)))

    @property
    def arrivals(self) -> Arrivals:
        """The packets that reach each of its chains."""
        chains = self.chains
        return self._apart("arrivals", lambda: arrivals(self.compiler, chains))

    def noticed(self, notices: Callable[[Leaf], bool]) -> dict[Place, Node]:
        """The packets that reach each rule asked about and may match it; every call must ask about the same rules."""
        chains = self.chains
        return self._apart("noticed", lambda: arrivals(self.compiler, chains, notices).noticed)

    @property
    def dead(self) -> tuple[Dead, ...]:
        """The rules that no packet from here matches."""
        found = self.arrivals
        return self._apart("dead", lambda: dead_rules(found))

    @property
    def redundant(self) -> tuple[Placed, ...]:
        """The rules that can be removed without changing what happens to packets here."""
        found = self.arrivals
        return self._apart("redundant", lambda: redundant(found))

    def _packets(self, near: bool | None) -> Node:
        packets = outside(self.compiler, self.chain, self._ruleset)
        if near is None:
            return packets
        link = ((ON_LINK, ON_LINK),)
        hops = link if near else complement(link, tops(self.compiler.family)[Field.HOPS])
        return self.store.both(packets, self.store.box({Field.HOPS: hops}, self.store.all, self.store.none))

    @cached_property
    def _looks_at_hops(self) -> bool:
        """Whether any rule may depend on how many hops packets have taken; rules of the raw table may."""
        if self._ruleset.table("raw") is not None:
            return True
        leaves = (leaf for compiled in self.chains.values() for leaf in compiled.leaves)
        return any(Field.HOPS in box for leaf in leaves for box in leaf.predicate.boxes)

    def _apart(self, question: object, work: Callable[[], T]) -> T:
        if question in self._failures:
            raise TooIntricateError(self._failures[question])
        if question not in self._answers:
            try:
                with self.store.apart():
                    self._answers[question] = work()
            except TooIntricateError as error:
                self._failures[question] = f"{self.chain}: {self._with_rules(str(error))}"
                raise TooIntricateError(self._failures[question]) from None
        return self._answers[question]  # type: ignore[return-value]

    def _with_rules(self, reason: str) -> str:
        """The reason, with the rules that cause it: the consecutive rules named by the error, or the longest chain."""
        longest = max(self._table.chains, key=lambda chain: len(chain.rules))
        return reason.replace("the rules ", f"rules 1 to {len(longest.rules)} of {longest.name} ", 1)


def calling(table: Table, start: str) -> Table:
    """A chain of a table and all chains that its rules lead to. Raises :class:`KeyError` if there is no such chain."""
    chains = {chain.name: chain for chain in table.chains}
    wanted, waiting = {start}, [start]
    while waiting:
        for rule in chains[waiting.pop()].rules:
            name = rule.target.name if rule.target is not None else ""
            if name in chains and name not in wanted:
                wanted.add(name)
                waiting.append(name)
    return Table(table.name, tuple(chain for chain in table.chains if chain.name in wanted))

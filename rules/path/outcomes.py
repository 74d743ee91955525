"""What may happen to a packet in a chain of any table: verdict, translation, mark, whether it is tracked.

The outcomes of `rules.packets.outcomes` are sets of verdicts, one bit each. Here, further bits stand for a verdict
together with what else happened: an effect on marks, a translation, no tracking. They are created on demand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from rules.packets.outcomes import Outcome, Place, Verdict
from rules.path.marks import Effect


@dataclass(frozen=True, slots=True)
class Happening:
    """``by``: the rule that translates; ``mark``: the effect on marks, empty for none."""

    verdict: Verdict
    mark: Effect = ()
    untracked: bool = False
    by: Place | None = None

    def then(self, later: Happening) -> Happening:
        """This one, followed by a later one."""
        mark = (
            tuple(later.mark[number] for number in self.mark) if self.mark and later.mark else self.mark or later.mark
        )
        return Happening(later.verdict, mark, self.untracked or later.untracked, later.by)


class Happenings:
    """Numbers for happenings."""

    def __init__(self) -> None:
        self._bits: dict[Happening, int] = {Happening(verdict): int(verdict) for verdict in Verdict}
        self._known: dict[int, Happening] = {bit: one for one, bit in self._bits.items()}
        self.passing = int(Verdict.PASS)

    def bit(self, one: Happening) -> int:
        """The bit of a happening."""
        found = self._bits.get(one)
        if found is None:
            found = self._bits[one] = 1 << len(self._bits)
            self._known[found] = one
            if one.verdict is Verdict.PASS:
                self.passing |= found
        return found

    def happenings(self, case: int) -> Iterator[Happening]:
        """The happenings of one or more cases."""
        while case:
            bit = case & -case
            yield self._known[bit]
            case ^= bit

    def then(self, first: Outcome, second: Outcome) -> Outcome:
        """``second`` applied to what ``first`` lets pass."""
        cases: set[int] = set()
        for case in first.cases:
            passing = case & self.passing
            if not passing:
                cases.add(case)
                continue
            for other in second.cases:
                cases.add((case ^ passing) | self._composed(passing, other))
        return Outcome(frozenset(cases))

    def renamed(self, outcome: Outcome, old: Verdict, new: Verdict) -> Outcome:
        """The outcome with one verdict replaced by another."""
        return Outcome(frozenset(self._renamed(case, old, new) for case in outcome.cases))

    def _composed(self, passing: int, other: int) -> int:
        if passing == Verdict.PASS:
            return other
        found = 0
        for one in self.happenings(passing):
            for later in self.happenings(other):
                found |= self.bit(one.then(later))
        return found

    def _renamed(self, case: int, old: Verdict, new: Verdict) -> int:
        found = 0
        for one in self.happenings(case):
            found |= self.bit(replace(one, verdict=new) if one.verdict is old else one)
        return found

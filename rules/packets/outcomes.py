"""What can happen to a packet in a chain, and how the outcomes of two consecutive rules compose.

There are two kinds of doubt. A limit lets a packet through at one time and not at another: both happen. An unknown
match does one or the other, and we do not know which. So an outcome is a set of *cases*, one for each way in which the
unknown matches may turn out. A case is the set of verdicts that then happen at some time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

from rules.model import Rule


class Verdict(IntFlag):
    """Verdicts, as a set. ``PASS``: the packet continues with the next rule. ``RETURN``: it leaves the chain."""

    ACCEPT = 1
    DROP = 2
    REJECT = 4
    RETURN = 8
    PASS = 16


@dataclass(frozen=True, slots=True)
class Place:
    """The position of a rule: its chain and its number in it, from 1."""

    chain: str
    number: int

    def __str__(self) -> str:
        return f"{self.chain} {self.number}"


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule and its position."""

    place: Place
    rule: Rule


@dataclass(frozen=True, slots=True)
class Outcome:
    """``cases`` as described above.

    Which rules cause there to be several is not kept: otherwise outcomes that differ only in that would multiply.
    """

    cases: frozenset[int]

    @property
    def surely(self) -> int:
        """Verdicts that happen whatever the unknown matches do."""
        found = ~0
        for case in self.cases:
            found &= case
        return found

    @property
    def possibly(self) -> int:
        """Verdicts that may happen."""
        found = 0
        for case in self.cases:
            found |= case
        return found


def sure(verdict: Verdict) -> Outcome:
    """One verdict, always."""
    return Outcome(frozenset([int(verdict)]))


PASS = sure(Verdict.PASS)


def then(first: Outcome, second: Outcome) -> Outcome:
    """``second`` applied to what ``first`` lets pass."""
    cases: set[int] = set()
    for case in first.cases:
        if case & Verdict.PASS:
            cases.update((case & ~int(Verdict.PASS)) | other for other in second.cases)
        else:
            cases.add(case)
    return Outcome(frozenset(cases))


def when_matched(outcome: Outcome, *, limited: bool, unknown: bool) -> Outcome:
    """The outcome of a rule that may also let the packet pass."""
    cases = {case | int(Verdict.PASS) if limited else case for case in outcome.cases}
    return Outcome(frozenset(cases | {int(Verdict.PASS)} if unknown else cases))


def renamed(outcome: Outcome, old: Verdict, new: Verdict) -> Outcome:
    """The outcome with one verdict replaced by another."""
    cases = {(case & ~int(old)) | int(new) if case & old else case for case in outcome.cases}
    return Outcome(frozenset(cases))

"""What can become of a packet in a chain, and how that of two rules in a row is composed.

There are two kinds of doubt. A limit lets a packet through at one time and not at another: both happen. A match that is
not understood does one or the other, we do not know which. So an outcome is a set of *cases*, one for each way in which
the unknown matches may turn out, and a case is the set of verdicts that then happen at some time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

from rules.model import Rule


class Verdict(IntFlag):
    """Verdicts, as a set. ``PASS``: the packet goes on to the next rule. ``RETURN``: it leaves the chain."""

    ACCEPT = 1
    DROP = 2
    REJECT = 4
    RETURN = 8
    PASS = 16


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rule is: its chain and its number in it, from 1."""

    chain: str
    number: int

    def __str__(self) -> str:
        return f"{self.chain} {self.number}"


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule and its place."""

    place: Place
    rule: Rule


@dataclass(frozen=True, slots=True)
class Outcome:
    """``cases`` as above.

    Which rules make them more than one is not kept: rules that differ in that alone would multiply.
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
    """``second`` for what ``first`` lets pass."""
    cases: set[int] = set()
    for case in first.cases:
        if case & Verdict.PASS:
            cases.update((case & ~int(Verdict.PASS)) | other for other in second.cases)
        else:
            cases.add(case)
    return Outcome(frozenset(cases))


def when_matched(outcome: Outcome, *, limited: bool, unknown: bool) -> Outcome:
    """The outcome of a rule that may let the packet pass instead."""
    cases = {case | int(Verdict.PASS) if limited else case for case in outcome.cases}
    return Outcome(frozenset(cases | {int(Verdict.PASS)} if unknown else cases))


def renamed(outcome: Outcome, old: Verdict, new: Verdict) -> Outcome:
    """The outcome with one verdict in place of another."""
    cases = {(case & ~int(old)) | int(new) if case & old else case for case in outcome.cases}
    return Outcome(frozenset(cases))

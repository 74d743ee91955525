"""The final summary of all stacks: a line for each, changes, failures by cause, and a total."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from fleet.outcome import PAST, StackOutcome, Status, counted

SHOWN = 12
"""The most names in a row; more are counted."""
_WAITED = re.compile(r" \(tried for \d+ s\)")
_ADDRESS = re.compile(r"\b(cannot connect to [\w-]+@)[^\s,]+")
_DIGITS = re.compile(r"(\d+)")
_SERIOUS = 3
"""The fewest words of a message that may stand for others of its host."""


@dataclass
class Group:
    """One message, and its hosts or resources, by stack."""

    message: str
    about: dict[str, None] = field(default_factory=dict)
    stacks: dict[str, None] = field(default_factory=dict)
    hosts: bool = True

    def lines(self) -> Iterator[str]:
        """Yield the message once, then whom it concerns."""
        first, *rest = self.message.splitlines() or [""]
        names = in_order(name for name in self.about if name)
        if len(names) == 1:
            first = f"{names[0]}: {first}"
        elif names:
            first = f"{len(names)} {'hosts' if self.hosts else 'resources'}: {first}"
        yield first
        yield from (f"  {line}" for line in rest)
        if len(names) > 1:
            yield f"  {listed(names)}"


def in_order(names: Iterable[str]) -> list[str]:
    """Return names in natural order: web2 before web10."""
    return sorted(names, key=lambda name: [part.zfill(12) if part.isdigit() else part for part in _DIGITS.split(name)])


def listed(names: Sequence[str], shown: int = SHOWN) -> str:
    """List some names and count the rest."""
    more = len(names) - shown
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:shown])} and {more} more"


def grouped(outcomes: Iterable[StackOutcome], *, advice: bool = False) -> list[Group]:
    """Return the failures grouped by message, without host names, across all stacks."""
    groups: dict[str, Group] = {}
    for outcome in outcomes:
        known = {*outcome.hosts.values()}
        found = [apart(outcome, *one) for one in (outcome.advice if advice else outcome.failures)]
        for host, message in _by_cause(found):
            text = _general(message, outcome.stack)
            group = groups.setdefault(text, Group(message))
            group.message = message if message == group.message else text
            group.about[host] = None
            group.hosts &= host in known
            group.stacks[outcome.stack] = None
    return [*groups.values()]


def _general(message: str, stack: str) -> str:
    """Return a message without what varies between hosts and stacks with the same failure: addresses, times, names."""
    environment = stack.rpartition("-")[0]
    text = message.replace(stack, f"{environment}-NN") if environment else message
    return _WAITED.sub("", _ADDRESS.sub(r"\1…", text))


def apart(outcome: StackOutcome, resource: str, message: str) -> tuple[str, str]:
    """Split a message into its host (or resource, if there is no host) and the rest."""
    named = re.match(r"(?:[\w-]+: )?([^\s:]+): ", message)
    known = {*outcome.hosts.values(), resource}
    host = named[1] if named and named[1] in known else outcome.host_of(resource) or resource
    if not host:
        return "", message
    prefix = re.compile(rf"^((?:[\w-]+: )?){re.escape(host)}: ", re.M)
    return host, prefix.sub(r"\1", message)


def _by_cause(found: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield each host's failures; one cause shared by many of its resources appears only once."""
    by_host: dict[str, dict[str, None]] = {}
    for host, message in found:
        by_host.setdefault(host, {})[message] = None
    for host, messages in by_host.items():
        left = [*messages]
        while left:
            first, *others = left
            same = [other for other in others if host and _common(first, other)]
            if same:
                cause = min((_common(first, other) for other in same), key=len)
                names = [message.partition(": ")[0] for message in (first, *same)]
                yield host, f"{cause}\n({len(names)} resources: {listed([*dict.fromkeys(names)])})"
            else:
                yield host, first
            left = [other for other in others if other not in same]


def _common(one: str, other: str) -> str:
    """Return the common part of two messages, from a colon in their first lines on; empty if it is short."""
    (first, _, below), (again, _, others_below) = one.partition("\n"), other.partition("\n")
    parts, others = (_WAITED.sub("", text).split(": ") for text in (first, again))
    count = 0
    while count < min(len(parts), len(others)) and parts[-1 - count] == others[-1 - count]:
        count += 1
    text = ": ".join(first.split(": ")[len(parts) - count :]) if count else ""
    if below != others_below or len(text.split()) < _SERIOUS:
        return ""
    return f"{text}\n{below}" if below else text


def differences(outcomes: Iterable[StackOutcome], *, would: bool) -> list[str]:
    """Return what changes on which hosts, by kind; creations last."""
    found: dict[tuple[bool, str, str], dict[str, bool]] = {}
    for change in (one for outcome in outcomes for one in outcome.changed):
        key = change.operation == "create", change.kind, change.operation
        found.setdefault(key, {})[change.host or change.resource] = bool(change.host)
    return [
        f"{kind} {f'to {op}' if would else PAST[op]}: "
        + (f"{len(names)} {'hosts' if all(names.values()) else 'resources'}: " if len(names) > 1 else "")
        + listed(in_order(names))
        for (_, kind, op), names in sorted(found.items())
    ]


def totals(outcomes: Sequence[StackOutcome], seconds: float, *, would: bool) -> str:
    """Return the totals in one line."""
    by_status = Counter(one.status for one in outcomes)
    total: Counter[str] = Counter()
    for one in outcomes:
        total.update(one.changes)
    ends = ", ".join(f"{by_status[status]} {status}" for status in Status if by_status[status]) or "nothing to do"
    changed = counted(_in_order(total), would=would)
    if not changed and by_status[Status.DONE] == len(outcomes):
        changed = "no changes"
    stacks = f"{len(outcomes)} stack{'s' if len(outcomes) != 1 else ''}"
    return "; ".join(filter(None, (f"{stacks}: {ends}", changed, f"{seconds:.1f} s")))


def _in_order(total: Mapping[str, int]) -> dict[str, int]:
    return {op: total[op] for op in PAST if total[op]}


def table(outcomes: Sequence[StackOutcome], *, would: bool) -> list[str]:
    """Return one line for each stack."""
    wide = max((len(outcome.stack) for outcome in outcomes), default=0)
    return [f"{one.stack:<{wide}}  {one.seconds:7.1f} s  {one.line(would=would)}" for one in outcomes]


def failures(outcomes: Sequence[StackOutcome], *, advice: bool = False) -> list[str]:
    """Return the failures, under their stack or, if several stacks share them, under all of these."""
    lines: list[str] = []
    before: list[str] = []
    for group in sorted(grouped(outcomes, advice=advice), key=lambda group: -len(group.stacks)):
        stacks = [*group.stacks]
        if stacks != before:
            several = f"{len(stacks)} stacks ({listed(stacks)})" if len(stacks) > 1 else stacks[0]
            lines += [f"\n{several}:" if lines else f"{several}:"]
        before = stacks
        lines += [f"  {line}" for line in group.lines()]
    return lines


def summary(outcomes: Sequence[StackOutcome], seconds: float, *, would: bool, remarks: Sequence[str] = ()) -> str:
    """Return the table of all stacks, changes, failures with their remedies, and a total.

    `remarks`: additional lines before the total.
    """
    lines = table(outcomes, would=would)
    for block in (differences(outcomes, would=would), failures(outcomes), remarks):
        lines += ["", *block] if block else []
    return "\n".join([*lines, "", totals(outcomes, seconds, would=would)])

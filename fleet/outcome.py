"""What became of one stack, from the events of Pulumi's engine, and the summary of all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from pulumi.automation.events import EngineEvent

PAST = {"create": "created", "update": "updated", "delete": "deleted", "replace": "replaced", "forget": "forgotten"}
_COLOURS = re.compile(r"<\{%.*?%\}>|\x1b\[[0-9;]*m")
_ENDS = re.compile(r"^(update|preview|refresh|destroy) (failed|canceled)$|^resource \w+ failed|run program: ", re.I)
"""What the engine says once more, at the end, of failures that it has told."""


class Status(StrEnum):
    """How a stack's run ended."""

    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Outcome:
    """What became of one stack.

    `changes`: how many resources, by operation. `failures`: resource (or nothing) and message of each. `output`: what
    the engine showed.
    """

    stack: str
    status: Status
    seconds: float = 0.0
    changes: Mapping[str, int] = field(default_factory=dict)
    unchanged: int = 0
    failures: tuple[tuple[str, str], ...] = ()
    output: str = ""

    def line(self, *, would: bool) -> str:
        """Say it in one line; `would` where nothing was really done."""
        what = ", ".join(f"{number} {f'to {op}' if would else PAST[op]}" for op, number in self.changes.items())
        status = "" if self.status is Status.DONE else f"{self.status.upper()}  "
        return f"{status}{what or 'no changes'}, {self.unchanged} unchanged"


class Events:
    """Collects what is to be told of one run. Pulumi's CLI and the embedded engine send the same events."""

    def __init__(self) -> None:
        self.changes: Counter[str] = Counter()
        self.failures: list[tuple[str, str]] = []

    def add(self, event: EngineEvent) -> None:
        """Take one event."""
        if event.summary_event:
            self.changes = Counter(
                {str(getattr(op, "value", op)): n for op, n in event.summary_event.resource_changes.items()}
            )
        diagnostic, policy = event.diagnostic_event, event.policy_event
        if diagnostic and diagnostic.severity == "error":
            self._failure(diagnostic.urn, diagnostic.message)
        if policy and policy.enforcement_level == "mandatory":
            self._failure(policy.resource_urn, f"{policy.policy_name}: {policy.message}")

    def _failure(self, urn: str | None, message: str) -> None:
        text = _COLOURS.sub("", message).strip()
        told = ("" if not urn or "pulumi:pulumi:Stack" in urn else urn.rpartition("::")[2], text)
        if text and told not in self.failures and not (self.failures and _ENDS.search(text)):
            self.failures.append(told)

    def outcome(self, stack: str, status: Status, seconds: float, output: str) -> Outcome:
        """Return what is known at the end."""
        failures = self.failures if status is not Status.DONE else []
        if status is Status.FAILED and not failures:
            failures = [("", _last_error(output))]
        changes = {op: self.changes[op] for op in PAST if self.changes[op]}
        unchanged = sum(self.changes.values()) - sum(changes.values())
        return Outcome(stack, status, seconds, changes, unchanged, tuple(failures), output)


def _last_error(output: str) -> str:
    """Return the engine's own error, where it failed before there was anything to tell."""
    _, found, text = f"\n{_COLOURS.sub('', output)}".rpartition("\nerror: ")
    return text.strip() if found else "the engine ended without saying why"


def summary(outcomes: Sequence[Outcome], seconds: float, *, would: bool) -> str:
    """Return the table of all stacks, what failed in each and how it is mended, and a total."""
    wide = max((len(outcome.stack) for outcome in outcomes), default=0)
    lines = [f"{one.stack:<{wide}}  {one.seconds:7.1f} s  {one.line(would=would)}" for one in outcomes]
    for one in outcomes:
        lines += _failures(one)
    by_status = Counter(one.status for one in outcomes)
    total: Counter[str] = Counter()
    for one in outcomes:
        total.update(one.changes)
    changed = ", ".join(f"{number} {f'to {op}' if would else PAST[op]}" for op, number in total.items()) or "no changes"
    ends = ", ".join(f"{by_status[status]} {status}" for status in Status if by_status[status]) or "nothing to do"
    stacks = f"{len(outcomes)} stack{'s' if len(outcomes) != 1 else ''}"
    return "\n".join([*lines, "", f"{stacks}: {ends}; {changed}; {seconds:.1f} s"])


def _failures(outcome: Outcome) -> Iterable[str]:
    if outcome.failures:
        yield f"\n{outcome.stack}:"
    for resource, message in outcome.failures:
        first, *rest = message.splitlines()
        named = not resource or first.startswith(f"{resource}: ")  # many messages begin with the host's name
        yield f"  {first if named else f'{resource}: {first}'}"
        yield from (f"    {line}" for line in rest)

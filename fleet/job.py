"""The parts of a fleet's run: the job, the engine that runs it on a stack, and one run in progress."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from pulumi.automation.events import EngineEvent

from fleet.outcome import Events, StackOutcome, Status
from fleet.processes import Watch
from fleet.published import clean
from fleet.summary import listed

CREATING = ("preview", "up")
LOOKING = ("preview", "drift")
"""Commands that change nothing."""


@dataclass(frozen=True)
class Job:
    """What to do with every stack.

    `parallel`: parallel operations in one stack; None for the engine's default. `refresh`: whether `up` refreshes
    first. `policies`: the options `--policy-pack` and `--policy-pack-config` for a stack. `extra`: additional
    environment variables of the engine's process.
    """

    command: str
    parallel: int | None = None
    diff: bool = False
    refresh: bool = False
    extra: Mapping[str, str] = field(default_factory=dict)
    policies: Callable[[str], Sequence[str]] = lambda _: ()


@dataclass(frozen=True)
class SilenceLimits:
    """How many seconds an engine may be silent: in a call that queries the state, before a run begins, in a run."""

    call: float = 120.0
    start: float = 300.0
    silence: float = 3600.0

    def watch(self, run: StackRun) -> Watch:
        """Return the watch for one run."""
        return Watch(lambda: self.silence if run.events.begun else self.start, lambda: run.heard, run.waits, run.fail)


class Engine(Protocol):
    """Runs commands on stacks, many in parallel."""

    def stacks(self) -> frozenset[str]:
        """Return the names of all stacks of the project. Raises EngineError, CommandError."""

    def create(self, stack: str) -> None:
        """Create a stack. Raises EngineError, CommandError."""

    def resources(self, stack: str) -> Sequence[Mapping[str, Any]]:
        """Return the resources in the state of a stack, secrets encrypted."""

    def move(self, source: str, dest: str, urns: Sequence[str]) -> None:
        """Move resources, with all their children, from one stack to another. Raises EngineError, CommandError."""

    def many(self) -> AbstractContextManager[None]:
        """Prepare for more stacks than run in parallel, so that each starts faster."""

    def run(self, stack: str, job: Job, run: StackRun) -> StackOutcome:
        """Run one command on one stack to its end; errors that a user can cause are outcomes, not exceptions."""


class StackRun:
    """One run on one stack in progress: its duration, output and events, and when it was last heard of."""

    def __init__(self, stack: str) -> None:
        self.stack = stack
        self.events = Events()
        self.begin = self.heard = time.monotonic()
        self._lines: list[str] = []

    def print(self, line: str) -> None:
        """Keep a line of output, in a form that may be shown."""
        self.heard = time.monotonic()
        self._lines.append(clean(line))

    def event(self, event: EngineEvent) -> None:
        """Record an event."""
        self.heard = time.monotonic()
        self.events.add(event)

    def fail(self, message: str) -> None:
        """Record an error of our own, to be shown first."""
        self.print(f"error: {message}")
        self.events.failures.insert(0, ("", message))
        print(clean(f"{self.stack}: {message}"), file=sys.stderr, flush=True)

    def anew(self) -> None:
        """Forget the events of a preview; the actual run comes next."""
        self.events = Events()

    def waits(self) -> str:
        """Return what the run is waiting for."""
        if not self.events.begun:
            return "it waits for its state, its program and its policies, and has not begun"
        flying = self.events.in_flight()
        return f"it waits for {listed(flying)}" if flying else "nothing is in flight"

    def ended(self, *, ok: bool, cancelled: bool) -> StackOutcome:
        """Return the outcome."""
        status = Status.DONE if ok else Status.CANCELLED if cancelled else Status.FAILED
        return self.events.outcome(self.stack, status, time.monotonic() - self.begin, "\n".join(self._lines))

"""What a fleet's run is made of: the job, the engine that does it for one stack, and one run under way."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from fleet.outcome import Events, Outcome, Status

CREATING = ("preview", "up")
LOOKING = ("preview", "drift")
"""Commands that change nothing."""


@dataclass(frozen=True)
class Job:
    """What is to be done with every stack.

    `parallel`: operations at once in one stack; None: the engine's default. `policies`: the options `--policy-pack` and
    `--policy-pack-config` for a stack.
    """

    command: str
    parallel: int | None = None
    diff: bool = False
    policies: Callable[[str], Sequence[str]] = lambda _: ()


class Engine(Protocol):
    """Runs commands on stacks, many at once."""

    def missing(self, stacks: Sequence[str]) -> Sequence[str]:
        """Return those of the stacks that there are not yet."""

    def create(self, stack: str) -> None:
        """Create a stack. Raises EngineError, CommandError."""

    def resources(self, stack: str) -> Sequence[Mapping[str, Any]]:
        """Return the resources in the state of a stack, secrets encrypted."""

    def move(self, source: str, dest: str, urns: Sequence[str]) -> None:
        """Give resources, and all below them, from one stack to another. Raises EngineError, CommandError."""

    def many(self) -> AbstractContextManager[None]:
        """Prepare for more stacks than run at once, so that each starts sooner."""

    def run(self, stack: str, job: Job) -> Outcome:
        """Run one command on one stack to its end; what a user can cause is an outcome, not an exception."""


class Run:
    """One run on one stack under way: how long, what it printed, what its events told."""

    def __init__(self, stack: str) -> None:
        self.stack = stack
        self.events = Events()
        self._lines: list[str] = []
        self._begin = time.monotonic()

    def print(self, line: str) -> None:
        """Keep a line of output."""
        self._lines.append(line)

    def ended(self, *, ok: bool, cancelled: bool) -> Outcome:
        """Return what came of it."""
        status = Status.DONE if ok else Status.CANCELLED if cancelled else Status.FAILED
        return self.events.outcome(self.stack, status, time.monotonic() - self._begin, "\n".join(self._lines))

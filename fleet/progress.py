"""Shows the progress of the stacks while they run."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from fleet.job import StackRun
from fleet.summary import listed

EVERY = 10.0
"""Seconds between two lines about a stack."""
_NAMED = 4


class Progress:
    """Shows on stderr what each stack is doing. Thread-safe."""

    def __init__(self, every: float = EVERY) -> None:
        self._every = every
        self._runs: dict[str, StackRun] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show progress during a block."""
        thread = threading.Thread(target=self._show, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def begin(self, run: StackRun) -> None:
        """A stack starts."""
        with self._lock:
            self._runs[run.stack] = run

    def end(self, run: StackRun) -> None:
        """A stack has ended."""
        with self._lock:
            self._runs.pop(run.stack, None)

    def _show(self) -> None:
        while not self._ended.wait(self._every):
            with self._lock:
                runs = [*self._runs.values()]
            for run in runs:
                print(progress(run, time.monotonic()), file=sys.stderr, flush=True)


def progress(run: StackRun, now: float) -> str:
    """Return the progress of a run in one line."""
    seconds = now - run.begin
    if not run.events.begun:
        return f"{run.stack}: {seconds:.0f} s, has not begun yet"
    hosts, flying = {*dict(run.events.hosts).values()}, run.events.in_flight()
    done = f"{run.events.ended} done" + (f" on {len(hosts)} host{'s' if len(hosts) > 1 else ''}" if hosts else "")
    under_way = f", under way: {listed(flying, _NAMED)}" if flying else ""
    failed = f", {len(run.events.failures)} failed" if run.events.failures else ""
    return f"{run.stack}: {seconds:.0f} s, {done}{failed}{under_way}"

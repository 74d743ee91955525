"""The slowest operations of a run, and what each waited for: written to the file that STOCKADE_SLOWEST names."""

import os
import threading
import time
from pathlib import Path
from typing import Any

from hosts.waiting import Stopwatch

MOST = 10
SHORTEST = 0.001


class Slowest:
    """Keeps the slowest operations.

    Rewrites the file whenever one is added, because an engine may end us at any time.
    """

    def __init__(self, file: str | None = None) -> None:
        self._file = file if file is not None else os.environ.get("STOCKADE_SLOWEST", "")
        self._lock = threading.Lock()
        self._kept: list[tuple[str, Stopwatch]] = []

    def clock(self) -> Stopwatch | None:
        """A clock for an operation that starts; None if no file is wanted."""
        return Stopwatch() if self._file else None

    def ended(self, operation: str, request: Any, clock: Stopwatch | None) -> None:
        """Record an operation that has ended."""
        if clock is None:
            return
        clock.ended = time.monotonic()
        urn = str(getattr(request, "urn", ""))
        kind, _, name = urn.rpartition("::")
        label = f"{operation} {kind.rpartition(':')[2]} {name}"
        with self._lock:
            if len(self._kept) == MOST and clock.ended - clock.begun <= _took(self._kept[-1]):
                return
            self._kept = sorted([*self._kept, (label, clock)], key=_took, reverse=True)[:MOST]
            Path(self._file).write_text(self.text())

    def text(self) -> str:
        """A line for each, the slowest first: total seconds, then seconds by what was waited for."""
        return "".join(f"{line(label, clock)}\n" for label, clock in self._kept)


def line(label: str, clock: Stopwatch) -> str:
    """`7.03 s  read Sshd web1: remote run 6.80 s, handshake 0.20 s, own work 0.03 s`."""
    shares = clock.shares()
    whole = clock.ended - clock.begun
    shares["own work"] = whole - sum(shares.values())
    listed = (f"{what} {seconds:.2f} s" for what, seconds in shares.items() if seconds >= SHORTEST)
    return f"{whole:6.2f} s  {label}: {', '.join(listed)}"


def _took(kept: tuple[str, Stopwatch]) -> float:
    return kept[1].ended - kept[1].begun

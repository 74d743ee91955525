"""What an operation waited for, so that a slow one can be explained.

Whoever serves an operation opens a `Stopwatch` with `timed`; everything that is waited for inside, in the pool's loop
as well (asyncio hands the context on), notes itself with `waiting`. Without a stopwatch nothing is noted.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

CONNECTING = "connection"
"""Somebody else is connecting to this host already."""
DIALLING = "dialling"
"""TCP, and the server's first words."""
HANDSHAKE_SLOT = "handshake slot"
HANDSHAKE = "handshake"
RETRY = "retry"
"""A pause before the next attempt: the host does not answer yet."""
TURN = "turn"
"""Reads of this host that were wanted before."""
CHANNEL_SLOT = "channel slot"
CHANNEL = "channel"
REMOTE = "remote run"
CONFIRMATION = "confirmation"
"""New logins that prove a change, all that belongs to them included."""


@dataclass
class Stopwatch:
    """The spans of one operation: what was waited for, from when to when (seconds of a monotonic clock)."""

    begun: float = field(default_factory=time.monotonic)
    spans: list[tuple[str, float, float]] = field(default_factory=list)
    ended: float = 0.0

    def shares(self) -> dict[str, float]:
        """Seconds by what was waited for, the longest first."""
        sums: dict[str, float] = {}
        for what, begin, end in self.spans:
            sums[what] = sums.get(what, 0) + end - begin
        return dict(sorted(sums.items(), key=lambda item: -item[1]))

    def absorb(self, other: "Stopwatch", since: float) -> None:
        """Take over what somebody else waited for on our behalf, as far as it was after `since`; what is left of that
        time we waited for our turn."""
        now = time.monotonic()
        shared = [(what, max(begin, since), end) for what, begin, end in other.spans if end > since]
        self.spans += shared
        self.spans.append((TURN, since, max(since, now - sum(end - begin for _, begin, end in shared))))


_current: ContextVar[Stopwatch | None] = ContextVar("clock", default=None)


def current() -> Stopwatch | None:
    """The clock of the operation that this is part of."""
    return _current.get()


@contextmanager
def timed(clock: Stopwatch | None) -> Iterator[None]:
    """Note on this clock what is waited for inside; on none where it is None."""
    token = _current.set(clock)
    try:
        yield
    finally:
        _current.reset(token)
        if clock is not None:
            clock.ended = time.monotonic()


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Note what is waited for inside."""
    clock = _current.get()
    if clock is None:
        yield
        return
    begin = time.monotonic()
    try:
        yield
    finally:
        clock.spans.append((what, begin, time.monotonic()))

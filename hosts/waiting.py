"""What an operation waited for, to explain slow ones.

The code that serves an operation opens a `Stopwatch` with `timed`. Everything waited for inside, in the pool's loop too
(asyncio passes the context on), is recorded with `waiting`. Without a stopwatch nothing is recorded.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

CONNECTING = "connection"
"""Another operation is already connecting to this host."""
DIALLING = "dialling"
"""TCP, and the server's identification string."""
HANDSHAKE_SLOT = "handshake slot"
HANDSHAKE = "handshake"
RETRY = "retry"
"""A pause before the next attempt, because the host does not answer yet."""
TURN = "turn"
"""Earlier reads of this host."""
CHANNEL_SLOT = "channel slot"
CHANNEL = "channel"
REMOTE = "remote run"
CONFIRMATION = "confirmation"
"""New logins that prove a change, including everything they involve."""


@dataclass
class Stopwatch:
    """The intervals of one operation: what was waited for, from when to when (seconds of a monotonic clock)."""

    begun: float = field(default_factory=time.monotonic)
    spans: list[tuple[str, float, float]] = field(default_factory=list)
    ended: float = 0.0

    def shares(self) -> dict[str, float]:
        """Seconds by what was waited for, longest first."""
        sums: dict[str, float] = {}
        for what, begin, end in self.spans:
            sums[what] = sums.get(what, 0) + end - begin
        return dict(sorted(sums.items(), key=lambda item: -item[1]))

    def absorb(self, other: "Stopwatch", since: float) -> None:
        """Add what another operation waited for on our behalf since `since`. The rest of that time counts as waiting
        for our turn."""
        now = time.monotonic()
        shared = [(what, max(begin, since), end) for what, begin, end in other.spans if end > since]
        self.spans += shared
        self.spans.append((TURN, since, max(since, now - sum(end - begin for _, begin, end in shared))))


_current: ContextVar[Stopwatch | None] = ContextVar("clock", default=None)


def current() -> Stopwatch | None:
    """The stopwatch of the current operation."""
    return _current.get()


@contextmanager
def timed(clock: Stopwatch | None) -> Iterator[None]:
    """Record waiting inside the block on this stopwatch; on none if it is None."""
    token = _current.set(clock)
    try:
        yield
    finally:
        _current.reset(token)
        if clock is not None:
            clock.ended = time.monotonic()


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Record the block as waiting."""
    clock = _current.get()
    if clock is None:
        yield
        return
    begin = time.monotonic()
    try:
        yield
    finally:
        clock.spans.append((what, begin, time.monotonic()))


_limit: ContextVar[tuple[float, float] | None] = ContextVar("limit", default=None)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Limit everything together that this thread asks of hosts inside the block: the pool ends it with TimedOut."""
    token = _limit.set((seconds, time.monotonic() + seconds))
    try:
        yield
    finally:
        _limit.reset(token)


def limit() -> tuple[float, float] | None:
    """Return the limit of this thread, in seconds, and when it ends (of a monotonic clock); None if there is none."""
    return _limit.get()

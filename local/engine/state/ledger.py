"""The stack's resources while operations change them, always ready to be written to the state."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable

from local.engine.state.state import Operation, Resource, Snapshot


class StateJournal:
    """Old resources not yet dealt with, new ones in the order of completion, and operations in progress.

    Nothing is written before `connect`, which a preview never calls.
    """

    def __init__(self, base: Snapshot) -> None:
        self._lock = threading.Lock()
        self._base = {id(item): item for item in base.resources}
        self._new: dict[int, Resource] = {}
        self._pending: dict[int, Operation] = {}
        self._tokens = itertools.count(1)
        self._offer: Callable[[], int] | None = None
        self._wait: Callable[[int], None] | None = None

    def connect(self, offer: Callable[[], int], wait: Callable[[int], None]) -> None:
        """From now on write changes: `offer` is called after each and returns a number, `wait` waits for that write."""
        self._offer = offer
        self._wait = wait

    def snapshot(self) -> Snapshot:
        """The current state."""
        with self._lock:
            return Snapshot((*self._new.values(), *self._base.values()), tuple(self._pending.values()))

    def resources(self) -> list[Resource]:
        """All resources in their current state."""
        return list(self.snapshot().resources)

    def begin(self, resource: Resource, type_: str) -> int:
        """Record that an operation begins, and return a token for `end`. The record is on disk when this returns."""
        with self._lock:
            token = next(self._tokens)
            self._pending[token] = Operation(resource, type_)
        self._changed(wait=True)
        return token

    def end(self, token: int, *, add: Iterable[Resource] = (), remove: Iterable[Resource] = ()) -> None:
        """Record the end of an operation and its result."""
        with self._lock:
            self._pending.pop(token, None)
            self._apply(add, remove)
        self._changed()

    def put(self, add: Iterable[Resource], remove: Iterable[Resource] = ()) -> None:
        """Record a change that needed no operation."""
        with self._lock:
            self._apply(add, remove)
        self._changed()

    def same(self, resource: Resource) -> None:
        """Record that an old resource is unchanged, which needs no write."""
        with self._lock:
            self._apply([resource], [resource])

    def write(self) -> None:
        """Write the state although nothing has changed."""
        self._changed(wait=True)

    def _apply(self, add: Iterable[Resource], remove: Iterable[Resource]) -> None:
        for item in remove:
            self._base.pop(id(item), None)
            self._new.pop(id(item), None)
        self._new.update({id(item): item for item in add})

    def _changed(self, wait: bool = False) -> None:
        if self._offer is None:
            return
        number = self._offer()
        if wait and self._wait:
            self._wait(number)

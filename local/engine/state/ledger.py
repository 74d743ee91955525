"""What is so: the resources of the stack while operations change them, always ready to be written to the state."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable

from local.engine.state.state import Operation, Resource, Snapshot


class StateJournal:
    """Old resources that nothing was decided about yet, new ones in the order they were done, and begun operations.

    Nothing is written before `connect`: in a preview, never.
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
        """Have changes written: `offer` is called after each and returns a number, `wait` until that is on disk."""
        self._offer = offer
        self._wait = wait

    def snapshot(self) -> Snapshot:
        """The state as it is now."""
        with self._lock:
            return Snapshot((*self._new.values(), *self._base.values()), tuple(self._pending.values()))

    def resources(self) -> list[Resource]:
        """All resources as they are now."""
        return list(self.snapshot().resources)

    def begin(self, resource: Resource, type_: str) -> int:
        """Record that an operation begins. When this returns, the record is on disk. Returns a token for `end`."""
        with self._lock:
            token = next(self._tokens)
            self._pending[token] = Operation(resource, type_)
        self._changed(wait=True)
        return token

    def end(self, token: int, *, add: Iterable[Resource] = (), remove: Iterable[Resource] = ()) -> None:
        """Record that an operation ended and what came of it."""
        with self._lock:
            self._pending.pop(token, None)
            self._apply(add, remove)
        self._changed()

    def put(self, add: Iterable[Resource], remove: Iterable[Resource] = ()) -> None:
        """Record a change that took no operation."""
        with self._lock:
            self._apply(add, remove)
        self._changed()

    def same(self, resource: Resource) -> None:
        """Record that an old resource stays exactly as it is: nothing to write."""
        with self._lock:
            self._apply([resource], [resource])

    def write(self) -> None:
        """Have the state written although nothing changed."""
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

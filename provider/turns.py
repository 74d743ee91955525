"""The order in which the resources of one machine are deleted, whatever the order of the engine's requests.

Packages are needed until what they serve is undone, and the login is needed by everything. Engines know such an order
only from a program, and not always: programs of the package need not declare any between single chapters, and after a
killed run that renamed a host, its resources are in the state under two names.
"""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

from components.failure import Failure

PATIENCE = 3.0
"""Seconds without any other request after which nothing else is expected to be deleted by this run.

Unless everything that the engine runs at once is waiting: then it cannot send any other request.
"""
_LAST = {"packages": 0, "user": 1}
"""By the first word of a resource's title."""
_FIRST = 2


def rank(title: str) -> int:
    """Return the rank of a resource, by its title or its name in the host's record; the highest is deleted first."""
    return _LAST.get(title.replace("-", " ").partition(" ")[0], _FIRST)


@dataclass(eq=False)
class _Place:
    """A machine, by one of its names or host keys. `active`: titles that are being deleted, or wait for their turn.
    `ended`: how many deletions have ended. `failed`: the title of the highest rank that failed."""

    active: Counter[str] = field(default_factory=Counter)
    ended: int = 0
    failed: str = ""


class Turns:
    """What this process is deleting, what failed, and what waits."""

    def __init__(self, at_once: Callable[[], int] = lambda: 0) -> None:
        """`at_once`: returns how many operations the engine runs at once; 0 if that is not known."""
        self._at_once = at_once
        self._waiting = 0
        self._full = False
        self._changed = threading.Condition()
        self._places: dict[str, _Place] = {}
        self._running = 0
        self._latest = monotonic()
        self._cancelled = False

    @contextmanager
    def turn(
        self, host: str, title: str, left: Callable[[bool], Collection[str]], machine: Collection[str] = ()
    ) -> Iterator[None]:
        """Run the block when everything of a higher rank on the same machine is deleted.

        `left`: returns the titles that this run may still delete there; its argument is whether something was deleted
        since it was last asked. They are waited for as long as this run does anything. `machine`: host keys.
        Raises `Failure` if one of a higher rank failed, the run was cancelled, or the engine waits for this one before
        it asks for those of a higher rank.
        """
        with self._changed:
            places = [self._places.setdefault(place, _Place()) for place in (host, *machine)]
            self._enter(places, title)
        try:
            if rank(title) < _FIRST:
                self._wait(host, title, left, places)
            yield
        except BaseException:
            with self._changed:
                for place in places:
                    place.failed = max(place.failed or title, title, key=rank)
            raise
        finally:
            with self._changed:
                self._leave(places, title)

    def cancel(self) -> None:
        """Refuse what still waits for its turn: the run was interrupted."""
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()

    def _wait(self, host: str, title: str, left: Callable[[bool], Collection[str]], places: Collection[_Place]) -> None:
        seen = -1
        while True:
            with self._changed:
                self._refuse(host, title, places)
                ended = sum(place.ended for place in places)
                known = self._higher(title, self._active(places))
            if not known and not self._higher(title, left(seen not in (-1, ended))):
                return
            with self._changed:
                seen = ended
                self._running -= 1
                self._waiting += 1
                try:
                    if not self._await_news(title, places, seen):
                        self._refuse(host, title, places)
                        self._refuse_too_early(host, title)
                        return
                finally:
                    self._running += 1
                    self._waiting -= 1

    def _await_news(self, title: str, places: Collection[_Place], seen: int) -> bool:
        """Wait until a deletion on the machine ends; return False if nothing else is happening in this run."""
        while not self._cancelled and sum(place.ended for place in places) == seen:
            busy = self._running or self._higher(title, self._active(places))
            patience = None if busy else self._latest + PATIENCE - monotonic()
            if patience is not None and patience <= 0:
                return False
            self._changed.wait(patience)
        return True

    def _refuse(self, host: str, title: str, places: Collection[_Place]) -> None:
        if self._cancelled:
            raise Failure(f"{host}: {title}: not undone, because the run was interrupted. Run `destroy` again")
        failed = max((place.failed or title for place in places), key=rank)
        if rank(failed) > rank(title):
            raise Failure(
                f"{host}: {title}: not undone, because undoing {failed} failed. Run `destroy` again once that works"
            )

    def _refuse_too_early(self, host: str, title: str) -> None:
        """Raise `Failure` if what waits fills the engine. After the first, an engine may ask for nothing else."""
        limit = self._at_once()
        with self._changed:
            self._full = self._full or 0 < limit <= self._waiting
            if not self._full:
                return
        raise Failure(
            f"{host}: {title}: not undone yet: what needs it comes first, and the engine, which does {limit} things at "
            "once, asked for nothing else. Run `destroy` again, with a larger `--parallel`"
        )

    def _enter(self, places: Collection[_Place], title: str) -> None:
        for place in places:
            place.active[title] += 1
        self._running += 1
        self._note()

    def _leave(self, places: Collection[_Place], title: str) -> None:
        for place in places:
            place.active[title] -= 1
            place.ended += 1
        self._running -= 1
        self._note()

    def _note(self) -> None:
        self._latest = monotonic()
        self._changed.notify_all()

    @staticmethod
    def _active(places: Collection[_Place]) -> set[str]:
        return {title for place in places for title, count in place.active.items() if count > 0}

    @staticmethod
    def _higher(title: str, others: Collection[str]) -> bool:
        return any(rank(other) > rank(title) for other in others)

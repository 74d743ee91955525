"""The order in which the resources of one host are deleted.

Programs of the package need not declare any order between single chapters, so the engine deletes them concurrently. But
packages are needed until what they serve is undone, and the login is needed by everything.
"""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from time import monotonic

from components.failure import Failure

PATIENCE = 3.0
"""Seconds without any request for a host after which nothing else of it is expected to be deleted."""
_LAST = {"packages": 0, "user": 1}
"""By the first word of a resource's title."""
_FIRST = 2


def rank(title: str) -> int:
    """Return the rank of a resource, by its title or its name in the host's record; the highest is deleted first."""
    return _LAST.get(title.replace("-", " ").partition(" ")[0], _FIRST)


class Turns:
    """Who deletes what at the moment, and what failed, by host."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._active: dict[str, set[str]] = {}
        self._failed: dict[str, str] = {}
        self._latest: dict[str, float] = {}

    @contextmanager
    def turn(self, host: str, title: str, left: Callable[[], Collection[str]]) -> Iterator[None]:
        """Run the block when everything of a higher rank is deleted.

        `left`: returns the titles that this run may still delete. They are waited for as long as requests arrive.
        Raises `Failure` if one of a higher rank failed.
        """
        self._note(host, self._active.setdefault(host, set()).add, title)
        try:
            if rank(title) < _FIRST:
                self._wait(host, title, left)
            yield
        except BaseException:
            self._note(host, self._fail, host, title)
            raise
        finally:
            self._note(host, self._active[host].discard, title)

    def _wait(self, host: str, title: str, left: Callable[[], Collection[str]]) -> None:
        left()  # reads the host's record, once per run
        with self._changed:
            while True:
                failed = self._failed.get(host, title)
                if rank(failed) > rank(title):
                    raise Failure(
                        f"{host}: {title}: not undone, because undoing {failed} failed. Run `destroy` again once that "
                        "works"
                    )
                if self._higher(title, self._active[host]):
                    self._changed.wait()
                    continue
                patience = self._latest[host] + PATIENCE - monotonic()
                if patience <= 0 or not self._higher(title, left()):
                    return
                self._changed.wait(patience)

    def _fail(self, host: str, title: str) -> None:
        self._failed[host] = max(self._failed.get(host, title), title, key=rank)

    def _note(self, host: str, change: Callable[..., None], *words: str) -> None:
        with self._changed:
            change(*words)
            self._latest[host] = monotonic()
            self._changed.notify_all()

    @staticmethod
    def _higher(title: str, others: Collection[str]) -> bool:
        return any(rank(other) > rank(title) for other in others)

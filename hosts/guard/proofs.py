"""Changes of one host that are made at the same time are proved by the same logins, once all of them are in force."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from hosts.waiting import CONFIRMATION, waiting


class Proofs:
    """Those of one host. Any thread may call."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._coming: dict[str, str] = {}
        self._open: dict[str, Future[None]] = {}

    @contextmanager
    def change(self, title: str) -> Iterator[None]:
        """Let nobody wait any longer for this change when it ends, however it does."""
        try:
            yield
        finally:
            self._arrived(title)

    def coming(self, title: str, kind: str) -> None:
        """Tell that a change is being made that will want a proof of this `kind`."""
        with self._news:
            self._coming[title] = kind

    def prove(self, title: str, kind: str, logins: Callable[[], None], patience: float) -> None:
        """Make the `logins` that prove a change in force, or share in those that another change of the same `kind` is
        about to make. Those of its kind that are coming are waited for, `patience` seconds at most.

        Raises what `logins` raises.
        """
        self._arrived(title)
        with waiting(CONFIRMATION), self._news:
            proof = self._open.get(kind)
            first = proof is None
            if proof is None:
                proof = self._open[kind] = Future()
                self._news.wait_for(lambda: kind not in self._coming.values(), patience)
                del self._open[kind]  # what comes into force from here on, these logins may miss
        if first:
            try:
                logins()
            except BaseException as error:
                proof.set_exception(error)
                raise
            proof.set_result(None)
        with waiting(CONFIRMATION):
            proof.result()

    def _arrived(self, title: str) -> None:
        with self._news:
            self._coming.pop(title, None)
            self._news.notify_all()

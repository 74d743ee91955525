"""Concurrent changes of one host share the logins that prove them, made once all of the changes are in force."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from hosts.waiting import CONFIRMATION, waiting


class Proofs:
    """The proofs of one host. Thread-safe."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._coming: dict[str, str] = {}
        self._open: dict[str, Future[None]] = {}

    @contextmanager
    def change(self, title: str) -> Iterator[None]:
        """Run one change. Once it ends, successfully or not, nobody waits for it any longer."""
        try:
            yield
        finally:
            self._arrived(title)

    def coming(self, title: str, kind: str) -> None:
        """Announce a change that will need a proof of this `kind`."""
        with self._news:
            self._coming[title] = kind

    def prove(self, title: str, kind: str, logins: Callable[[], None], patience: float) -> None:
        """Prove a change in force by making `logins`, or by sharing those that another change of the same `kind` is
        about to make. Waits for announced changes of this kind, `patience` seconds at most.

        Raises what `logins` raises.
        """
        self._arrived(title)
        with waiting(CONFIRMATION), self._news:
            proof = self._open.get(kind)
            first = proof is None
            if proof is None:
                proof = self._open[kind] = Future()
                self._news.wait_for(lambda: kind not in self._coming.values(), patience)
                del self._open[kind]  # these logins may miss changes put in force from here on
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

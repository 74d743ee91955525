"""Concurrent reads of one host share one run."""

import asyncio
import time
from dataclasses import dataclass, field

from hosts.errors import HostError
from hosts.shell import Answer, Script
from hosts.ssh.session import HostSession
from hosts.waiting import Stopwatch, current, timed

LARGEST_BATCH = 64


@dataclass(frozen=True)
class _Wanted:
    script: Script
    answer: "asyncio.Future[Answer]"
    asked: float = field(default_factory=time.monotonic)
    clock: Stopwatch | None = field(default_factory=current)


class Reads:
    """Batches reads: those requested while a batch is running (or the host is connecting) form the next batch."""

    def __init__(self, session: HostSession) -> None:
        self._session = session
        self._waiting: list[_Wanted] = []
        self._worker: asyncio.Task[None] | None = None

    async def read(self, script: Script, resource: str) -> Answer:
        """See Host.read."""
        wanted = _Wanted(script, asyncio.get_running_loop().create_future())
        self._waiting.append(wanted)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        try:
            return await wanted.answer
        except HostError as error:
            raise error.during(resource=resource, step=script.step) from None

    async def _work(self) -> None:
        while self._waiting:
            shared = Stopwatch()
            try:
                with timed(shared):
                    await self._session.sequence.connected()
                    batch = self._take()
                    await self._answer(batch, shared)
            except HostError as error:
                failed = self._take_all()
                _record_times(failed, shared)
                self._fail(failed, error)
            except BaseException as error:  # a bug must not leave callers waiting forever
                self._fail(
                    self._take_all(), HostError(f"unexpected: {error!r}", secrets=self._session.access.secrets())
                )
                raise

    def _take(self) -> list[_Wanted]:
        """Return the next batch: as many reads as fit in one run as the same user."""
        as_root = self._waiting[0].script.as_root
        batch = [wanted for wanted in self._waiting if wanted.script.as_root is as_root][:LARGEST_BATCH]
        taken = set(map(id, batch))
        self._waiting = [wanted for wanted in self._waiting if id(wanted) not in taken]
        return batch

    def _take_all(self) -> list[_Wanted]:
        waiting, self._waiting = self._waiting, []
        return waiting

    async def _answer(self, batch: list[_Wanted], shared: Stopwatch) -> None:
        batch = [wanted for wanted in batch if not wanted.answer.done()]
        if not batch:
            return
        try:
            try:
                results = await self._session.attempt([wanted.script for wanted in batch])
            finally:
                _record_times(batch, shared)
        except HostError as error:
            self._fail(batch, error)
            return
        except BaseException:
            self._fail(batch, HostError("the read was interrupted"))
            raise
        for wanted, result in zip(batch, results, strict=False):
            if wanted.answer.done():
                continue
            if isinstance(result, HostError):
                wanted.answer.set_exception(result)
            else:
                wanted.answer.set_result(result)
        # an overdue read was stopped; those after it have not started and go in the next batch
        self._waiting = [*batch[len(results) :], *self._waiting]

    @staticmethod
    def _fail(batch: list[_Wanted], error: HostError) -> None:
        for wanted in batch:
            if not wanted.answer.done():
                wanted.answer.set_exception(error.during(resource=""))


def _record_times(batch: list[_Wanted], shared: Stopwatch) -> None:
    for wanted in batch:
        if wanted.clock is not None:
            wanted.clock.absorb(shared, wanted.asked)

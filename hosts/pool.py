"""The connection pool, the program's only global: one event loop in one thread, one connection per host."""

import asyncio
import atexit
import contextlib
import getpass
import os
import secrets
import socket
import threading
import time
from collections.abc import Coroutine
from typing import TypeVar

from hosts.errors import TimedOut
from hosts.guard.guarded import RunIdentity
from hosts.guard.record import RUN
from hosts.host import Host
from hosts.ssh.connection import Connection, HostAccess
from hosts.ssh.guesses import Guesses
from hosts.ssh.login import LoginSequence
from hosts.ssh.session import HostSession
from hosts.waiting import limit

T = TypeVar("T")

HANDSHAKES = 16
"""Concurrent SSH handshakes over all hosts; each takes CPU on both sides."""
_JUMP_PATIENCE = 60.0
_CLOSE_TIMEOUT = 10.0


class Pool:
    """Hosts by access data. Thread-safe."""

    def __init__(self) -> None:
        self.run = RunIdentity(
            os.environ.get(RUN) or secrets.token_hex(8),
            f"{getpass.getuser()}@{socket.gethostname()}, process {os.getpid()}",
        )
        """Name of this run, shown to others that find a host held."""
        self._guard = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._hosts: dict[HostAccess, Host] = {}
        self._ladders: list[LoginSequence] = []
        self._jumps: dict[Connection, LoginSequence] = {}
        self._handshakes_at_once = asyncio.Semaphore(HANDSHAKES)
        self._guesses = Guesses()

    def host(self, access: HostAccess) -> Host:
        """Return the host for this access data: the same object for equal data, another one for changed credentials.

        Does not connect before the first run.
        """
        with self._guard:
            self._start()
            if access not in self._hosts:
                sequence = self._sequence(access.name, access.logins_in_order(), access.patience)
                self._hosts[access] = Host(access, HostSession(access, sequence), self.call, self.run)
            return self._hosts[access]

    def connect_early(self, access: HostAccess) -> None:
        """Start connecting to a host that will be used soon. If that fails, the first use reports it."""
        host, loop = self.host(access), self._loop
        if loop is not None:
            asyncio.run_coroutine_threadsafe(host.expect(), loop)

    def call(self, work: Coroutine[object, object, T]) -> T:
        """Run a coroutine in the pool's loop and wait for its result in this thread, for no longer than `at_most` says.

        Raises TimedOut, and what the coroutine raises.
        """
        loop = self._loop
        if loop is None or threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("the pool is closed" if loop is None else "called from the pool's own thread")
        future = asyncio.run_coroutine_threadsafe(work, loop)
        seconds, end = limit() or (0.0, None)
        try:
            return future.result(None if end is None else max(end - time.monotonic(), 0))
        except TimeoutError:
            if future.done():  # its own
                raise
            future.cancel()
            error = TimedOut(f"the host has not answered everything within {seconds:.0f} s")
            error.not_reached = True
            raise error from None
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Close all connections and end the thread. The pool can be used again afterwards, with new connections."""
        with self._guard:
            loop, thread = self._loop, self._thread
            if loop is None or thread is None:
                return
            with contextlib.suppress(TimeoutError):  # otherwise the sockets close with the process
                asyncio.run_coroutine_threadsafe(self._hang_up(), loop).result(_CLOSE_TIMEOUT)
            self._loop = self._thread = None
            self._hosts.clear()
            self._jumps.clear()
            self._ladders.clear()
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_CLOSE_TIMEOUT)

    async def _hang_up(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        # hosts behind a jump host first: closing the jump host would break their connections
        for sequence in [sequence for sequence in self._ladders if sequence not in self._jumps.values()]:
            await sequence.close()
        for sequence in self._jumps.values():
            await sequence.close()
        for task in others:
            task.cancel()

    def _start(self) -> None:
        if self._loop is not None:
            return
        loop = asyncio.SelectorEventLoop()  # Windows' default loop cannot wait for a readable socket
        self._handshakes_at_once = asyncio.Semaphore(HANDSHAKES)
        self._guesses = Guesses()
        self._loop = loop
        self._thread = threading.Thread(target=loop.run_forever, name="ssh connections", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def _sequence(self, name: str, logins: tuple[tuple[str, Connection], ...], patience: float) -> LoginSequence:
        sequence = LoginSequence(name, logins, patience, self._handshakes_at_once, self._jump, guesses=self._guesses)
        self._ladders.append(sequence)
        return sequence

    def _jump(self, proxy: Connection) -> LoginSequence:
        """The single connection to a jump host, shared by all hosts behind it. Call in the loop."""
        if proxy not in self._jumps:
            self._jumps[proxy] = self._sequence(proxy.address, (("proxy", proxy),), _JUMP_PATIENCE)
        return self._jumps[proxy]


_pool = Pool()


def connection_pool() -> Pool:
    """The process-wide pool."""
    return _pool

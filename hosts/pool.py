"""The connection pool: the one global of the program. One loop in one thread, one connection per host."""

import asyncio
import atexit
import contextlib
import getpass
import os
import secrets
import socket
import threading
from collections.abc import Coroutine
from typing import TypeVar

from hosts.guard.guarded import RunIdentity
from hosts.guard.record import RUN
from hosts.host import Host
from hosts.ssh.connection import Connection, HostAccess
from hosts.ssh.guesses import Guesses
from hosts.ssh.login import LoginSequence
from hosts.ssh.session import HostSession

T = TypeVar("T")

HANDSHAKES = 16
"""SSH handshakes at a time, over all hosts: each costs some CPU on both sides."""
_JUMP_PATIENCE = 60.0
_CLOSE_TIMEOUT = 10.0


class Pool:
    """Hosts by their access. Safe to use from any number of threads."""

    def __init__(self) -> None:
        self.run = RunIdentity(
            os.environ.get(RUN) or secrets.token_hex(8),
            f"{getpass.getuser()}@{socket.gethostname()}, process {os.getpid()}",
        )
        """Who changes hosts here, for those who find a host taken."""
        self._guard = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._hosts: dict[HostAccess, Host] = {}
        self._ladders: list[LoginSequence] = []
        self._jumps: dict[Connection, LoginSequence] = {}
        self._handshakes_at_once = asyncio.Semaphore(HANDSHAKES)
        self._guesses = Guesses()

    def host(self, access: HostAccess) -> Host:
        """The host for this access: the same object for an equal access, another for changed credentials.

        Nothing is connected before the first run.
        """
        with self._guard:
            self._start()
            if access not in self._hosts:
                sequence = self._sequence(access.name, access.logins_in_order(), access.patience)
                self._hosts[access] = Host(access, HostSession(access, sequence), self.call, self.run)
            return self._hosts[access]

    def connect_early(self, access: HostAccess) -> None:
        """Begin to connect to a host that will be asked something soon. If that fails, whoever asks is told."""
        host, loop = self.host(access), self._loop
        if loop is not None:
            asyncio.run_coroutine_threadsafe(host.expect(), loop)

    def call(self, work: Coroutine[object, object, T]) -> T:
        """Run a coroutine in the pool's loop and wait for it here."""
        loop = self._loop
        if loop is None or threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("the pool is closed" if loop is None else "called from the pool's own thread")
        future = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Hang up everywhere and end the thread. The pool can be used again afterwards, with new connections."""
        with self._guard:
            loop, thread = self._loop, self._thread
            if loop is None or thread is None:
                return
            with contextlib.suppress(TimeoutError):  # else the sockets close with the process
                asyncio.run_coroutine_threadsafe(self._hang_up(), loop).result(_CLOSE_TIMEOUT)
            self._loop = self._thread = None
            self._hosts.clear()
            self._jumps.clear()
            self._ladders.clear()
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_CLOSE_TIMEOUT)

    async def _hang_up(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        # those behind a jump host first: closing the jump would only break them
        for sequence in [sequence for sequence in self._ladders if sequence not in self._jumps.values()]:
            await sequence.close()
        for sequence in self._jumps.values():
            await sequence.close()
        for task in others:
            task.cancel()

    def _start(self) -> None:
        if self._loop is not None:
            return
        loop = asyncio.SelectorEventLoop()  # Windows has another one by default, which cannot wait for a socket's words
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
        """The one connection to a jump host, shared by all hosts behind it. Called in the loop."""
        if proxy not in self._jumps:
            self._jumps[proxy] = self._sequence(proxy.address, (("proxy", proxy),), _JUMP_PATIENCE)
        return self._jumps[proxy]


_pool = Pool()


def connection_pool() -> Pool:
    """The process's pool."""
    return _pool

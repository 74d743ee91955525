"""A proxy between a tool and one real host that records questions and answers."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import asyncssh

from bench.simulated.keys import ALGORITHMS, Keys
from bench.simulated.recording import Recording


@dataclass(frozen=True)
class Real:
    """The real host: its address, its key, and private key files that may give access."""

    address: str
    host_key: str
    keys: tuple[str, ...]
    port: int = 22


@dataclass
class Recorder:
    """The current recording; `recording` may be replaced by a new one between two runs."""

    real: Real
    recording: Recording = field(default_factory=Recording)

    async def upstream(self, user: str) -> asyncssh.SSHClientConnection | None:
        """A login at the real host; None if it rejects the user."""
        trusted = asyncssh.import_known_hosts(f"* {self.real.host_key}")
        with suppress(asyncssh.PermissionDenied):
            return await asyncssh.connect(
                self.real.address,
                self.real.port,
                config=None,
                username=user,
                client_keys=list(self.real.keys),
                known_hosts=trusted,
                agent_path=None,
                preferred_auth="publickey",
            )
        return None


class _Door(asyncssh.SSHServer):
    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._upstream: dict[str, asyncssh.SSHClientConnection | None] = {}
        self._user = ""

    def begin_auth(self, username: str) -> bool:
        self._user = username
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        if username not in self._upstream:
            self._upstream[username] = await self._recorder.upstream(username)
            self._recorder.recording.logins.setdefault(username, []).append(self._upstream[username] is not None)
        return self._upstream[username] is not None

    def connection_lost(self, exc: Exception | None) -> None:
        for upstream in self._upstream.values():
            if upstream is not None:
                upstream.close()

    def session_requested(self) -> Any:
        upstream = self._upstream[self._user]
        assert upstream is not None
        return asyncssh.SSHServerProcess(lambda process: _pass_on(self._recorder, upstream, process), None, 3, False)


async def _pass_on(
    recorder: Recorder, upstream: asyncssh.SSHClientConnection, process: asyncssh.SSHServerProcess[bytes]
) -> None:
    command = process.command or ""
    with suppress(asyncssh.Error, OSError):  # one end hung up; an incomplete answer does not count
        remote = await upstream.create_process(command, encoding=None)
        feeding = asyncio.create_task(_copy(process.stdin, remote.stdin, end=True))
        stdout, stderr = await asyncio.gather(
            _copy(remote.stdout, process.stdout), _copy(remote.stderr, process.stderr)
        )
        status = (await remote.wait_closed()) or remote.exit_status or 0
        if feeding.done():
            stdin = feeding.result()
        else:  # the tool keeps the input open but sends nothing
            feeding.cancel()
            stdin = b""
        recorder.recording.add(command, stdin, stdout, stderr, status)
        process.exit(status)


async def _copy(source: Any, sink: Any, end: bool = False) -> bytes:
    copied = bytearray()
    while data := await source.read(65536):
        copied += data
        with suppress(BrokenPipeError):  # not all commands read to the end
            sink.write(data)
            await sink.drain()
    if end:
        sink.write_eof()
    return bytes(copied)


@contextmanager
def recording(real: Real, keys: Keys, address: str, port: int) -> Iterator[Recorder]:
    """A recorder that listens on a loopback address, in its own thread."""
    loop = asyncio.new_event_loop()
    recorder = Recorder(real)
    listening = asyncssh.listen(
        address,
        port,
        server_factory=lambda: _Door(recorder),
        server_host_keys=[keys.host],
        encoding=None,
        **ALGORITHMS,
    )
    acceptor = loop.run_until_complete(listening)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        asyncio.run_coroutine_threadsafe(_end(acceptor), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _end(acceptor: asyncssh.SSHAcceptor) -> None:
    acceptor.close()
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

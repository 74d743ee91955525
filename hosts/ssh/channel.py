"""One run over one channel: send the text, read the answers, track the progress."""

import asyncio
import contextlib
import re
from dataclasses import dataclass, field

import asyncssh

from hosts.shell import Answer, ComposedRun, Script, parse
from hosts.ssh.privilege import RootShell
from hosts.waiting import CHANNEL, REMOTE, waiting

OPEN_TIMEOUT = 75.0
"""Seconds to open a channel; keepalives detect a dead host earlier."""
OUTPUT_LIMIT = 64 * 2**20
"""Maximum bytes that one run may print."""


LET_IN_TIMEOUT = 30.0
"""Seconds from a sudo password to the root shell. PAM alone delays for two of them after a wrong password."""
_GOODBYE = 0.5
_LAST_WORDS = 5.0
_WORDS = 2**16
"""Maximum bytes that sudo and login scripts may print beforehand."""
_STDERR = asyncssh.EXTENDED_DATA_STDERR


@dataclass
class RunOutcome:
    """How a run ended. At most one of `finished`, `overdue`, `flooded`, `cut` is true; if none is, the shell ended
    early."""

    stdout: bytes = field(default=b"", repr=False)
    stderr: bytes = field(default=b"", repr=False)
    exit_status: int | None = None
    signal: str | None = None
    finished: bool = False
    overdue: bool = False
    flooded: bool = False
    cut: bool = False
    kept_out: bool = False
    """The shell that reads the scripts did not start, so none of them was sent."""
    at: int = -1
    """Index of the last script that is known to have started; -1 if none."""

    def pid(self, run: ComposedRun) -> int | None:
        """Process id of the host's shell, printed before its first script."""
        found = re.search(rf"\n{run.nonce} P (\d{{1,9}})\n".encode(), self.stdout)
        return int(found[1]) if found else None

    def answers(self, run: ComposedRun) -> list[Answer | None]:
        """One answer per script; None for scripts that did not finish. Raises `GarbledError`."""
        return parse(run, self.stdout, self.stderr)


class _Session(asyncssh.SSHClientSession[bytes]):
    """Collects both streams and wakes the reader on every change."""

    def __init__(self, run: ComposedRun) -> None:
        self.run = run
        self.streams = {None: bytearray(), asyncssh.EXTENDED_DATA_STDERR: bytearray()}
        self.changed = asyncio.Event()
        self.closed = False
        self.lost = False
        self.at = -1
        self._searched = 0

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self.streams[datatype] += data
        if datatype is None:
            self._advance()
        self.changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed, self.lost = True, exc is not None
        self.changed.set()

    def _advance(self) -> None:
        """Update which script is running, from the markers that show their start."""
        stdout = self.streams[None]
        for index in range(self.at + 1, len(self.run.scripts)):
            found = stdout.find(self.run.started(index), self._searched)
            if found >= 0:
                self.at, self._searched = index, found
        self._searched = max(self._searched, len(stdout) - 100)

    @property
    def complete(self) -> bool:
        """Whether both streams have reached their end marker. A daemon may still keep them open, but no more output
        counts."""
        return all(stream.endswith(self.run.finished) for stream in self.streams.values())

    @property
    def size(self) -> int:
        return sum(len(stream) for stream in self.streams.values())


async def execute(
    ssh: asyncssh.SSHClientConnection, entry: RootShell, run: ComposedRun, timeout: float | None
) -> RunOutcome:
    """Start a shell as `entry` says, and feed it the run's text.

    Every script has its own time limit, counted from its start on the host; `timeout` limits the whole run. Raises
    asyncssh.Error or OSError if the channel could not be opened; nothing was sent then.
    """
    try:
        with waiting(CHANNEL):
            async with asyncio.timeout(OPEN_TIMEOUT):
                channel, session = await ssh.create_session(lambda: _Session(run), entry.command, encoding=None)
    except TimeoutError:
        ssh.abort()  # so that nobody else waits for it
        raise
    session = _checked(session)
    outcome = RunOutcome()
    try:
        if entry.head:
            channel.write(entry.head)
        with waiting(REMOTE):
            if not entry.awaited or await _let_in(session, entry.awaited):
                channel.write(entry.tail + run.text)
                channel.write_eof()
                await _follow(session, run.scripts, timeout, outcome)
            else:
                channel.write_eof()
                await _goodbye(session, _LAST_WORDS)
                outcome.kept_out = True
    except (OSError, asyncssh.Error):
        outcome.cut = True
    finally:
        if not session.closed:
            channel.close()
    status, signal = channel.get_exit_status(), channel.get_exit_signal()
    outcome.stdout, outcome.stderr = (bytes(stream) for stream in session.streams.values())
    outcome.exit_status, outcome.signal = status, signal[0] if signal else None
    outcome.at = session.at
    return outcome


def _checked(session: object) -> _Session:
    if not isinstance(session, _Session):
        raise TypeError("asyncssh returned another session")
    return session


async def _let_in(session: _Session, awaited: bytes) -> bool:
    """Wait until the shell announces itself. Return False if sudo prints something else, ends, or takes too long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LET_IN_TIMEOUT):
            while awaited not in session.streams[None]:
                if session.closed or session.size > _WORDS or b"try again" in session.streams[_STDERR]:
                    return False
                session.changed.clear()
                await session.changed.wait()
            return True
    return False


async def _goodbye(session: _Session, patience: float = _GOODBYE) -> None:
    """Let the shell (and sudo) exit by themselves, because sshd counts the session until then. Do not wait for a daemon
    that the script left behind with our stdout, which keeps the channel open."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience):
            while not session.closed:
                session.changed.clear()
                await session.changed.wait()


async def _follow(session: _Session, scripts: tuple[Script, ...], timeout: float | None, outcome: RunOutcome) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    at, since = -1, begun
    while True:
        if session.complete:
            outcome.finished = True
            await _goodbye(session)
            return
        if session.closed:
            outcome.cut = session.lost
            return
        if session.size > OUTPUT_LIMIT:
            outcome.flooded = True
            return
        if session.at != at:
            at, since = session.at, loop.time()
        deadline = since + scripts[max(at, 0)].timeout
        if timeout is not None:
            deadline = min(deadline, begun + timeout)
        if loop.time() >= deadline:
            outcome.overdue = True
            return
        session.changed.clear()
        try:
            async with asyncio.timeout_at(deadline):
                await session.changed.wait()
        except TimeoutError:
            continue

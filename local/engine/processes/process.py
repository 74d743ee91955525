"""Child processes: plugins that print their port, and their later output."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from local.engine.errors import EngineError
from local.engine.processes.forks import Forked, Request

START_LIMIT = 60.0
STOP_LIMIT = 5.0
Output = Callable[[str], None]


def started(argv: Sequence[str], cwd: Path, env: Mapping[str, str], *, stdin: int) -> subprocess.Popen[str]:
    """Start a process in a session of its own, with text pipes. Raises OSError."""
    return subprocess.Popen(
        list(argv),
        cwd=cwd,
        env=dict(env),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )


class Process:
    """A child process in its own session, so that Ctrl-C reaches the engine alone. Its output waits to be read."""

    def __init__(
        self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], request: Request | None = None
    ) -> None:
        self.name = Path(argv[0]).name
        self._readers: list[threading.Thread] = []
        self._anew = functools.partial(started, argv, cwd, env, stdin=subprocess.PIPE)
        self._request = request
        self._lock = threading.Lock()
        self._there: subprocess.Popen[str] | Forked | None = None if request else self._new()

    def _new(self) -> subprocess.Popen[str]:
        try:
            return self._anew()
        except OSError as error:
            raise EngineError(f"cannot start {self._anew.args[0][0]}: {error.strerror}") from None

    @property
    def _child(self) -> subprocess.Popen[str] | Forked:
        child = self._begun(anew=True)
        assert child is not None
        return child

    def _begun(self, *, anew: bool) -> subprocess.Popen[str] | Forked | None:
        """The process: the requested fork, once it runs. Without a fork, a new process if `anew`, otherwise None."""
        with self._lock:
            if self._there is None and self._request is not None:
                try:
                    self._there = self._request.answered()
                except OSError:
                    self._request = None
            if self._there is None and anew:
                self._there = self._new()
            return self._there

    def send(self, line: str) -> None:
        """Write a line to the process's stdin, which stays open. If the process has ended, `wait` reports it."""
        if self._child.stdin is None:
            return
        try:
            self._child.stdin.write(line + "\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            return

    def read_port(self) -> int:
        """The port on the first line of stdout; raises EngineError if the process ends or prints something else."""
        with self._killed_after(START_LIMIT):
            line = self._child.stdout.readline() if self._child.stdout else ""
        if not line.strip().isdigit():
            raise EngineError(f"the plugin {self.name} did not start" + (f" (it printed {line!r})" if line else ""))
        return int(line)

    def show_output(self, output: Output, *, stdout: bool = True, stderr: bool = True) -> None:
        """From now on, pass the lines that the process prints to a callback."""
        for stream, wanted in ((self._child.stdout, stdout), (self._child.stderr, stderr)):
            if stream and wanted:
                thread = threading.Thread(target=_pass_on, args=[stream, output], daemon=True)
                thread.start()
                self._readers.append(thread)

    def wait(self) -> int:
        """Wait for the process and its output to end; returns its exit status."""
        status = self._child.wait()
        for reader in self._readers:
            reader.join(STOP_LIMIT)
        return status

    def stop(self) -> None:
        """End the process by SIGTERM, or after five seconds by SIGKILL."""
        child = self._begun(anew=False)
        if child is not None and child.poll() is None:
            self._signal(signal.SIGTERM)
            with self._killed_after(STOP_LIMIT):
                child.wait()  # with a timeout, Popen would poll every 50 ms
        for reader in self._readers:
            reader.join(STOP_LIMIT)

    def kill(self) -> None:
        """End the process at once."""
        child = self._begun(anew=False)
        if child is not None and child.poll() is None:
            self._signal(signal.SIGKILL)

    @contextmanager
    def _killed_after(self, seconds: float) -> Iterator[None]:
        """Kill the process if the block takes longer: the block ends when the process does."""
        timer = threading.Timer(seconds, self._signal, [signal.SIGKILL])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._child.pid, number)
        except ProcessLookupError:
            return


def _pass_on(stream: IO[str], output: Output) -> None:
    for line in stream:
        if line.strip():
            output(line.rstrip("\n"))

"""The engines' processes: detached from the terminal, so that Ctrl-C reaches each of them once, through us."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from local.engine.processes.forks import Forked
from local.engine.processes.process import started
from local.engine.run.interrupts import heard

GRACE = 20.0
"""Seconds that a process has to end after it was silent for too long, before it is killed."""


class StalledError(Exception):
    """A process was silent for too long; the message says what it was waiting for."""


@dataclass
class Watch:
    """How long a process may be silent: `limit` seconds after `heard()`.

    `warn` gets a message that includes `waits()`.
    """

    limit: Callable[[], float]
    heard: Callable[[], float]
    waits: Callable[[], str]
    warn: Callable[[str], None] = lambda _: None
    stalled: str = ""


class Processes:
    """Runs commands in many threads, and interrupts all of them. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str] | Forked] = set()
        self.interrupted = False

    def run(
        self,
        argv: Sequence[str],
        cwd: Path,
        environment: Mapping[str, str],
        on_output: Callable[[str], None],
        on_error: Callable[[str], None],
        *,
        watch: Watch | None = None,
    ) -> int:
        """Run one command to its end; return its exit status. Lines of output are passed on as they come."""
        return self.follow(started(argv, cwd, environment, stdin=subprocess.DEVNULL), on_output, on_error, watch=watch)

    def follow(
        self,
        process: subprocess.Popen[str] | Forked,
        on_output: Callable[[str], None],
        on_error: Callable[[str], None],
        *,
        watch: Watch | None = None,
    ) -> int:
        """The same for a process that is already running. Raises StalledError if it is silent for too long."""
        with process:
            with self._lock:
                self._running.add(process)
                if self.interrupted:
                    process.send_signal(signal.SIGINT)
            errors = threading.Thread(target=_forward, args=[process.stderr, on_error])
            errors.start()
            ended = threading.Event()
            watcher = threading.Thread(target=_look_after, args=[process, watch, ended], daemon=True)
            watcher.start()
            _forward(process.stdout, on_output)
            errors.join()
            status = process.wait()
            ended.set()
            watcher.join()
            with self._lock:
                self._running.discard(process)
            if watch and watch.stalled:
                raise StalledError(watch.stalled)
            return status

    def interrupt(self) -> None:
        """Interrupt all running processes: the first time they finish cleanly, the second time they end at once."""
        with self._lock:
            self.interrupted = True
            for process in self._running:
                process.send_signal(signal.SIGINT)

    def interruptible(self, interrupted: Callable[[], None]) -> AbstractContextManager[None]:
        """Pass Ctrl-C and SIGTERM on to the engines, and continue to the summary; `interrupted` is called each time."""

        def pass_on() -> None:
            interrupted()
            self.interrupt()

        return heard(pass_on, pass_on)


def _look_after(process: subprocess.Popen[str] | Forked, watch: Watch | None, ended: threading.Event) -> None:
    if watch is None:
        return
    while (left := watch.heard() + watch.limit() - time.monotonic()) > 0:
        if ended.wait(left):
            return
    watch.stalled = f"nothing was heard for {watch.limit():.0f} s: {watch.waits()}"
    watch.warn(watch.stalled)
    process.send_signal(signal.SIGINT)
    if not ended.wait(GRACE):
        with suppress(ProcessLookupError):
            leads = os.getpgid(process.pid) == process.pid
            (os.killpg if leads else os.kill)(process.pid, signal.SIGKILL)


def _forward(stream: Iterator[str] | None, receive: Callable[[str], None]) -> None:
    for line in stream or ():
        receive(line.rstrip("\n"))

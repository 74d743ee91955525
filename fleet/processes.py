"""The engines' processes: each apart from the terminal, so that Ctrl-C reaches each of them once, through us."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from local.engine.forks import Forked
from local.engine.interrupts import heard
from local.engine.processes import started


class Processes:
    """Runs commands in many threads, and interrupts all that run. Thread-safe."""

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
    ) -> int:
        """Run one command to its end; return its exit status. Lines of output are told as they come."""
        return self.follow(started(argv, cwd, environment, stdin=subprocess.DEVNULL), on_output, on_error)

    def follow(
        self,
        process: subprocess.Popen[str] | Forked,
        on_output: Callable[[str], None],
        on_error: Callable[[str], None],
    ) -> int:
        """The same for a process that runs already."""
        with process:
            with self._lock:
                self._running.add(process)
                if self.interrupted:
                    process.send_signal(signal.SIGINT)
            errors = threading.Thread(target=_tell, args=[process.stderr, on_error])
            errors.start()
            _tell(process.stdout, on_output)
            errors.join()
            status = process.wait()
            with self._lock:
                self._running.discard(process)
            return status

    def interrupt(self) -> None:
        """Have all that runs end in order; the second time, at once."""
        with self._lock:
            self.interrupted = True
            for process in self._running:
                process.send_signal(signal.SIGINT)

    def interruptible(self, told: Callable[[], None]) -> AbstractContextManager[None]:
        """Pass Ctrl-C and SIGTERM on to the engines, and go on to the summary; `told` is called each time."""

        def pass_on() -> None:
            told()
            self.interrupt()

        return heard(pass_on, pass_on)


def _tell(stream: Iterator[str] | None, tell: Callable[[str], None]) -> None:
    for line in stream or ():
        tell(line.rstrip("\n"))

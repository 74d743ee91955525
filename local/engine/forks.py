"""Processes forked from one that has loaded everything: the fork server (forking.py), as its clients see it.

Starting Python and importing the SDK, gRPC and what a program needs takes a second of CPU for each of the three
processes of a run. Who runs many stacks starts a fork server first; the runs find it in their environment.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

ADDRESS = "EMBEDDED_ENGINE_FORK_SERVER"
"""The environment variable with the server's Unix socket."""
READY = b"ready\n"


@contextmanager
def fork_server(folder: Path, preload: Sequence[str]) -> Iterator[Mapping[str, str]]:
    """Serve forks of a process in which the modules `preload` are loaded, found in `folder` first.

    Yields the environment variables that its clients need; none where it could not load them, which it has told on
    stderr. It ends with the block; what it has forked goes on.
    """
    with tempfile.TemporaryDirectory(prefix="pulumi-forks-") as private:
        address = str(Path(private) / "socket")
        argv = [sys.executable, "-u", "-m", f"{__package__}.forking", address, str(folder), *preload]
        with subprocess.Popen(
            argv,
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is its clients' matter
        ) as server:
            assert server.stdout
            assert server.stdin
            ready = server.stdout.readline() == READY
            try:
                yield {ADDRESS: address} if ready else {}
            finally:
                server.stdin.close()  # which ends it


class Forked:
    """A process forked by the server, with what is used here of `subprocess.Popen`.

    It runs `argv` as `python -u ARGV` would: a script, or `-m` and a module. `folder` is the project's. Raises OSError
    where there is no server, or one for another project or another Python.
    """

    def __init__(self, argv: Sequence[str], *, python: str, folder: Path, cwd: Path, env: Mapping[str, str]) -> None:
        self._server = socket.socket(socket.AF_UNIX)
        ours: list[int] = []
        theirs: list[int] = []
        try:
            self._server.connect(env[ADDRESS])
            for input_ in (True, False, False):
                read, write = os.pipe()
                ours.append(write if input_ else read)
                theirs.append(read if input_ else write)
            wanted = {"argv": list(argv), "python": python, "folder": str(folder), "cwd": str(cwd), "env": dict(env)}
            request = json.dumps(wanted).encode()
            socket.send_fds(self._server, [len(request).to_bytes(8, "big")], theirs)
            self._server.sendall(request)
            self._answers = self._server.makefile("r")
            answer = self._answers.readline().strip()
            if not answer.isdigit():
                raise OSError(answer or "the fork server has ended")
        except (OSError, KeyError) as error:
            self._server.close()
            for descriptor in ours:
                os.close(descriptor)
            raise OSError(str(error)) from None
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        self.pid = int(answer)
        self.stdin: IO[str] = open(ours[0], "w")  # noqa: SIM115 - a pipe, closed by who uses it
        self.stdout: IO[str] = open(ours[1], errors="replace")  # noqa: SIM115
        self.stderr: IO[str] = open(ours[2], errors="replace")  # noqa: SIM115
        self._ended = threading.Event()
        self._status = -signal.SIGKILL
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        status = self._answers.readline().strip()
        if status:
            self._status = int(status)
        self._ended.set()
        self._server.close()

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            stream.close()

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def poll(self) -> int | None:
        """The exit status, negative for a signal's number; None while it runs."""
        return self._status if self._ended.is_set() else None

    def wait(self) -> int:
        """Wait for the end and return the exit status."""
        self._ended.wait()
        return self._status

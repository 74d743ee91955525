"""The client side of the fork server (forking.py), which forks processes with everything already loaded.

Starting Python and importing the SDK, gRPC and a program's own modules takes a second of CPU for each process of a run.
A run loads them once (launch.py). A caller that runs many stacks loads them once for all of them: the runs find the
server in their environment.
"""

from __future__ import annotations

import json
import os
import select
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
_LOAD_LIMIT = 60.0


class ForkServer:
    """Serves forks of a process that has loaded the modules `preload`, searched in `folder` first.

    It accepts requests at once and answers them when it has loaded. Modules that are missing or fail to load are left
    to the forks. Raises OSError if it cannot be started.
    """

    def __init__(self, folder: Path, preload: Sequence[str]) -> None:
        self._private = tempfile.TemporaryDirectory(prefix="pulumi-forks-")
        address = str(Path(self._private.name) / "socket")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(address)
            listener.listen(64)
            number = listener.fileno()
            self._server = subprocess.Popen(
                [sys.executable, "-u", "-m", f"{__package__}.forking", str(number), str(folder), *preload],
                cwd=Path(__file__).parents[3],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=[number],
                start_new_session=True,  # its clients handle Ctrl-C
            )
        self.environment: Mapping[str, str] = {ADDRESS: address}
        """The environment variables that its clients need."""

    def retire(self) -> None:
        """Accept no more requests; pending ones are served."""
        self._private.cleanup()

    def close(self) -> None:
        """End the server; its forks keep running."""
        with self._server as server:
            server.terminate()
        self._private.cleanup()


@contextmanager
def fork_server(folder: Path, preload: Sequence[str]) -> Iterator[Mapping[str, str]]:
    """Run a fork server during a block; yields the environment variables that its clients need."""
    server = ForkServer(folder, preload)
    try:
        yield server.environment
    finally:
        server.close()


class Request:
    """A request to a fork server for a process.

    The process runs `argv` as `python -u ARGV` would: a script, or `-m` and a module. `folder` is the project's. Raises
    OSError if there is no server.
    """

    def __init__(self, argv: Sequence[str], *, python: str, folder: Path, cwd: Path, env: Mapping[str, str]) -> None:
        self._server = socket.socket(socket.AF_UNIX)
        self._server.settimeout(_LOAD_LIMIT)
        self._ours: list[int] = []
        theirs: list[int] = []
        try:
            self._server.connect(env[ADDRESS])
            for input_ in (True, False, False):
                read, write = os.pipe()
                self._ours.append(write if input_ else read)
                theirs.append(read if input_ else write)
            wanted = {"argv": list(argv), "python": python, "folder": str(folder), "cwd": str(cwd), "env": dict(env)}
            request = json.dumps(wanted).encode()
            socket.send_fds(self._server, [len(request).to_bytes(8, "big")], theirs)
            self._server.sendall(request)
        except (OSError, KeyError) as error:
            self._give_up()
            raise OSError(str(error)) from None
        finally:
            for descriptor in theirs:
                os.close(descriptor)

    def answered(self) -> Forked:
        """Wait for the process. Raises OSError if the server is gone, or belongs to another project or Python."""
        try:
            with self._server.makefile("r") as stream:
                answer = stream.readline().strip()
            if not answer.isdigit():
                raise OSError(answer or "the fork server has ended")
        except OSError:
            self._give_up()
            raise
        self._server.settimeout(None)
        return Forked(int(answer), self._server, self._ours)

    def _give_up(self) -> None:
        self._server.close()
        for descriptor in self._ours:
            os.close(descriptor)


class Forked:
    """A process forked by the server, with the part of the `subprocess.Popen` interface that is used here.

    One that outlives the server counts as killed by SIGKILL, however it ends.
    """

    def __init__(self, pid: int, server: socket.socket, pipes: Sequence[int]) -> None:
        self.pid = pid
        self._server = server
        self.stdin: IO[str] = open(pipes[0], "w")  # noqa: SIM115 - a pipe, closed by its user
        self.stdout: IO[str] = open(pipes[1], errors="replace")  # noqa: SIM115
        self.stderr: IO[str] = open(pipes[2], errors="replace")  # noqa: SIM115
        self._ended = threading.Event()
        self._status = -signal.SIGKILL
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        with self._server, self._server.makefile("r") as stream:
            status = stream.readline().strip()
        if status:
            self._status = int(status)
        else:  # the server is gone, and the status with it
            with suppress(OSError):
                watched = os.pidfd_open(self.pid)
                select.select([watched], [], [])
                os.close(watched)
        self._ended.set()

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

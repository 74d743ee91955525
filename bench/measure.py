"""Wall time, CPU time and peak memory of a command and all its descendants."""

import os
import resource
import secrets
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.costs.counters import cpu_seconds

MARK = "STOCKADE_BENCH_RUN"
INTERVAL = 0.1
LIMIT = 1200.0
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Measured:
    """One run of a command: seconds of wall and CPU time, bytes of memory (resident, all processes together)."""

    status: int
    output: str
    wall: float
    cpu: float
    memory: int


def measure(argv: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Measured:
    """Run a command to its end, for at most `LIMIT` seconds.

    Raises subprocess.TimeoutExpired.
    """
    tree, group = _Tree(), _Group.made()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    with (folder / "bench.log").open("w+") as log:
        process = subprocess.Popen(
            [*(group.entering if group else ()), *argv],
            cwd=folder,
            env={**environment, MARK: tree.mark},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        watcher = threading.Thread(target=tree.watch, daemon=True)
        watcher.start()
        try:
            status = process.wait(LIMIT)
            wall = time.perf_counter() - begun
        finally:
            tree.ended.set()
            if process.poll() is None:
                process.kill()
                process.wait()
            watcher.join()
        log.seek(0)
        output = log.read()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    cpu = group.left() if group else cpu + tree.left_over()
    return Measured(status, output, wall, cpu, tree.peak)


@dataclass(frozen=True)
class _Group:
    """A cgroup of the command's own, which counts every process, whoever its parent is when it ends."""

    folder: Path

    @classmethod
    def made(cls) -> "_Group | None":
        """Make one, if this machine lets us."""
        mounts = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
        for _, place, kind, *_ in mounts:
            if kind == "cgroup2":
                folder = Path(place, f"stockade-bench-{secrets.token_hex(4)}")
                try:
                    folder.mkdir()
                    (folder / "cgroup.procs").stat()
                except OSError:
                    continue
                return cls(folder)
        return None

    @property
    def entering(self) -> list[str]:
        """The beginning of a command that runs there."""
        return ["sh", "-c", 'echo "$$" >"$0" && exec "$@"', str(self.folder / "cgroup.procs")]

    def left(self) -> float:
        """The CPU seconds so far. Processes that still run, as ssh's masters do, go back to our own cgroup."""
        seconds = cpu_seconds((self.folder / "cpu.stat").read_text())
        for pid in (self.folder / "cgroup.procs").read_text().split():
            with suppress(OSError):
                (self.folder.parent / "cgroup.procs").write_text(pid)
        with suppress(OSError):  # something has just started there
            self.folder.rmdir()
        return seconds


class _Tree:
    """The processes with a mark in their environment, including those that left their parent, like ssh's masters."""

    def __init__(self) -> None:
        self.mark = secrets.token_hex(8)
        self.ended = threading.Event()
        self.peak = 0
        self._needle = f"{MARK}={self.mark}".encode()
        self._known: dict[int, bool] = {}

    def watch(self) -> None:
        """Sample until `ended`."""
        while not self.ended.wait(INTERVAL):
            self.peak = max(self.peak, sum(_resident(pid) for pid in self._members()))

    def left_over(self) -> float:
        """CPU seconds of running processes, which are not counted yet because no parent has waited for them."""
        return sum(_cpu(pid) for pid in self._members())

    def _members(self) -> list[int]:
        pids = {int(name) for name in os.listdir("/proc") if name.isdigit()}
        self._known = {pid: known for pid, known in self._known.items() if pid in pids}
        for pid in pids - set(self._known):
            self._known[pid] = self._needle in _read(pid, "environ")
        return [pid for pid, ours in self._known.items() if ours]


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:  # it has ended
        return b""


def _resident(pid: int) -> int:
    fields = _read(pid, "statm").split()
    return int(fields[1]) * _PAGE if len(fields) > 1 else 0


def _cpu(pid: int) -> float:
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS if len(fields) > 12 else 0.0

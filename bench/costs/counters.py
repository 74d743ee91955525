"""What a run costs on a lab host, read from outside, before and after it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.lab.api import LabHost


@dataclass(frozen=True)
class Counters:
    """CPU seconds of all its processes; processes and threads started; connections accepted; bytes in and out."""

    cpu: float = 0.0
    processes: int = 0
    connections: int = 0
    traffic: int = 0

    def __sub__(self, before: Counters) -> Counters:
        return Counters(
            self.cpu - before.cpu,
            self.processes - before.processes,
            self.connections - before.connections,
            self.traffic - before.traffic,
        )

    def __add__(self, other: Counters) -> Counters:
        return Counters(
            self.cpu + other.cpu,
            self.processes + other.processes,
            self.connections + other.connections,
            self.traffic + other.traffic,
        )


def of_host(host: LabHost) -> Counters:
    """Read them from the host's cgroup, process ids and network. They begin anew when it boots."""
    init = host.status().init_pid
    place = Path(f"/proc/{init}")
    inside = ["nsenter", f"--target={init}", "--pid", "--mount", "cat", "/proc/loadavg"]
    return Counters(
        cpu=cpu_seconds((place / "root/sys/fs/cgroup/cpu.stat").read_text()),
        # the last process id in the reader's namespace: each new process or thread takes the next one (proc(5))
        processes=int(subprocess.run(inside, capture_output=True, text=True, check=True).stdout.split()[-1]),
        connections=_named((place / "net/snmp").read_text(), "Tcp:")["PassiveOpens"],
        traffic=_bytes((place / "net/dev").read_text()),
    )


def cpu_seconds(stat: str) -> float:
    """The CPU time in a cgroup's cpu.stat."""
    return int(dict(line.split() for line in stat.splitlines())["usage_usec"]) / 1e6


def _named(text: str, row: str) -> dict[str, int]:
    names, values = (line.split()[1:] for line in text.splitlines() if line.startswith(row))
    return dict(zip(names, map(int, values), strict=True))


def _bytes(text: str) -> int:
    rows = (line.partition(":")[2].split() for line in text.splitlines() if line.strip().startswith("eth0:"))
    return sum(int(row[0]) + int(row[8]) for row in rows)

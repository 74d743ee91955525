"""Starts simulated hosts and controls their behaviour."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import IO, Any

from bench.simulated.keys import Keys

PORT = 2222
FIRST = IPv4Address(f"127.{16 + os.getpid() % 200}.0.1")
"""The first loopback address: Linux answers on all of 127.0.0.0/8.

Another checkout may be measuring at the same time.
"""


@dataclass(frozen=True)
class SimulatedHost:
    """One endpoint, with the attributes of a lab host."""

    name: str
    ipv4: str
    port: int
    key_file: Path
    known_hosts: Path
    host_key: str
    ipv6: str = ""


@dataclass(frozen=True)
class Seen:
    """What the endpoints saw since they were last reset."""

    connections: int
    """SSH connections made."""
    peak: int
    """The most open at once."""
    runs: int
    """Remote commands."""
    scripts: int
    """Scripts in them, if they were Stockade's."""
    looked: frozenset[str]
    """Addresses of the hosts that received any question."""
    unknown: frozenset[str]
    """Questions that are in no recording."""
    cpu: float
    """CPU seconds of the servers so far: they share the machine with the measured tool."""


class Endpoints:
    """All simulated hosts. Created by `serving`."""

    def __init__(self, hosts: Sequence[SimulatedHost], workers: Sequence["subprocess.Popen[str]"]) -> None:
        self.hosts = list(hosts)
        self._workers = list(workers)

    def load(self, recording: Path) -> None:
        """Replay this recording from its start."""
        self._order({"load": str(recording.absolute())})

    def rewind(self) -> None:
        """Replay from the start."""
        self._order({"rewind": True})

    def behave(self, hosts: Sequence[SimulatedHost], **how: Any) -> None:
        """Set `delay` (seconds before each answer) or `changed` (answers as before the first change)."""
        self._order({"set": how}, hosts)

    def door(self, hosts: Sequence[SimulatedHost], kind: str) -> None:
        """`open`, `silent` (accepts connections, sends nothing) or `shut` (refuses them)."""
        self._order({"door": kind}, hosts)

    def forget(self) -> None:
        """Reset the counters."""
        self._order({"forget": True})

    def seen(self) -> Seen:
        """What happened since `forget`."""
        answers = self._order({})
        counts: Counter[str] = Counter()
        for answer in answers:
            counts.update({key: value for key, value in answer.items() if not isinstance(value, list)})
        return Seen(
            connections=int(counts["connections"]),
            peak=int(counts["peak"]),
            runs=int(counts["runs"]),
            scripts=int(counts["scripts"]),
            looked=frozenset(address for answer in answers for address in answer["looked"]),
            unknown=frozenset(text for answer in answers for text in answer["unknown"]),
            cpu=counts["cpu"],
        )

    def _order(self, order: dict[str, Any], hosts: Sequence[SimulatedHost] | None = None) -> list[dict[str, Any]]:
        for number, worker in enumerate(self._workers):
            mine = self.hosts[number :: len(self._workers)]
            chosen = [host.ipv4 for host in mine if hosts is not None and host in hosts]
            _pipe(worker.stdin).write(json.dumps({**order, "hosts": chosen}) + "\n")
            _pipe(worker.stdin).flush()
        return [json.loads(_pipe(worker.stdout).readline()) for worker in self._workers]


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def simulated(count: int, keys: Keys, port: int = PORT, first: str = str(FIRST)) -> list[SimulatedHost]:
    """Define this many hosts, on addresses from `first` on; nothing listens yet."""
    known = keys.known_hosts
    return [
        SimulatedHost(
            f"host{number:04}",
            str(IPv4Address(first) + number - 1),
            port,
            keys.user_file,
            known,
            keys.host_line,
        )
        for number in range(1, count + 1)
    ]


@contextmanager
def serving(hosts: Sequence[SimulatedHost], keys: Keys, workers: int = 2) -> Iterator[Endpoints]:
    """Make hosts listen, spread over `workers` processes, which end with the block."""
    workers = min(workers, len(hosts))
    processes: list[subprocess.Popen[str]] = []
    try:
        for number in range(workers):
            addresses = [host.ipv4 for host in hosts[number::workers]]
            argv = [sys.executable, "-m", "bench.simulated.player", str(keys.folder.absolute()), str(hosts[0].port)]
            processes.append(
                subprocess.Popen(
                    [*argv, *addresses],
                    cwd=Path(__file__).parents[2],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
        for process in processes:
            if "ready" not in _pipe(process.stdout).readline():
                raise RuntimeError("the simulated hosts could not be started: see above")
        yield Endpoints(hosts, processes)
    finally:
        for process in processes:
            _pipe(process.stdin).close()
        for process in processes:
            process.wait(30)
            _pipe(process.stdout).close()

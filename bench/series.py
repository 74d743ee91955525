"""One series: fresh hosts, one tool, every phase. A sample counts only if the result was verified."""

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from bench.costs.counters import Counters, of_host
from bench.job import FRESH, Job
from bench.measure import Measured, measure
from bench.tools.base import Phase, Tool
from bench.verify import faults, logins
from local.lab.api import LabHost

AGAIN = (Phase.NOTHING, Phase.DRIFT, Phase.RULE)
FIRST_PORT = 8080


@dataclass(frozen=True)
class Sample:
    """One measured command. `looked`: the number of hosts that it logged in to; None if that cannot be determined.

    The last four are what it cost the hosts, all together (`bench/costs/counters.py`); `cpu` is the controller's.
    """

    tool: str
    hosts: int
    phase: str
    wall: float
    cpu: float
    memory: int
    looked: int | None
    fault: str = ""
    host_cpu: float = 0.0
    processes: int = 0
    connections: int = 0
    traffic: int = 0


def fresh(hosts: Sequence[LabHost]) -> None:
    """Reset hosts to the state that every tool starts from."""

    def one(host: LabHost) -> None:
        host.reset()
        host.exec(FRESH)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, hosts))


def run(
    kind: type[Tool], hosts: Sequence[LabHost], repeats: int, told: Callable[[Sample], None], work: Path
) -> list[Sample]:
    """Measure one tool: the first apply, then each of the other phases `repeats` times."""
    key = Path(f"{hosts[0].key_file}.pub").read_text()
    fresh(hosts)
    tool = kind(Path(mkdtemp(prefix=f"{kind.name}-", dir=work)) / "run", hosts)
    samples: list[Sample] = []
    ports: tuple[int, ...] = ()
    try:
        for phase in (Phase.FIRST, *AGAIN * repeats):
            if phase is Phase.RULE:
                ports = (*ports, FIRST_PORT + len(ports))
            job = Job(key, ports)
            tool.write(job, phase)
            argv = tool.argv(phase)
            if argv is None:
                continue
            before = [logins(host) for host in hosts]
            counted = [of_host(host) for host in hosts]
            measured = measure(argv, tool.folder, tool.environment)
            cost = sum((of_host(host) - one for host, one in zip(hosts, counted, strict=True)), Counters())
            looked = sum(logins(host) > count for host, count in zip(hosts, before, strict=True))
            sample = Sample(
                tool=kind.name,
                hosts=len(hosts),
                phase=phase.value,
                wall=measured.wall,
                cpu=measured.cpu,
                memory=measured.memory,
                looked=None if kind.keeps_connections else looked,
                fault=_fault(measured, hosts, job),
                host_cpu=cost.cpu,
                processes=cost.processes,
                connections=cost.connections,
                traffic=cost.traffic,
            )
            samples.append(sample)
            told(sample)
            if sample.fault:
                print(measured.output[-3000:], file=sys.stderr)
                break
    finally:
        tool.close()
    return samples


def _fault(measured: Measured, hosts: Sequence[LabHost], job: Job) -> str:
    """Why the sample does not count; empty if it does."""
    if measured.status:
        return f"ended with status {measured.status}"
    return "; ".join(faults(list(hosts), job))

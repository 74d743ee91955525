"""`python -m bench.thousand`: the cost of many hosts on the machine that manages them, measured with simulated hosts.

One real lab host is hardened and read through a recorder (bench/simulated/). Then any number of SSH endpoints on
loopback addresses replay its answers. Stockade runs with its hosts in stacks of 100, two stacks at a time; Ansible and
pyinfra do the same job on the same endpoints. Needs root on Linux (the lab), unless `--reuse` finds all recordings.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.job import Job
from bench.measure import Measured, measure
from bench.simulated.endpoints import Endpoints, SimulatedHost, serving, simulated
from bench.simulated.keys import Keys
from bench.simulated.record import OPEN, record
from bench.thousand_report import Row, keep, kept, publish, table
from bench.tools.ansible import Ansible
from bench.tools.base import Phase, Tool
from bench.tools.pyinfra import Pyinfra
from bench.tools.shards import Shards, ShardsCli

WORK = Path(__file__).parents[1] / ".bench"
KEPT = WORK / "recordings"
ROWS = WORK / "thousand.json"
OURS: tuple[type[Tool], ...] = (Shards, ShardsCli)
OTHERS: tuple[type[Tool], ...] = (Pyinfra, Ansible)
LOOKING = (Phase.NOTHING, Phase.DRIFT)
SERVERS = 2
"""Processes of simulated hosts: they use some of the machine's cores."""


def main(arguments: list[str] | None = None) -> int:
    """Record, measure, print, optionally publish; returns the exit status: 1 if a run failed."""
    options = _parser().parse_args(arguments)
    keys = Keys.made(WORK / "keys")
    tools = [kind for kind in (*OURS, *OTHERS) if kind.name in options.tools.split(",") and _there(kind)]
    begun = time.monotonic()
    _recordings(tools, keys, options.prefix, again=not options.reuse)
    hosts = simulated(max(options.hosts), keys)
    rows = kept(ROWS) if options.add else []
    with serving(hosts, keys, SERVERS) as endpoints:
        endpoints.behave(hosts, delay=options.delay)
        for count in options.hosts:
            for kind in tools:
                if count <= (options.others if kind in OTHERS else max(options.hosts)):
                    new = _series(kind, hosts[:count], endpoints, keys, options)
                    rows = keep(ROWS, [row for row in rows if not row.repeated(new)] + new)
    print(f"\n{table(rows)}\n\n{time.monotonic() - begun:.0f} s in all")
    if options.publish:
        versions = [kind.version() for kind in tools]
        publish(rows, versions, " ".join(["python -m bench.thousand", *(arguments or sys.argv[1:])]), options.delay)
    return int(any(row.fault for row in rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.thousand", description=__doc__.partition("\n")[0])
    names = ",".join(kind.name for kind in (*OURS, *OTHERS))
    counts = lambda text: tuple(int(word) for word in text.split(","))  # noqa: E731
    parser.add_argument("--hosts", type=counts, default=(1, 50, 250, 1000), metavar="N,N", help="(1,50,250,1000)")
    parser.add_argument("--shard", type=int, default=100, help="hosts in a stack (100)")
    parser.add_argument("--stacks", type=int, default=2, help="stacks that run at a time (2)")
    parser.add_argument("--parallel", type=int, default=64, help="operations at once in one stack (64)")
    parser.add_argument("--delay", type=float, default=0.1, help="seconds that a host takes to answer (0.1)")
    parser.add_argument("--tools", default=names, help=f"some of {names}; those that are not there are left out")
    parser.add_argument("--others", type=int, default=50, help="the most hosts that other tools get (50)")
    parser.add_argument("--prefix", default="scale", help="the name of the lab host starts with this (scale)")
    parser.add_argument("--reuse", action="store_true", help="play back the recordings of the last time")
    parser.add_argument("--add", action="store_true", help="keep the rows of the last time that are not measured anew")
    parser.add_argument("--publish", action="store_true", help="write docs/performance.md")
    return parser


def _there(kind: type[Tool]) -> bool:
    why = kind.missing()
    if why:
        print(f"{kind.name} is left out: {why}")
    return not why


def _kept(kind: type[Tool]) -> Path:
    return KEPT / f"{kind.name.partition('-')[0]}.json"


def _recordings(tools: Sequence[type[Tool]], keys: Keys, prefix: str, *, again: bool) -> None:
    """Record each tool on a lab host; Stockade only once, because both engines send the same."""
    wanted = {_kept(kind): kind for kind in reversed(tools) if again or not _kept(kind).exists()}
    if not wanted:
        return
    from local.lab.api import Lab

    KEPT.mkdir(parents=True, exist_ok=True)
    lab = Lab()
    try:
        (host,) = lab.up([f"{prefix}1"])
        for file, kind in wanted.items():
            begun = time.monotonic()
            with _folder(f"record-{kind.name}") as folder:
                record(kind, host, keys, folder, phases=(*LOOKING, *LOOKING), keep=file)
            print(f"recorded {kind.name} on a lab host in {time.monotonic() - begun:.0f} s", flush=True)
    finally:
        lab.down([f"{prefix}1"])


@contextmanager
def _folder(name: str) -> Iterator[Path]:
    path = WORK / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    yield path / "run"


def _series(
    kind: type[Tool], hosts: Sequence[SimulatedHost], endpoints: Endpoints, keys: Keys, options: argparse.Namespace
) -> list[Row]:
    """All phases of one tool on this many hosts."""
    endpoints.load(_kept(kind))
    rows: list[Row] = []
    with _folder(f"{kind.name}-{len(hosts)}") as folder:
        tool = kind(folder, hosts)
        if isinstance(tool, Shards):
            tool.size, tool.stacks, tool.parallel = options.shard, options.stacks, options.parallel
        try:
            for phase in ((Phase.FIRST,) if kind in OURS else ()) + LOOKING:
                tool.write(Job(keys.user_line, OPEN), phase if kind in OURS else Phase.NOTHING)
                row = _measured(tool, phase, endpoints)
                rows.append(row)
                print(row.line(), flush=True)
                if row.fault:
                    break
        finally:
            tool.close()
    return rows


def _measured(tool: Tool, phase: Phase, endpoints: Endpoints) -> Row:
    if not isinstance(tool, Shards):
        endpoints.rewind()  # it asks the same questions again, in the same order
    argv = tool.argv(phase)
    assert argv is not None
    endpoints.forget()
    before = endpoints.seen().cpu
    measured = measure(argv, tool.folder, tool.environment)
    seen = endpoints.seen()
    return Row(
        tool=tool.name,
        hosts=len(tool.hosts),
        phase=phase.value,
        wall=measured.wall,
        cpu=measured.cpu,
        memory=measured.memory,
        connections=seen.connections,
        runs=seen.runs,
        servers=seen.cpu - before,
        state=tool.state_bytes() if isinstance(tool, Shards) else 0,
        fault=_fault(tool, phase, measured, len(seen.looked), seen.unknown),
    )


def _fault(tool: Tool, phase: Phase, measured: Measured, looked: int, unknown: frozenset[str]) -> str:
    """Why the sample does not count; empty if it does."""
    if unknown:
        return f"asked what is in no recording (made with other scripts? leave --reuse out): {sorted(unknown)[0]}"
    if measured.status:
        return f"ended with status {measured.status}:\n{measured.output[-2000:]}"
    expected = 0 if isinstance(tool, Shards) and phase is Phase.NOTHING else len(tool.hosts)
    return "" if looked == expected else f"looked at {looked} hosts instead of {expected}"


if __name__ == "__main__":
    sys.exit(main())

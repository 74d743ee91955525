"""`python -m bench.shards`: the cost of a stack by size, in bytes of state and in seconds, with each engine.

No hosts are involved: the stack has as many resources as `HardenedHost`s would, with as much state, and nothing to do.
So this measures the engine, and how its cost grows with the stack.
"""

import argparse
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.measure import measure
from tests.engine.conftest import STACK, Sample, make_sample

RESOURCES, BYTES = 9, 2000
"""Custom resources per host, besides its component, and the size of each one's inputs (repeated in its outputs)."""


@dataclass(frozen=True)
class Row:
    """One size with one engine; seconds of wall and CPU time."""

    engine: str
    hosts: int
    state: int
    first: tuple[float, float]
    nothing: tuple[float, float]

    def line(self) -> str:
        """A row of the table in docs/performance.md."""
        figures = [self.first[0], self.first[1], self.nothing[0], self.nothing[1]]
        per_host = " | ".join(f"{1000 * seconds / self.hosts:.0f}" for seconds in figures)
        return f"| {self.engine} | {self.hosts} | {self.state / self.hosts / 1000:.0f} | {per_host} |"


def main() -> None:
    """Measure each size with each engine that is installed, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.shards", description=__doc__.partition("\n")[0])
    parser.add_argument("--hosts", default="10,25,50", help="hosts in the stack (10,25,50)")
    options = parser.parse_args()
    engines = ["embedded", *(["pulumi"] if shutil.which("pulumi") else [])]
    print("| engine | hosts | kB of state | first `up`: ms | of CPU | nothing to do: ms | of CPU |")
    print("|---|---|---|---|---|---|---|")
    for engine in engines:
        for hosts in map(int, options.hosts.split(",")):
            print(_row(engine, hosts).line(), flush=True)


def _row(engine: str, hosts: int) -> Row:
    with tempfile.TemporaryDirectory(prefix="stockade-bench-") as folder:
        sample = make_sample(Path(folder) / "items")
        items: dict[str, object] = {}
        for host in range(hosts):
            items[f"web{host}"] = {"type": "host"}
            for number in range(RESOURCES):
                text = f"{host}-{number} ".ljust(BYTES, "x")
                items[f"web{host}-{number}"] = {"props": {"text": text}, "options": {"parent": f"web{host}"}}
        sample.spec(items)
        first, nothing = (_seconds(sample, engine) for _ in range(2))
        return Row(engine, hosts, sample.state_file.stat().st_size, first, nothing)


def _seconds(sample: Sample, engine: str) -> tuple[float, float]:
    options = ["--stack", STACK, "--cwd", str(sample.folder), "--yes", "--skip-preview", "--parallel", "64"]
    argv = ["pulumi", "up", *options] if engine == "pulumi" else sample.command("up", *options[4:])
    done = measure(argv, sample.folder, {**sample.environment, "PYTHONPATH": str(Path(__file__).parents[1])})
    if done.status:
        raise SystemExit(done.output)
    return done.wall, done.cpu


if __name__ == "__main__":
    main()

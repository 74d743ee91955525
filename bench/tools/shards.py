"""Stockade with its hosts in stacks of so many, some stacks at a time, as docs/performance.md recommends."""

import sys

from bench.job import Job
from bench.tools.base import Phase
from bench.tools.stockade import Cli, Embedded
from tests.lab.stack import Stack

_ALL = """\
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor


def run(argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        print(done.stdout[-2000:], flush=True)
    return done.returncode


with ThreadPoolExecutor({stacks}) as pool:
    sys.exit(max(pool.map(run, {commands!r})))
"""


class Shards(Embedded):
    """Stacks of `size` hosts in one project, `stacks` of them at a time, `parallel` operations at once in each."""

    size = 50
    stacks = 2
    parallel = 64

    @property
    def names(self) -> list[str]:
        """The stacks' names."""
        return [f"bench{number:03}" for number in range(0, len(self.hosts), self.size)]

    def write(self, job: Job, phase: Phase) -> None:
        if phase is not Phase.FIRST:
            return
        self.stack = Stack(self.folder / "project", name="")
        for number, name in enumerate(self.names):
            self.stack.name = name
            self._configure(job, self.hosts[number * self.size : (number + 1) * self.size])

    def argv(self, phase: Phase) -> list[str] | None:
        commands = [self._command(phase, name, self.parallel) for name in self.names]
        if len(commands) == 1:
            return commands[0]
        (self.folder / "all.py").write_text(_ALL.format(stacks=self.stacks, commands=commands))
        return [sys.executable, "all.py"]

    def state_bytes(self) -> int:
        """What all stacks' state takes on disk."""
        folder = self.stack.folder / ".state" / ".pulumi" / "stacks"
        return sum((folder / "stockade" / f"{name}.json").stat().st_size for name in self.names)


class ShardsCli(Shards, Cli):
    """The same with the real CLI."""

    name = Cli.name
    engine = Cli.engine

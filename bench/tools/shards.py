"""Stockade as a fleet: its hosts in several stacks, some run in parallel, as docs/performance.md recommends."""

import json
import sys

from bench.job import Job
from bench.tools.base import Phase
from bench.tools.stockade import Cli, Embedded
from components.config.shards import stack_of
from tests.lab.stack import Stack

_COMMANDS = {Phase.FIRST: ("up", "--yes"), Phase.NOTHING: ("up", "--yes"), Phase.DRIFT: ("drift",)}
NAME = "bench"


class Shards(Embedded):
    """Stacks of `size` hosts in one environment: `stacks` in parallel, with `parallel` parallel operations in each."""

    size = 100
    stacks = 2
    parallel = 64

    @property
    def names(self) -> list[str]:
        """The stacks' names."""
        return [stack_of(NAME, number) for number in range(1, -(-len(self.hosts) // self.size) + 1)]

    def write(self, job: Job, phase: Phase) -> None:
        if phase is not Phase.FIRST:
            return
        self.stack = Stack(self.folder / "project", name=NAME)
        entries = self._entries(self.hosts)
        inventory = {name: {**entries[name], "shard": 1 + place // self.size} for place, name in enumerate(entries)}
        (self.stack.folder / "stacks" / "hosts.json").write_text(json.dumps(inventory))
        self._configure(job, inventory="stacks/hosts.json", shard={"of": len(self.names)})

    def argv(self, phase: Phase) -> list[str] | None:
        command, *options = _COMMANDS[phase]
        options += ["--parallel-stacks", str(self.stacks), "--parallel", str(self.parallel)]
        return [sys.executable, "-m", "fleet", command, NAME, "-C", str(self.stack.folder), *options]

    def state_bytes(self) -> int:
        """The size of all stacks' state on disk."""
        folder = self.stack.folder / ".state" / ".pulumi" / "stacks"
        return sum((folder / "stockade" / f"{name}.json").stat().st_size for name in self.names)


class ShardsCli(Shards, Cli):
    """The same with the real CLI."""

    name = Cli.name
    engine = Cli.engine

"""Runs a fleet's stacks with the embedded engine, each in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pulumi.automation.events import EngineEvent

from fleet.environment import Environment
from fleet.job import Job, SilenceLimits, StackRun
from fleet.outcome import StackOutcome
from fleet.processes import Processes, StalledError
from local.commands import policy_environment
from local.engine.processes.forks import Forked, Request, fork_server
from local.engine.processes.process import started
from local.engine.state.moving import move
from local.engine.state.session import open_session, stacks_of

ROOT = Path(__file__).parents[1]
PRELOAD = ("local.engine.run.run", "provider.loaded")
"""Modules that the processes of a run load."""


class Embedded:
    """The engine in local/engine. See fleet.job.Engine."""

    def __init__(self, environment: Environment, processes: Processes, limits: SilenceLimits) -> None:
        self._folder, self._processes, self._limits = environment.folder, processes, limits
        self._forks: Mapping[str, str] = {}

    @contextmanager
    def many(self) -> Iterator[None]:
        """See Engine."""
        with fork_server(self._folder, PRELOAD) as self._forks:
            yield
        self._forks = {}

    def stacks(self) -> frozenset[str]:
        """See Engine."""
        return stacks_of(self._folder)

    def create(self, stack: str) -> None:
        """See Engine."""
        open_session(self._folder, stack, create=True).stored()

    def resources(self, stack: str) -> Sequence[Mapping[str, Any]]:
        """See Engine."""
        deployment = open_session(self._folder, stack, create=False).backend.read()
        found: list[dict[str, Any]] = deployment.get("resources", [])
        return found

    def move(self, source: str, dest: str, urns: Sequence[str]) -> None:
        """See Engine."""
        leaving, entering = (open_session(self._folder, stack, create=False).stored() for stack in (source, dest))
        move(leaving, entering, urns)

    def run(self, stack: str, job: Job, run: StackRun) -> StackOutcome:
        """See Engine."""
        status = 1
        with tempfile.TemporaryDirectory(prefix="stockade-fleet-") as folder, _events(Path(folder), run) as log:
            words = ["-m", "local.engine", *_words(job), "--stack", stack]
            words += ["--cwd", str(self._folder), "--event-log", str(log), *job.policies(stack)]
            process = self._started(words, {**job.extra, **policy_environment(job.policies(stack), self._folder)})
            with suppress(StalledError):  # already reported
                status = self._processes.follow(process, run.print, run.print, watch=self._limits.watch(run))
        return run.ended(ok=status == 0, cancelled=self._processes.interrupted)

    def _started(self, words: Sequence[str], extra: Mapping[str, str]) -> subprocess.Popen[str] | Forked:
        environment = {**os.environ, **self._forks, **extra}
        if self._forks:
            with suppress(OSError):  # the server has ended; a new process does the same
                return Request(words, python=sys.executable, folder=self._folder, cwd=ROOT, env=environment).answered()
        return started([sys.executable, *words], ROOT, environment, stdin=subprocess.DEVNULL)


@contextmanager
def _events(folder: Path, run: StackRun) -> Iterator[Path]:
    """Yield a file from which events are forwarded as they are written."""
    file = folder / "events"
    os.mkfifo(file)
    # open for both: this neither waits for the engine to open it, nor ends before we close it
    with open(os.open(file, os.O_RDWR), "r+b", buffering=0) as both, open(os.dup(both.fileno())) as lines:
        reader = threading.Thread(target=_forward, args=[lines, run])
        reader.start()
        try:
            yield file
        finally:
            os.write(both.fileno(), b"\n")
            reader.join()


def _forward(lines: Iterator[str], run: StackRun) -> None:
    for line in lines:
        if not line.strip():
            return
        run.event(EngineEvent.from_json(json.loads(line)))


def _words(job: Job) -> list[str]:
    words = {"preview": ["preview"], "drift": ["refresh", "--preview-only"]}.get(job.command, [job.command, "--yes"])
    words += [*(["--diff"] if job.diff else []), *(["--refresh"] if job.refresh else [])]
    return [*words, "--parallel", str(job.parallel)] if job.parallel else words

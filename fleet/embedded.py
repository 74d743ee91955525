"""A fleet's stacks run by the embedded engine, in a process for each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pulumi.automation.events import EngineEvent

from fleet.environment import Environment
from fleet.job import Job, Run
from fleet.outcome import Outcome
from fleet.processes import Processes
from local.engine.forks import Forked, Request, fork_server
from local.engine.moving import move
from local.engine.processes import started
from local.engine.session import open_session, there_is

ROOT = Path(__file__).parents[1]
PRELOAD = ("local.engine.run", "provider.loaded")
"""What the processes of a run load."""


class Embedded:
    """The engine in local/engine. See fleet.job.Engine."""

    def __init__(self, environment: Environment, processes: Processes) -> None:
        self._folder, self._processes = environment.folder, processes
        self._forks: Mapping[str, str] = {}

    @contextmanager
    def many(self) -> Iterator[None]:
        """See Engine."""
        with fork_server(self._folder, PRELOAD) as self._forks:
            yield
        self._forks = {}

    def missing(self, stacks: Sequence[str]) -> Sequence[str]:
        """See Engine."""
        return [stack for stack in stacks if not there_is(self._folder, stack)]

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

    def run(self, stack: str, job: Job) -> Outcome:
        """See Engine."""
        run = Run(stack)
        with tempfile.TemporaryDirectory(prefix="stockade-fleet-") as folder:
            log = Path(folder) / "events"
            words = ["-m", "local.engine", *_words(job), "--stack", stack]
            words += ["--cwd", str(self._folder), "--event-log", str(log), *job.policies(stack)]
            status = self._processes.follow(self._started(words), run.print, run.print)
            for line in log.read_text().splitlines() if log.exists() else ():
                run.events.add(EngineEvent.from_json(json.loads(line)))
        return run.ended(ok=status == 0, cancelled=self._processes.interrupted)

    def _started(self, words: Sequence[str]) -> subprocess.Popen[str] | Forked:
        environment = {**os.environ, **self._forks}
        if self._forks:
            with suppress(OSError):  # it has ended: a new process does the same
                return Request(words, python=sys.executable, folder=self._folder, cwd=ROOT, env=environment).answered()
        return started([sys.executable, *words], ROOT, environment, stdin=subprocess.DEVNULL)


def _words(job: Job) -> list[str]:
    words = {"preview": ["preview"], "drift": ["refresh", "--preview-only"]}.get(job.command, [job.command, "--yes"])
    words = [*words, "--diff"] if job.diff else words
    return [*words, "--parallel", str(job.parallel)] if job.parallel else words

"""A fleet's stacks run by the embedded engine, in a process for each."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pulumi.automation.events import EngineEvent

from fleet.environment import Environment
from fleet.job import Job, Run
from fleet.outcome import Outcome
from fleet.processes import Processes
from local.engine.moving import move
from local.engine.session import open_session, there_is

ROOT = Path(__file__).parents[1]


class Embedded:
    """The engine in local/engine. See fleet.job.Engine."""

    def __init__(self, environment: Environment, processes: Processes) -> None:
        self._folder, self._processes = environment.folder, processes

    def missing(self, stacks: Sequence[str]) -> Sequence[str]:
        """See Engine."""
        return [stack for stack in stacks if not there_is(self._folder, stack)]

    def create(self, stack: str) -> None:
        """See Engine."""
        open_session(self._folder, stack, create=True)

    def resources(self, stack: str) -> Sequence[Mapping[str, Any]]:
        """See Engine."""
        deployment = open_session(self._folder, stack, create=False).backend.read()
        found: list[dict[str, Any]] = deployment.get("resources", [])
        return found

    def move(self, source: str, dest: str, urns: Sequence[str]) -> None:
        """See Engine."""
        leaving, entering = (open_session(self._folder, stack, create=False) for stack in (source, dest))
        move(leaving, entering, urns)

    def run(self, stack: str, job: Job) -> Outcome:
        """See Engine."""
        run = Run(stack)
        with tempfile.TemporaryDirectory(prefix="stockade-fleet-") as folder:
            log = Path(folder) / "events"
            argv = [sys.executable, "-m", "local.engine", *_words(job), "--stack", stack]
            argv += ["--cwd", str(self._folder), "--event-log", str(log), *job.policies(stack)]
            status = self._processes.run(argv, ROOT, os.environ, run.print, run.print)
            for line in log.read_text().splitlines() if log.exists() else ():
                run.events.add(EngineEvent.from_json(json.loads(line)))
        return run.ended(ok=status == 0, cancelled=self._processes.interrupted)


def _words(job: Job) -> list[str]:
    words = {"preview": ["preview"], "drift": ["refresh", "--preview-only"]}.get(job.command, [job.command, "--yes"])
    words = [*words, "--diff"] if job.diff else words
    return [*words, "--parallel", str(job.parallel)] if job.parallel else words

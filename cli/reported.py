"""`--json` of what an engine does with a stack: what came of it, the same for both engines."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from pulumi.automation.events import EngineEvent

from fleet.outcome import Events, StackOutcome, Status
from fleet.published import clean
from fleet.report import Result, as_json
from local.commands import module, run_apart, stack_of, steps_of, value_of
from local.engine.errors import CHANGES, FAILURE

_NOT_OURS = ("--json", "--expect-no-changes")
_DEBUG = {"PULUMI_DEBUG_COMMANDS": "true"}
"""The CLI's `--event-log` is for those who develop tools for it."""


def reported(words: Sequence[str]) -> int:
    """Run it with what the engine prints on stderr, and print the result as JSON; returns the exit status."""
    command = words[0]
    folder = Path(value_of(words, "--cwd", "-C") or ".").resolve()
    stack = stack_of(command, words[1:], folder)
    outcome, status = StackOutcome(stack, Status.NOT_RUN), 0
    for step in steps_of(command, [word for word in words[1:] if word not in _NOT_OURS]):
        outcome, status = _run(stack, [word for word in step if word not in _NOT_OURS])
        if status:
            break
    result = Result(stack, command, [outcome], outcome.seconds, would=command in ("preview", "drift"))
    sys.stdout.write(as_json(result))
    unexpected = bool(outcome.changes) and (command == "drift" or "--expect-no-changes" in words)
    return status or (CHANGES if unexpected else FAILURE if result.failed else 0)


def _run(stack: str, words: Sequence[str]) -> tuple[StackOutcome, int]:
    """Run one command of the engine; return its outcome and exit status."""
    events, lines, begun = Events(), list[str](), time.monotonic()

    def heard(line: str) -> None:
        sys.stderr.write(line)
        sys.stderr.flush()
        lines.append(clean(line))

    with tempfile.TemporaryDirectory(prefix="stockade-") as folder:
        log = Path(folder) / "events"
        argv = module("local", *words, f"--event-log={log}")
        status = run_apart(argv, env={**os.environ, **_DEBUG}, heard=heard)
        for line in log.read_text("utf-8").splitlines() if log.is_file() else ():
            events.add(EngineEvent.from_json(json.loads(line)))
    ended = Status.DONE if status == 0 else Status.CANCELLED if status == 130 else Status.FAILED
    return events.outcome(stack, ended, time.monotonic() - begun, "".join(lines)), status

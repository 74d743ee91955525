"""`python -m fleet.preview STACK FILE`: preview one stack with its policies, and write a comment for its pull request.

The preview is printed, whole; the comment's first line tells it from those of other stacks. `.ci/preview` runs it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pulumi.automation.errors import CommandError, InvalidVersionError

from fleet.__main__ import engine_for, said
from fleet.environment import Environment, FleetError, backend_of
from fleet.job import Job, Limits, Run
from fleet.outcome import Status
from fleet.processes import Processes
from fleet.report import LIMIT, Result, markdown
from local.__main__ import policy_arguments, policy_environment, set_lab_passphrase
from local.engine.errors import EngineError


def main(arguments: Sequence[str]) -> int:
    """Run it; the exit status is that of a preview."""
    if len(arguments) != 2:
        print("error: python -m fleet.preview STACK FILE", file=sys.stderr)
        return 2
    stack, file = arguments[0], Path(arguments[1])
    set_lab_passphrase(stack, os.environ)
    try:
        result = _previewed(stack, Path.cwd())
    except (FleetError, EngineError, CommandError, InvalidVersionError, ValueError) as error:
        result = Result(stack, "preview", error=said(error))
        print(f"error: {result.error}", file=sys.stderr)
    mark = f"<!-- stockade preview of {stack} -->\n"
    file.write_text(mark + markdown(result, LIMIT - len(mark)), encoding="utf-8")
    return int(result.failed)


def _previewed(stack: str, folder: Path) -> Result:
    processes = Processes()
    environment = Environment(folder, stack, folder, 1, {}, backend_of(folder))
    policies = policy_arguments("preview", [], stack, folder, os.environ.get("STOCKADE_POLICIES"))
    policy_environment(policies, folder)
    with processes.interruptible(processes.interrupt):
        engine = engine_for(environment, processes, Limits())
        if stack not in engine.stacks():
            engine.create(stack)
        run = Run(stack)
        outcome = engine.run(stack, Job("preview", diff=True, policies=lambda _: policies), run)
    print(outcome.output)
    kept = ["every mandatory policy is kept"] if policies and outcome.status is Status.DONE else []
    return Result(stack, "preview", [outcome], outcome.seconds, would=True, further=kept)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

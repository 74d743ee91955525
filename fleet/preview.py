"""`python -m fleet.preview STACK FILE`: preview one stack with its policies, and write a comment for its pull request.

The full preview is printed, and written beside the comment (FILE with `.txt`) as an artifact of the job. The comment's
first line identifies its stack. The pull request is untrusted. So the output never contains a secret from this
process's environment, or anything that a terminal, CI or Markdown would interpret. `.ci/preview` runs it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from pulumi.automation.errors import CommandError, InvalidVersionError

from components.config.named_files import REVIEW
from fleet.__main__ import engine_for, said
from fleet.environment import Environment, FleetError, backend_of
from fleet.job import Job, SilenceLimits, StackRun
from fleet.outcome import Status
from fleet.processes import Processes
from fleet.published import clean
from fleet.report import LIMIT, Result, markdown
from hosts.text.projectfiles import inside
from hosts.text.textfiles import read_text
from local.commands import policy_arguments, policy_environment, set_lab_passphrase, value_of
from local.engine.errors import EngineError
from local.engine.state.project import checked_name, load_project, read_yaml, stack_file
from policies.names import lowered_in


def main(arguments: Sequence[str]) -> int:
    """Run it; the exit status is that of the preview."""
    if len(arguments) != 2:
        print("error: python -m fleet.preview STACK FILE", file=sys.stderr)
        return 2
    stack, file = arguments[0], Path(arguments[1])
    os.environ[REVIEW] = "1"
    whole = file.with_suffix(".txt")
    with _obeyed_by_no_runner():
        try:
            checked_name(stack)
            set_lab_passphrase(stack, os.environ)
            result, text = _previewed(stack, Path.cwd(), whole)
        except (FleetError, EngineError, CommandError, InvalidVersionError, ValueError, OSError) as error:
            result, text = Result(stack, "preview", error=clean(said(error))), ""
            print(f"error: {result.error}", file=sys.stderr, flush=True)
        print(text, flush=True)
    whole.write_text(text or f"error: {result.error}\n", encoding="utf-8")
    mark = f"<!-- stockade preview of {stack} -->\n" if not result.error or _named(stack) else ""
    file.write_text(mark + markdown(result, LIMIT - len(mark)), encoding="utf-8")
    return int(result.failed)


def _named(stack: str) -> bool:
    try:
        checked_name(stack)
    except EngineError:
        return False
    return True


def _previewed(stack: str, folder: Path, whole: Path) -> tuple[Result, str]:
    _check_files(stack, folder)
    processes = Processes()
    environment = Environment(folder, stack, folder, 1, {}, backend_of(folder))
    policies = policy_arguments("preview", [], stack, folder, os.environ.get("STOCKADE_POLICIES"))
    policy_environment(policies, folder)
    with processes.interruptible(processes.interrupt):
        engine = engine_for(environment, processes, SilenceLimits())
        if stack not in engine.stacks():
            engine.create(stack)
        run = StackRun(stack)
        outcome = engine.run(stack, Job("preview", diff=True, policies=lambda _: policies), run)
    kept = ["every mandatory policy is kept"] if policies and outcome.status is Status.DONE else []
    config = value_of(policies, "--policy-pack-config")
    if kept and (lowered := lowered_in(config)):
        kept.append(f"not enforced, by {Path(str(config)).name}: {', '.join(lowered)}")
    where = f"the job's artifact has all of it ({whole.name})."
    result = Result(stack, "preview", [outcome], outcome.seconds, would=True, remarks=kept, whole=where)
    return result, outcome.output


def _check_files(stack: str, folder: Path) -> None:
    """Reject links in the pull request that lead out of it: error messages would show their text."""
    read_text(folder / "Pulumi.yaml")
    project = load_project(folder)
    file = stack_file(project, stack)
    for one in (file, *file.parent.glob("policy.*.json")):
        if one.is_symlink() and inside(one, folder) is None:
            raise FleetError(f"{one.relative_to(project.root)} is a link that leads out of the project")
        if os.path.lexists(one):
            read_text(one)
    if file.is_file():
        read_yaml(file)  # report errors in the same way for either engine


@contextmanager
def _obeyed_by_no_runner() -> Iterator[None]:
    """Keep GitHub's runner from obeying lines of output (`::add-mask::`) that come from a config or a host."""
    token = token_hex(16) if os.environ.get("GITHUB_ACTIONS") else ""
    if token:
        print(f"::stop-commands::{token}", flush=True)
    try:
        yield
    finally:
        sys.stderr.flush()
        if token:
            print(f"::{token}::", flush=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

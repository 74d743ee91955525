"""`stockade fleet COMMAND ENVIRONMENT`: one Pulumi command on all shards of an environment.

Commands: preview, up, refresh, destroy, drift (compare hosts and state, change nothing), move (after a change of the
number of shards: move hosts from state to state, without touching them). Each shard is a Pulumi stack. It is run by the
Pulumi CLI through the Automation API if the CLI is on PATH, and by the embedded engine otherwise (docs/fleet.md).
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

from pulumi.automation.errors import CommandError, InvalidVersionError

from fleet.automation import Automation
from fleet.embedded import Embedded
from fleet.environment import Environment, FleetError, load
from fleet.job import CREATING, LOOKING, Engine, Job, SilenceLimits, StackRun
from fleet.moving import move_all, stranded
from fleet.outcome import StackOutcome, Status
from fleet.processes import Processes
from fleet.progress import Progress
from fleet.published import clean
from fleet.report import KINDS, Result, failed_in, write
from fleet.summary import summary
from hosts.ssh.connection import CONNECT_TIMEOUT
from local.commands import choose_engine, policy_arguments, policy_environment
from local.engine.errors import CHANGES, FAILURE, EngineError

PATIENCE = 15
"""Seconds to wait for a host that does not answer, for commands that change nothing: it is not being created."""
COMMANDS = ("preview", "up", "refresh", "destroy", "drift", "move")


def parser() -> argparse.ArgumentParser:
    """The parser for all options."""
    top = argparse.ArgumentParser(prog="stockade fleet", description="All stacks of an environment at once.")
    top.add_argument("command", choices=COMMANDS)
    top.add_argument("environment", help="the environment: stacks/Pulumi.<environment>.yaml says `shard: {of: N}`")
    top.add_argument("--parallel-stacks", type=_count, default=os.cpu_count() or 1, metavar="N",
                     help="stacks at once (one for each core)")  # fmt: skip
    top.add_argument("-p", "--parallel", type=_count, metavar="N", help="operations at once in a stack")
    top.add_argument("--only", type=_numbers, default=frozenset(), metavar="3,7", help="these shards alone")
    top.add_argument("--host", type=_names, default=(), metavar="web7,db1", help="the shards of these hosts alone")
    top.add_argument("--failed", type=Path, metavar="FILE.json",
                     help="the shards alone that did not end well in this report")  # fmt: skip
    top.add_argument("--share", type=_share, default=(1, 1), metavar="2/4",
                     help="the second of four machines: every fourth shard, from the second on")  # fmt: skip
    top.add_argument("--diff", action="store_true", help="show what changes, line by line, where anything does")
    top.add_argument("--refresh", action="store_true", help="up: read the hosts first, and revert drift")
    top.add_argument("--report", type=_report, action="append", default=[], metavar="FILE",
                     help="write what came of it: .md, .json or .xml (JUnit); may be given again")  # fmt: skip
    top.add_argument("--connect-timeout", type=_count, metavar="S",
                     help="seconds to wait at most for a host that does not answer; drift and refresh: 15")  # fmt: skip
    top.add_argument("--limit", type=_count, metavar="S", help="seconds that an engine may be silent (docs/fleet.md)")
    top.add_argument("-y", "--yes", action="store_true", help="up, refresh, destroy and move: do it")
    top.add_argument("-C", "--cwd", type=Path, default=Path("."), metavar="DIR", help="the project's folder")
    return top


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _numbers(text: str) -> frozenset[int]:
    return frozenset(_count(part) for part in text.split(","))


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def _report(text: str) -> Path:
    file = Path(text)
    if file.suffix not in KINDS:
        raise argparse.ArgumentTypeError(f"must end in {', '.join(KINDS)}")
    return file


def _share(text: str) -> tuple[int, int]:
    mine, _, machines = text.partition("/")
    if not 1 <= int(mine) <= int(machines):
        raise argparse.ArgumentTypeError("must be 1/N to N/N")
    return int(mine), int(machines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Exit status: 0; 1 if a stack failed; 2 for an invalid command; 7 if hosts drifted; 130 if interrupted.
    """
    options = parser().parse_args(arguments)
    if options.command not in LOOKING and not options.yes:
        print(f"error: --yes must be passed in: {options.command} changes hosts or states", file=sys.stderr)
        return 2
    if options.refresh and options.command != "up":
        print("error: --refresh is for `up`", file=sys.stderr)
        return 2
    processes = Processes()
    try:
        result = _run(options, processes)
    except (FleetError, EngineError, CommandError, InvalidVersionError) as error:
        result = Result(options.environment, options.command, error=clean(said(error)))
        print(f"error: {result.error}", file=sys.stderr)
    for file in options.report:
        try:
            write(result, file)
        except OSError as error:
            print(f"error: the report {file}: {error.strerror}", file=sys.stderr)
            return 2
    if result.error:
        return 2
    if processes.interrupted:
        return 130
    drifted = options.command == "drift" and any(outcome.changes for outcome in result.outcomes)
    return FAILURE if result.remarks or result.failed else CHANGES if drifted else 0


def _run(options: argparse.Namespace, processes: Processes) -> Result:
    """Run the command and report. Raises FleetError, EngineError, CommandError, InvalidVersionError."""
    environment = load(options.cwd.resolve(), options.environment)
    stacks, would = _stacks(options, environment), options.command in LOOKING
    environment.link()
    with processes.interruptible(_interrupted):
        begin = time.monotonic()
        engine = engine_for(environment, processes, _limits(options.limit))
        if options.command == "move":
            count = move_all(engine, environment, print)
            print(f"{count} hosts moved" if count else "every host is in the stack of its shard")
            return Result(environment.name, "move")
        left = stranded(engine, environment)
        if left and not would:
            raise FleetError("\n".join(left))
        job, at_once = _job(options, environment, stacks), options.parallel_stacks
        if options.command in CREATING:
            for stack in stacks:
                if stack not in engine.stacks():
                    engine.create(stack)
        with engine.many() if len(stacks) > at_once else nullcontext():
            outcomes = run_all(engine, stacks, job, at_once, processes)
        seconds = time.monotonic() - begin
    advice = _advice(environment, options.command, outcomes)
    print(clean(summary(outcomes, seconds, would=would, remarks=[*left, *advice])))
    homes = {name: environment.home(name) for name in environment.hosts()} if options.report else {}
    return Result(environment.name, options.command, outcomes, seconds, would, homes, remarks=left)


def _stacks(options: argparse.Namespace, environment: Environment) -> Sequence[str]:
    """Return the stacks that the command applies to. Raises FleetError."""
    only = options.only | {environment.shard_of(host) for host in options.host}
    stacks = environment.stacks(frozenset(only))
    if options.failed:
        failed = failed_in(options.failed)
        stacks = tuple(stack for stack in stacks if stack in failed)
    mine, machines = options.share
    return stacks[mine - 1 :: machines]


def _advice(environment: Environment, command: str, outcomes: Sequence[StackOutcome]) -> list[str]:
    if command != "drift" or not any(outcome.changes for outcome in outcomes):
        return []
    return [
        f"`up` alone does not read the hosts. To restore what is declared: `stockade fleet up {environment.name} "
        "--refresh --yes`"
    ]


def said(error: Exception) -> str:
    """Return the message of an error, without what the Automation API adds to it."""
    _, found, text = str(error).rpartition("\n stderr: ")
    return (text if found else str(error)).strip().removeprefix("error: ")


def _interrupted() -> None:
    print("interrupted: operations in progress are finished; interrupt again to end at once", file=sys.stderr)


def _limits(limit: int | None) -> SilenceLimits:
    return (
        SilenceLimits(min(limit, SilenceLimits.call), min(limit, SilenceLimits.start), limit)
        if limit
        else SilenceLimits()
    )


def engine_for(environment: Environment, processes: Processes, limits: SilenceLimits) -> Engine:
    """Return the engine to use. Raises FleetError, CommandError, InvalidVersionError."""
    cli = shutil.which("pulumi")
    if choose_engine(os.environ.get("STOCKADE_ENGINE"), cli) == "embedded":
        return Embedded(environment, processes, limits)
    return Automation(environment, processes, limits)


def _job(options: argparse.Namespace, environment: Environment, stacks: Sequence[str]) -> Job:
    """Return the job to run on every stack. Raises FleetError if its policies are invalid."""

    def policies(stack: str) -> Sequence[str]:
        wanted = os.environ.get("STOCKADE_POLICIES")
        return policy_arguments(options.command, [], stack, environment.folder, wanted)

    for stack in stacks:
        try:
            policy_environment(policies(stack), environment.folder)
        except ValueError as error:
            raise FleetError(str(error)) from None
    patience = options.connect_timeout or (PATIENCE if options.command in ("drift", "refresh") else None)
    extra = {CONNECT_TIMEOUT: str(patience)} if patience else {}
    return Job(options.command, options.parallel, options.diff, options.refresh, extra, policies)


def run_all(engine: Engine, stacks: Sequence[str], job: Job, at_once: int, processes: Processes) -> list[StackOutcome]:
    """Run the job on every stack, some in parallel, and report progress and results; no failure stops the others."""
    progress = Progress()

    def one(stack: str) -> StackOutcome:
        if processes.interrupted:
            return StackOutcome(stack, Status.NOT_RUN)
        run = StackRun(stack)
        progress.begin(run)
        try:
            outcome = engine.run(stack, job, run)
        finally:
            progress.end(run)
        if job.diff and (outcome.changes or outcome.failures):
            print(f"{outcome.output}\n", flush=True)
        print(f"{stack}: {outcome.line(would=job.command in LOOKING)}", file=sys.stderr, flush=True)
        return outcome

    with progress.shown(), ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(one, stacks))


if __name__ == "__main__":
    raise SystemExit(main())

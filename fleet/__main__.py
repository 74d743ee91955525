"""`python -m fleet COMMAND ENVIRONMENT`: one Pulumi command on all stacks that an environment is split into.

Commands: preview, up, refresh, destroy, drift (compare hosts and state, change nothing), move (after the number of
shards has changed: hosts go from state to state, and nothing is done on them). Each shard is a Pulumi stack,
run by the Pulumi CLI through the Automation API where it is on PATH, else by the embedded engine (docs/fleet.md).
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
from fleet.job import CREATING, LOOKING, Engine, Job
from fleet.moving import move_all
from fleet.outcome import Outcome, Status, summary
from fleet.processes import Processes
from local.__main__ import choose_engine, policy_arguments
from local.engine.errors import EngineError

COMMANDS = ("preview", "up", "refresh", "destroy", "drift", "move")


def parser() -> argparse.ArgumentParser:
    """All options."""
    top = argparse.ArgumentParser(prog="python -m fleet", description="All stacks of an environment at once.")
    top.add_argument("command", choices=COMMANDS)
    top.add_argument("environment", help="the environment: stacks/Pulumi.<environment>.yaml says `shard: {of: N}`")
    top.add_argument("--parallel-stacks", type=_count, default=os.cpu_count() or 1, metavar="N",
                     help="stacks at once (one for each core)")  # fmt: skip
    top.add_argument("-p", "--parallel", type=_count, metavar="N", help="operations at once in a stack")
    top.add_argument("--only", type=_numbers, default=frozenset(), metavar="3,7", help="these shards alone")
    top.add_argument("--share", type=_share, default=(1, 1), metavar="2/4",
                     help="the second of four machines: every fourth shard, from the second on")  # fmt: skip
    top.add_argument("--diff", action="store_true", help="show what changes, line by line, where anything does")
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


def _share(text: str) -> tuple[int, int]:
    mine, _, machines = text.partition("/")
    if not 1 <= int(mine) <= int(machines):
        raise argparse.ArgumentTypeError("must be 1/N to N/N")
    return int(mine), int(machines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Exit status: 0; 1 where a stack failed or drifted; 2 for a wrong command; 130 interrupted."""
    options = parser().parse_args(arguments)
    if options.command not in LOOKING and not options.yes:
        print(f"error: --yes must be passed in: {options.command} changes hosts or states", file=sys.stderr)
        return 2
    processes = Processes()
    try:
        environment = load(options.cwd.resolve(), options.environment)
        mine, machines = options.share
        stacks = environment.stacks(options.only)[mine - 1 :: machines]
        environment.link()
        with processes.interruptible(_told):
            begin = time.monotonic()
            engine = _engine(environment, processes)
            if options.command == "move":
                count = move_all(engine, environment, print)
                print(f"{count} hosts moved" if count else "every host is in the stack of its shard")
                return 0
            if options.command in CREATING:
                for stack in engine.missing(stacks):
                    engine.create(stack)
            job, at_once = _job(options, environment), options.parallel_stacks
            with engine.many() if len(stacks) > at_once else nullcontext():
                outcomes = run_all(engine, stacks, job, at_once, processes)
    except (FleetError, EngineError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (CommandError, InvalidVersionError) as error:
        print(str(error).strip(), file=sys.stderr)
        return 2
    print(summary(outcomes, time.monotonic() - begin, would=options.command in LOOKING))
    if processes.interrupted:
        return 130
    drifted = options.command == "drift" and any(outcome.changes for outcome in outcomes)
    return int(drifted or any(outcome.status is not Status.DONE for outcome in outcomes))


def _told() -> None:
    print("interrupted: what is in flight is finished; once more ends it at once", file=sys.stderr)


def _engine(environment: Environment, processes: Processes) -> Engine:
    cli = shutil.which("pulumi")
    if choose_engine(os.environ.get("STOCKADE_ENGINE"), cli) == "embedded":
        return Embedded(environment, processes)
    return Automation(environment, processes)


def _job(options: argparse.Namespace, environment: Environment) -> Job:
    def policies(stack: str) -> Sequence[str]:
        wanted = os.environ.get("STOCKADE_POLICIES")
        return policy_arguments(options.command, [], stack, environment.folder, wanted)

    return Job(options.command, options.parallel, options.diff, policies)


def run_all(engine: Engine, stacks: Sequence[str], job: Job, at_once: int, processes: Processes) -> list[Outcome]:
    """Run the job on every stack, some at once, and tell each as it ends; one that fails stops no other."""

    def one(stack: str) -> Outcome:
        if processes.interrupted:
            return Outcome(stack, Status.NOT_RUN)
        outcome = engine.run(stack, job)
        if job.diff and (outcome.changes or outcome.failures):
            print(f"{outcome.output}\n", flush=True)
        print(f"{stack}: {outcome.line(would=job.command in LOOKING)}", file=sys.stderr, flush=True)
        return outcome

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(one, stacks))


if __name__ == "__main__":
    raise SystemExit(main())

"""The command line: `python -m local.engine preview|up|refresh|destroy|stack|state|config ... --stack S`."""

from __future__ import annotations

import argparse
import functools
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TextIO

from hosts.text.masking import printable
from local.engine.display.eventlog import EventLog
from local.engine.errors import CHANGES, FAILURE, CommandError, EngineError
from local.engine.processes.launch import DYNAMIC, HALTED, Launcher
from local.engine.state import configuring, state_commands
from local.engine.state.session import Session, open_session
from local.engine.state.state import Snapshot


class Parser(argparse.ArgumentParser):
    """Reports an invalid command line in one sentence."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **settings})

    def error(self, message: str) -> NoReturn:
        """See argparse."""
        for prefix in ("unrecognized arguments: ", "argument command: invalid choice: "):
            if message.startswith(prefix):
                what = message.removeprefix(prefix).partition(" (choose from")[0]
                message = f"not supported by the embedded engine: {what}; the Pulumi CLI may have it"
        print(f"error: {printable(message)}", file=sys.stderr)
        raise SystemExit(FAILURE)


def parser() -> Parser:
    """All commands and options."""
    common = Parser(add_help=False)
    common.add_argument("-s", "--stack", required=True, help="the stack's name")
    common.add_argument("-C", "--cwd", type=Path, default=Path("."), help="run as if started in this folder")
    common.add_argument("--create", action="store_true", help="create the stack if it does not exist")
    operation = Parser(add_help=False, parents=[common])
    operation.add_argument("--diff", action="store_true", help="show what changes in each resource, line by line")
    operation.add_argument("-p", "--parallel", type=_count, default=4 * (os.cpu_count() or 1), metavar="N",
                           help="operations at once (4 x cores)")  # fmt: skip
    operation.add_argument("--expect-no-changes", action="store_true", help="fail if there are changes")
    operation.add_argument("--event-log", type=Path, metavar="FILE", help="write what the run does, as events")
    program = Parser(add_help=False, parents=[operation])
    program.add_argument("--policy-pack", type=Path, action="append", default=[], metavar="DIR")
    program.add_argument("--policy-pack-config", type=Path, action="append", default=[], metavar="FILE")
    program.add_argument("--replace", action="append", default=[], metavar="URN", help="replace this resource")
    first = Parser(add_help=False)
    first.add_argument("-r", "--refresh", nargs="?", const="true", default="false", choices=("true", "false"),
                       help="take what is there into the state first")  # fmt: skip
    first.add_argument("--continue-on-error", nargs="?", const="true", choices=("true",),
                       help="a failure holds up only what needs it: always so")  # fmt: skip
    change = Parser(add_help=False)
    change.add_argument("-y", "--yes", action="store_true", help="do it without asking")
    change.add_argument("-f", "--skip-preview", action="store_true", help="do not show a preview before asking")
    only = Parser(add_help=False)
    only.add_argument("--preview-only", action="store_true", help="only show what would be done")

    top = Parser(prog="python -m local.engine", description="The embedded Pulumi engine.")
    commands = top.add_subparsers(dest="command", required=True, parser_class=Parser)
    commands.add_parser("preview", parents=[program, first], help="show what an update would do")
    commands.add_parser("up", parents=[program, change, first], help="create, update and delete resources")
    commands.add_parser("refresh", parents=[operation, change, only], help="take what is there into the state")
    commands.add_parser("destroy", parents=[operation, change, only, first], help="delete all resources")
    for command in commands.choices.values():
        command.set_defaults(run=_run)
    state_commands.add_commands(commands, common, Parser)
    configuring.add_commands(commands, common, Parser)
    return top


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = parser().parse_args(arguments)
    try:
        session = open_session(options.cwd.resolve(), options.stack, create=options.create or options.command == "init")
        status: int = options.run(session, options)
        return status
    except EngineError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        return 130


def _run(session: Session, options: argparse.Namespace) -> int:
    if options.command == "preview" or getattr(options, "preview_only", False):
        return _execute(session, options, preview=True)
    if not options.yes:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise CommandError("--yes must be passed in to proceed when running in non-interactive mode")
        if not options.skip_preview:
            status = _execute(session, options, preview=True)
            if status:
                return status
        if not _confirmed(options.command):
            print("confirmation declined, not proceeding")
            return FAILURE
    session = session.stored()
    with session.backend.locked():
        return _execute(session, options, preview=False)


def _execute(session: Session, options: argparse.Namespace, *, preview: bool) -> int:
    """One run, after a refresh if requested. The policies need a preview before the first change, so it is run unless
    there has been one."""
    base, stale = None, False
    log = EventLog(options.event_log) if options.event_log else None
    changing = options.command in ("preview", "up") and _interrupted(session)
    if getattr(options, "refresh", "false") == "true" or changing:
        refreshed = _report(session, options, "refresh", preview=preview, log=log and log.of_refresh())
        if log:
            log.messages(refreshed)
        base, stale = refreshed.after if preview else None, refreshed.failed
        if changing and stale:
            return _verdict(refreshed, options)
    check = None
    if not preview and options.yes and not options.skip_preview and getattr(options, "policy_pack", []):
        check = functools.partial(_report, session, options, options.command, preview=True, out=io.StringIO())
    report = _report(session, options, options.command, preview=preview, check=check, base=base, log=log)
    report.failed |= stale
    if log:
        log.close(report)
    return _verdict(report, options)


def _interrupted(session: Session) -> bool:
    """Tell whether a killed run was changing a resource in the state: the host may have the change."""
    if not session.backend.mentions('"pending_operations"'):
        return False
    snapshot = session.snapshot()
    known = {item.urn for item in snapshot.resources}
    return any(item.resource.urn in known for item in snapshot.pending)


def _report(
    session: Session,
    options: argparse.Namespace,
    command: str,
    *,
    preview: bool,
    out: TextIO | None = None,
    check: Callable[[], Any] | None = None,
    base: Snapshot | None = None,
    log: EventLog | None = None,
) -> Any:
    """The report of one run. Its processes are started before the rest of the engine is loaded."""
    launcher = Launcher(session.project, options.parallel)
    if session.backend.mentions('"pending_operations"'):
        launcher.environment[HALTED] = "yes"
    runs_program = command in ("preview", "up")
    project = session.project
    dynamic = session.backend.mentions(f":providers:{DYNAMIC}::") or (
        runs_program and DYNAMIC in project.plugins and not project.packages
    )
    if not dynamic:
        for package in project.packages:
            if runs_program or session.backend.mentions(f":providers:{package}::"):
                launcher.prestart(package)
    program = None
    try:
        if runs_program:
            program = launcher.program_and(DYNAMIC) if dynamic else launcher.program()
        elif dynamic:
            launcher.prestart(DYNAMIC)
        from local.engine.run import run

        settings = run.Options(
            parallel=options.parallel,
            show_diff=options.diff,
            packs=tuple(folder.resolve() for folder in getattr(options, "policy_pack", [])),
            pack_configs=tuple(file.resolve() for file in getattr(options, "policy_pack_config", [])),
            out=out,
            check=check,
            replace=tuple(getattr(options, "replace", [])),
            base=base,
            log=log,
        )
        if program is not None:
            return run.run_program(session, settings, launcher, program, preview=preview)
        execute = run.run_refresh if command == "refresh" else run.run_destroy
        return execute(session, settings, launcher, preview=preview)
    finally:
        if program is not None:
            program.stop()
        launcher.stop()
        launcher.close()


def _confirmed(command: str) -> bool:
    what = {"up": "update", "refresh": "refresh", "destroy": "destroy"}[command]
    return input(f"Do you want to perform this {what}? [yes/no] ").strip().lower() in ("y", "yes")


def _verdict(report: Any, options: argparse.Namespace) -> int:
    if report.failed:
        what = "preview" if options.command == "preview" else {"up": "update"}.get(options.command, options.command)
        print(f"error: {what} failed", file=sys.stderr)
        return FAILURE
    if options.expect_no_changes and report.changes:
        print("error: no changes were expected but changes were proposed", file=sys.stderr)
        return CHANGES
    return 0

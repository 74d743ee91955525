"""The command line: `python -m local.engine preview|up|refresh|destroy|export|import|stack output --stack S`."""

from __future__ import annotations

import argparse
import functools
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TextIO

from .backend import load
from .errors import EngineError
from .eventlog import write_events
from .launch import DYNAMIC, Launcher
from .session import Session, open_session
from .state import STACK_TYPE, encode_resource
from .values import contains_secret, reveal

FAILURE = 255


class Parser(argparse.ArgumentParser):
    """Reports a wrong command line in one sentence."""

    def error(self, message: str) -> NoReturn:
        """See argparse."""
        prefix = "unrecognized arguments: "
        if message.startswith(prefix):
            message = f"not supported by the embedded engine: {message.removeprefix(prefix)}"
        print(f"error: {message}", file=sys.stderr)
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
    operation.add_argument("--event-log", type=Path, metavar="FILE", help="write what the run came to, as events")
    program = Parser(add_help=False, parents=[operation])
    program.add_argument("--policy-pack", type=Path, action="append", default=[], metavar="DIR")
    program.add_argument("--policy-pack-config", type=Path, action="append", default=[], metavar="FILE")
    change = Parser(add_help=False)
    change.add_argument("-y", "--yes", action="store_true", help="do it without asking")
    change.add_argument("-f", "--skip-preview", action="store_true", help="do not show a preview before asking")
    only = Parser(add_help=False)
    only.add_argument("--preview-only", action="store_true", help="only show what would be done")

    top = Parser(prog="python -m local.engine", description="The embedded Pulumi engine.")
    commands = top.add_subparsers(dest="command", required=True, parser_class=Parser)
    commands.add_parser("preview", parents=[program], help="show what an update would do")
    commands.add_parser("up", parents=[program, change], help="create, update and delete resources")
    commands.add_parser("refresh", parents=[operation, change, only], help="take what is there into the state")
    commands.add_parser("destroy", parents=[operation, change, only], help="delete all resources")
    _state_commands(commands, common)
    stack = commands.add_parser("stack", help="the state of a stack")
    _state_commands(stack.add_subparsers(dest="command", required=True, parser_class=Parser), common)
    return top


def _state_commands(commands: Any, common: Parser) -> None:
    export = commands.add_parser("export", parents=[common], help="print the deployment")
    export.add_argument("--file", type=Path, help="write to a file")
    export.add_argument("--show-secrets", action="store_true")
    importing = commands.add_parser("import", parents=[common], help="replace the deployment")
    importing.add_argument("--file", type=Path, help="read from a file")
    output = commands.add_parser("output", parents=[common], help="print the stack's outputs")
    output.add_argument("name", nargs="?", help="one output only")
    output.add_argument("--json", action="store_true")
    output.add_argument("--show-secrets", action="store_true")
    commands.add_parser("init", parents=[common], help="create the stack")


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
        return _COMMANDS.get(options.command, _run)(session, options)
    except EngineError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILURE
    except KeyboardInterrupt:
        return 130


def _run(session: Session, options: argparse.Namespace) -> int:
    if options.command == "preview" or getattr(options, "preview_only", False):
        return _execute(session, options, preview=True)
    if not options.yes:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise EngineError("--yes must be passed in to proceed when running in non-interactive mode")
        if not options.skip_preview:
            status = _execute(session, options, preview=True)
            if status:
                return status
        if not _confirmed(options.command):
            print("confirmation declined, not proceeding")
            return FAILURE
    with session.backend.locked():
        return _execute(session, options, preview=False)


def _execute(session: Session, options: argparse.Namespace, *, preview: bool) -> int:
    """One run, with the preview that the policies need before the first change, unless one has been made."""
    check = None
    if not preview and options.yes and not options.skip_preview and getattr(options, "policy_pack", []):
        check = functools.partial(_report, session, options, preview=True, out=io.StringIO())
    report = _report(session, options, preview=preview, check=check)
    if options.event_log:
        write_events(report, options.event_log)
    return _verdict(report, options)


def _report(
    session: Session,
    options: argparse.Namespace,
    *,
    preview: bool,
    out: TextIO | None = None,
    check: Callable[[], Any] | None = None,
) -> Any:
    """What one run has to report. The processes are started before the rest of the engine is even loaded."""
    launcher = Launcher(session.project)
    runs_program = options.command in ("preview", "up")
    dynamic = session.backend.mentions(f":providers:{DYNAMIC}::") or (
        runs_program and DYNAMIC in session.project.plugins
    )
    program = None
    try:
        if runs_program:
            program = launcher.program_and(DYNAMIC) if dynamic else launcher.program()
        elif dynamic:
            launcher.prestart(DYNAMIC)
        from . import run

        settings = run.Options(
            parallel=options.parallel,
            show_diff=options.diff,
            packs=tuple(folder.resolve() for folder in getattr(options, "policy_pack", [])),
            pack_configs=tuple(file.resolve() for file in getattr(options, "policy_pack_config", [])),
            out=out,
            check=check,
        )
        if program is not None:
            return run.run_program(session, settings, launcher, program, preview=preview)
        execute = run.run_refresh if options.command == "refresh" else run.run_destroy
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
        return FAILURE
    return 0


def _export(session: Session, options: argparse.Namespace) -> int:
    if options.show_secrets:
        snapshot = session.snapshot()
        deployment = session.backend.read()
        deployment["resources"] = [encode_resource(item, None) for item in snapshot.resources]
    else:
        deployment = session.backend.read()
    text = json.dumps({"version": 3, "deployment": deployment}, indent=4, ensure_ascii=False)
    if options.file:
        options.file.write_text(text + "\n")
    else:
        print(text)
    return 0


def _import(session: Session, options: argparse.Namespace) -> int:
    try:
        document = json.loads(options.file.read_text() if options.file else sys.stdin.read())
        version, deployment = document["version"], document["deployment"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"this is not an exported deployment: {error}") from None
    if version != 3:
        raise EngineError(f"the deployment has version {version}, not 3")
    with session.backend.locked():
        snapshot = load(session.backend, session.crypter, session.encoder, deployment)
        session.backend.backup()
        session.backend.write(session.encoder.deployment(snapshot))
    print("Import complete.")
    return 0


def _output(session: Session, options: argparse.Namespace) -> int:
    outputs = next((item.outputs for item in session.snapshot().resources if item.type == STACK_TYPE), {})
    if options.name is not None and options.name not in outputs:
        raise EngineError(f"current stack does not have output property '{options.name}'")
    chosen = outputs if options.name is None else {options.name: outputs[options.name]}
    shown = {
        key: reveal(value) if options.show_secrets or options.name else "[secret]" if contains_secret(value) else value
        for key, value in chosen.items()
    }
    if options.json:
        print(json.dumps(shown if options.name is None else shown[options.name], indent=2, ensure_ascii=False))
    elif options.name is not None:
        value = shown[options.name]
        print(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    else:
        for key, value in sorted(shown.items()):
            print(f"{key}\t{value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    return 0


def _init(session: Session, options: argparse.Namespace) -> int:
    print(f"The stack '{session.stack}' is there.")
    return 0


_COMMANDS = {"export": _export, "import": _import, "output": _output, "init": _init}

"""`stockade doctor`: its options, and the report for people and for programs."""

from __future__ import annotations

import json as json_format
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cli.doctor.findings import About, Finding, Level, document, worst
from cli.options import OTHER, Cwd, stacks

_STYLES = {Level.OK: "green", Level.WARNING: "bold yellow", Level.ERROR: "bold red"}


def declare(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel=OTHER)(doctor)


def doctor(
    stack: Annotated[
        str | None,
        typer.Option("--stack", "-s", metavar="STACK", autocompletion=stacks, help="This stack and its hosts."),
    ] = None,
    cwd: Cwd = "",
    timeout: Annotated[
        float, typer.Option("--connect-timeout", metavar="S", min=1, help="Seconds to wait for a host.")
    ] = 10,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Check this machine, the project, the stacks' configs and their hosts, and say what to do about what is wrong.

    \b
    Example:  stockade doctor --stack mine

    Changes nothing, neither here nor on a host. Without `--stack`, every stack's
    config is checked, and no host is asked. Exit status: 1 if there is an error.
    """
    found = list(_examined(Path(cwd or "."), stack, timeout, quiet=json))
    if json:
        typer.echo(json_format.dumps(document(found), indent=2))
    else:
        show(found, hosts_asked=stack is not None)
    raise typer.Exit(int(worst(found) is Level.ERROR))


def _examined(folder: Path, stack: str | None, patience: float, *, quiet: bool) -> Iterator[Finding]:
    from cli.doctor import project
    from cli.doctor.hosts import Checkup, hosts
    from cli.doctor.machine import machine

    yield from machine()
    found, findings = project.project(folder)
    yield from findings
    if found is None:
        return
    os.chdir(found.root)  # paths in the config are relative to it
    names, findings = project.names(found, stack)
    yield from findings
    for name in names:
        checked, findings = project.stack(found, name)
        yield from findings
        if stack is not None and checked.access:
            with _progress(len(checked.access), quiet=quiet) as told:
                yield from hosts(Checkup(checked.access, (found.name, name), checked.unknown_secrets, patience, told))


@contextmanager
def _progress(count: int, *, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Say on a terminal how many hosts have answered."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    done = 0
    with Console(stderr=True).status(f"asking {count} hosts") as status:

        def told(name: str) -> None:
            nonlocal done
            done += 1
            status.update(f"asking {count} hosts: {done} done, the last was {name}")

        yield told


def show(found: Sequence[Finding], *, hosts_asked: bool) -> None:
    """Print the report."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for about in About:
        part = [one for one in found if one.about is about]
        if not part:
            continue
        console.print(Text(about.capitalize(), style="bold"))
        wide = min(max(len(one.subject) for one in part), 30)
        for one in part:
            first, *more = one.message.splitlines()
            line = Text.assemble("  ", (f"{one.level:<8}", _STYLES[one.level]), f" {one.subject:<{wide}}  {first}")
            console.print(line)
            for text in (*more, *one.remedy.splitlines()):
                console.print(Text(f"{' ' * (wide + 13)}{text.strip()}"))
    counts = [(level, sum(one.level is level for one in found)) for level in (Level.ERROR, Level.WARNING)]
    text = ", ".join(f"{number} {level}{'' if number == 1 else 's'}" for level, number in counts)
    console.print(Text(text, style=_STYLES[worst(found)]))
    if not hosts_asked:
        console.print(Text("No host was asked: name a stack with --stack."))

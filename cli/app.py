"""The command line as people see it: help, completion, and the commands with no parser of their own."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import adopt, hosts, stacks
from cli.doctor.command import declare
from cli.new import new
from cli.options import OTHER
from cli.schema import schema
from cli.version import version

app = typer.Typer(
    name="stockade",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit status: 0 done, or nothing to do; 1 failed; 2 wrong usage; 7 changes where none were expected "
    "(`drift`, `--expect-no-changes`); 130 interrupted. docs/command.md has more.",
)
app.add_typer(adopt.app)
app.add_typer(stacks.app)
app.add_typer(hosts.app)
declare(app)
app.command(rich_help_panel=OTHER)(new)
app.command(rich_help_panel=OTHER)(schema)


@app.callback()
def stockade(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=version, is_eager=True)
    ] = False,
) -> None:
    """Hardens Linux servers over SSH, as code: with a preview, a diff, drift detection and an undo.

    \b
    First:    stockade doctor --stack mine
    Then:     stockade preview --stack mine --diff
              stockade up --stack mine

    stacks/Pulumi.mine.yaml says which hosts, and what is in force there. Run it
    in the project's folder, or name that folder with `-C`.
    """

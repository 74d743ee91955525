"""`new`: a project of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.project import ProjectError, write


def new(folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Its folder; made if missing.")] = Path()) -> None:
    """Begin a project of your own: the files beside the stacks' configs. What exists stays as it is.

    \b
    Example:  stockade new servers

    Stacks are declared in its folder stacks/. A copy of Stockade is not needed
    there: `stockade` makes a link to itself, `.stockade`, which git ignores.
    """
    try:
        written = write(folder)
    except ProjectError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    names = ", ".join(file.name for file in written)
    typer.echo(f"{folder.resolve()}: wrote {names}" if names else f"{folder.resolve()} has all files of a project")

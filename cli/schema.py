"""`schema`: the JSON Schema of what users write."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Which(StrEnum):
    """The kinds of files that have a schema."""

    STACK = "stack"
    INVENTORY = "inventory"


def schema(
    which: Annotated[Which, typer.Argument(help="Of a stack's config, or of an inventory file.")] = Which.STACK,
    file: Annotated[Path | None, typer.Option("--file", metavar="FILE", help="Write to this file.")] = None,
) -> None:
    """Print the JSON Schema of a stack's config, for editors and checks.

    \b
    Example:  stockade schema --file stacks/stockade.schema.json
    """
    from components.stack_config import inventory_schema
    from components.stack_config import schema as stack_schema

    made = stack_schema() if which is Which.STACK else inventory_schema()
    text = json.dumps(made, indent=2) + "\n"
    if file is None:
        typer.echo(text, nl=False)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        typer.echo(f"error: {file}: {error.strerror}", err=True)
        raise typer.Exit(1) from None

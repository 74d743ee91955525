"""`--version`."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

import typer

HERE = Path(__file__).absolute().parents[1]


def version(asked: bool) -> None:
    """Print the version and exit, if asked."""
    if asked:
        typer.echo(f"stockade {number()}")
        raise typer.Exit


def number() -> str:
    """The version of this checkout or of the installed copy."""
    file = HERE / "pyproject.toml"
    if file.is_file():
        return str(tomllib.loads(file.read_text("utf-8"))["project"]["version"])
    return metadata.version("stockade")

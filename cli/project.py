"""A project of one's own: its three files, and the link in it to this Stockade.

In such a project, `.stockade` is a link to the checkout or the installed copy that the command runs from. Pulumi.yaml
and the program name nothing else of this machine, so they can be shared. The link is not: every run of `stockade` sets
it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).absolute().parents[1]
LINK = ".stockade"
PULUMI = """\
name: stockade
description: Servers hardened by Stockade; one stack per environment.
runtime:
  name: python
  options:
    toolchain: pip
    virtualenv: .stockade/.venv
main: .
stackConfigDir: stacks
backend:
  url: file://./.state?create_dir=true
plugins:
  providers:
    - name: pulumi-python
      path: .stockade/provider
"""
PROGRAM = '''\
"""What the config in stacks/ declares. `.stockade` is a link to Stockade, made by any run of `stockade`."""

import runpy
import sys
from pathlib import Path

stockade = Path(__file__).absolute().parent / ".stockade"
sys.path.insert(0, str(stockade))
runpy.run_path(str(stockade / "__main__.py"), run_name="__main__")
'''
IGNORED = "/.stockade\n/.state/\n"
FILES = {"Pulumi.yaml": PULUMI, "__main__.py": PROGRAM, ".gitignore": IGNORED}


class ProjectError(Exception):
    """An error that the user can fix; its text is the whole message."""


def write(folder: Path) -> list[Path]:
    """Write the files of a project that do not exist yet, and the link. Raises ProjectError."""
    if (project := project_of(folder)) is not None and project != folder.resolve():
        raise ProjectError(f"{folder} is inside the project {project}: its Pulumi.yaml would hide that one")
    written = []
    try:
        (folder / "stacks").mkdir(parents=True, exist_ok=True)
        for name, text in FILES.items():
            file = folder / name
            if not os.path.lexists(file):
                file.write_text(text, encoding="utf-8")
                written.append(file)
    except OSError as error:
        raise ProjectError(f"{error.filename}: {error.strerror}") from None
    link(folder.resolve())
    return written


def begin(folder: Path) -> None:
    """Make a project of a folder that is in none, and say so. Exits with an error if that fails."""
    from local.commands import fail

    try:
        project = project_of(folder)
        if project is not None:
            link(project)
            return
        names = ", ".join(file.name for file in write(folder))
        print(f"{folder.resolve()} was no project yet: wrote {names}", file=sys.stderr)
    except ProjectError as error:
        fail(str(error))


def project_of(folder: Path) -> Path | None:
    """Return the folder with Pulumi.yaml: this one, or the nearest above."""
    folder = folder.resolve()
    return next((one for one in (folder, *folder.parents) if (one / "Pulumi.yaml").is_file()), None)


def prepare(words: Sequence[str]) -> None:
    """Before a run: make the links that a project of one's own needs. Exits with an error if that fails."""
    from local.commands import fail, value_of

    project = project_of(Path(value_of(words, "--cwd", "-C") or "."))
    try:
        if project is not None:
            link(project)
    except ProjectError as error:
        fail(str(error))


def link(project: Path) -> None:
    """Let `.stockade` lead here, if the project's files name it. Raises ProjectError."""
    environment()
    try:
        named = project != HERE.resolve() and f"{LINK}/" in (project / "Pulumi.yaml").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return  # the engine says what is wrong with it
    if named:
        _linked(project / LINK, HERE)


def environment() -> None:
    """Let `.venv` beside the rooms be the environment that this copy is installed in: policies and programs use it.

    A checkout has one of its own.
    """
    if installed():
        _linked(HERE / ".venv", Path(sys.prefix))


def installed() -> bool:
    """Whether this is an installed copy, not a checkout."""
    return HERE.parent.name in ("site-packages", "dist-packages")


def _linked(place: Path, target: Path) -> None:
    if place.is_symlink() and place.exists() and place.resolve() == target.resolve():
        return
    if os.path.lexists(place) and not place.is_symlink():
        raise ProjectError(
            f"{place} is in the way: `stockade` makes a link of this name to {target}. Move it elsewhere"
        )
    try:
        new = place.with_name(f"{place.name}.{os.getpid()}")
        new.symlink_to(target)
        new.replace(place)
    except OSError as error:
        raise ProjectError(f"{place}: cannot make the link to {target}: {error.strerror}") from None

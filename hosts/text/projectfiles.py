"""Files of the project: what a config names there is read as it stands in the repository, and nothing else is.

Whoever may change the config must not have this machine's files read out by it.
"""

import os
from pathlib import Path

from hosts.text.textfiles import LARGEST, BadFile, read_text


def project(folder: Path = Path()) -> Path:
    """Return the project's folder: the nearest one with a Pulumi.yaml, from `folder` on."""
    start = folder.absolute()
    return next((place for place in (start, *start.parents) if (place / "Pulumi.yaml").is_file()), start)


def inside(path: Path, folder: Path = Path()) -> Path | None:
    """Return where a path leads, links resolved; None where that is not in the project, or is git's own."""
    real, root = Path(os.path.realpath(path)), Path(os.path.realpath(project(folder)))
    return real if real.is_relative_to(root) and ".git" not in real.relative_to(root).parts else None


def file_of_project(path: str, folder: Path = Path()) -> Path:
    """Return where a file of the project is, links resolved; `path` starts at `folder`. Raises BadFile."""
    try:
        real = inside(folder / Path(path).expanduser(), folder)
    except (ValueError, RuntimeError, OSError):  # a NUL, a home of nobody, links in a circle
        real = None
    if real is None:
        raise BadFile(
            f"{path!r} is not a file of the project: it must be inside the project folder, even if reached "
            "through a link"
        )
    return real


def read_of_project(path: str, folder: Path = Path(), largest: int = LARGEST) -> str:
    """Return the text of a file of the project. Raises BadFile, which never says what is in the file."""
    real = file_of_project(path, folder)
    return read_text(real, largest, name=Path(os.path.abspath(folder / Path(path).expanduser())), follow=False)

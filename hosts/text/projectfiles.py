"""Files of the project: what a config names is read only if it is part of the repository.

Anyone who can change the config must not be able to read other files of this machine through it.
"""

import os
from pathlib import Path

from hosts.text.textfiles import LARGEST, BadFile, read_text


def project(folder: Path = Path()) -> Path:
    """Return the project directory: the nearest one with a Pulumi.yaml, from `folder` upwards."""
    start = folder.absolute()
    return next((place for place in (start, *start.parents) if (place / "Pulumi.yaml").is_file()), start)


def inside(path: Path, folder: Path = Path()) -> Path | None:
    """Return a path with links resolved; None if it is not in the project, or is git's own."""
    real, root = Path(os.path.realpath(path)), Path(os.path.realpath(project(folder)))
    return real if real.is_relative_to(root) and ".git" not in real.relative_to(root).parts else None


def file_of_project(path: str, folder: Path = Path()) -> Path:
    """Return a project file's path with links resolved; `path` is relative to `folder`. Raises BadFile."""
    try:
        real = inside(folder / Path(path).expanduser(), folder)
    except (ValueError, RuntimeError, OSError):  # a NUL byte, an unknown user's home, a link cycle
        real = None
    if real is None:
        raise BadFile(
            f"{path!r} is not a file of the project: it must be inside the project folder, even if reached "
            "through a link"
        )
    return real


def read_of_project(path: str, folder: Path = Path(), largest: int = LARGEST) -> str:
    """Return the text of a project file. Raises BadFile, which never quotes the file."""
    real = file_of_project(path, folder)
    return read_text(real, largest, name=Path(os.path.abspath(folder / Path(path).expanduser())), follow=False)

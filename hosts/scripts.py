"""Scripts for hosts: `.sh` files beside the code that sends them, checked by ShellCheck and shfmt (`make lint`).

A file says at its top what it is for, then which files it uses and which variables it takes:

    # What fail2ban shows.
    # uses: hosts/system/files.sh hosts/system/services.sh
    # takes: dropin jails

`uses` names files by their paths in the checkout. `takes` names variables that arrive as data (`Script.values`) or that
a caller of its functions sets. tests/unit/test_scripts.py holds both against the text. The top itself is not sent.
"""

import re
from functools import cache
from importlib.resources import files

_USES = re.compile(r"^# uses: (.+)$", re.M)
_TAKES = re.compile(r"^# takes: (.+)$", re.M)


def top_of(text: str) -> str:
    """The comments at the top of a script file."""
    lines = text.split("\n")
    count = next(index for index, line in enumerate(lines) if not line.startswith("#"))
    return "".join(f"{line}\n" for line in lines[:count])


def uses(text: str) -> list[str]:
    """The files that a script file says it uses."""
    return [name for names in _USES.findall(top_of(text)) for name in names.split()]


def takes(text: str) -> list[str]:
    """The variables that a script file says it takes."""
    return [name for names in _TAKES.findall(top_of(text)) for name in names.split()]


@cache
def source(path: str) -> str:
    """The text of one script file. Raises FileNotFoundError."""
    folder, _, name = path.rpartition("/")
    return (files(folder.replace("/", ".")) / name).read_text("utf-8")


def parts(*paths: str) -> list[str]:
    """The files that `paths` are made of: what each uses comes before it, and each once."""
    found: dict[str, None] = {}

    def add(path: str, above: tuple[str, ...]) -> None:
        if path in above:
            raise ValueError(f"{path} uses itself, by way of {' '.join(above[above.index(path) + 1 :])}")
        for used in uses(source(path)):
            add(used, (*above, path))
        found.setdefault(path)

    for path in paths:
        add(path, ())
    return list(found)


@cache
def script(*paths: str) -> str:
    """The text of script files behind all that they use, as `Script.body` takes it. Raises FileNotFoundError."""
    return "".join(source(part).removeprefix(top_of(source(part))) for part in parts(*paths))

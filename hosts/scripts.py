"""Scripts for hosts: `.sh` files beside the code that sends them, checked by ShellCheck and shfmt (`make lint`).

The top of a file says what it is for, which files it uses and which variables it takes:

    # What fail2ban shows.
    # uses: hosts/system/files.sh hosts/system/services.sh
    # takes: dropin jails

`uses` lists files by their paths in the checkout. `takes` lists variables that are passed as data (`Script.values`) or
set by a caller of its functions. tests/unit/test_scripts.py checks both against the text. The top itself is not sent.
"""

import re
from functools import cache
from importlib.resources import files

_TOP = re.compile(r"(#.*\n)*")
_USES = re.compile(r"^# uses: (.+)$", re.M)
_TAKES = re.compile(r"^# takes: (.+)$", re.M)


def top_of(text: str) -> str:
    """The comments at the top of a script file."""
    found = _TOP.match(text)
    return found[0] if found else ""


def uses(text: str) -> list[str]:
    """The files that a script file declares in `uses`."""
    return [name for names in _USES.findall(top_of(text)) for name in names.split()]


def takes(text: str) -> list[str]:
    """The variables that a script file declares in `takes`."""
    return [name for names in _TAKES.findall(top_of(text)) for name in names.split()]


@cache
def source(path: str) -> str:
    """The text of one script file. Raises FileNotFoundError."""
    folder, _, name = path.rpartition("/")
    return (files(folder.replace("/", ".")) / name).read_text("utf-8")


def parts(*paths: str) -> list[str]:
    """The files that `paths` consist of: each once, after the files that it uses."""
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
    """The text of script files, preceded by everything they use, for `Script.body`. Raises FileNotFoundError."""
    return "".join(source(part).removeprefix(top_of(source(part))) for part in parts(*paths))

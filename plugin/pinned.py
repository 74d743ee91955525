"""The plugin's part of requirements.lock: `make lock` writes plugin/requirements.txt from it."""

import re
from itertools import pairwise
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
LOCK = CHECKOUT / "requirements.lock"
FILE = Path(__file__).with_name("requirements.txt")
ROOTS = frozenset({"asyncssh", "bcrypt", "pulumi", "pydantic", "pyyaml"})
"""What its code imports."""
_HEAD = re.compile(r"^[a-z0-9]", re.M)
_HEADING = (
    "# Written by `make lock` from requirements.lock: what the plugin needs. The CLI installs it and looks at nothing "
    "else.\n"
)


def pinned(lock: str) -> str:
    """Return the part of a lock file for `ROOTS` and their dependencies, according to its comments (`# via`)."""
    starts = [*(head.start() for head in _HEAD.finditer(lock)), len(lock)]
    entries = [lock[start:end] for start, end in pairwise(starts)]
    wanted = {_name(entry) for entry in entries} & ROOTS
    while more := {_name(entry) for entry in entries if _wanted_by(entry) & wanted} - wanted:
        wanted |= more
    return _HEADING + "".join(entry for entry in entries if _name(entry) in wanted)


def _name(entry: str) -> str:
    return entry.partition("==")[0]


def _wanted_by(entry: str) -> frozenset[str]:
    return frozenset(re.findall(r"^    #(?: via)? +([a-z0-9-]+)(?:\[[a-z,]*\])?$", entry, re.M))


if __name__ == "__main__":
    FILE.write_text(pinned(LOCK.read_text("utf-8")), encoding="utf-8")

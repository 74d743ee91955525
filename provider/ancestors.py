"""Finds the engine's process: our parent process, or the one above a language-specific plugin launcher."""

import os
import re
from pathlib import Path

_BETWEEN = "pulumi-language-"
_PARENT, _STARTED = 1, 19
_SOME = re.compile(r"(--target|--exclude|--target-dependents|--exclude-dependents|-t)(=|$)")
_PARALLEL = re.compile(r"\0(?:--parallel|-p)(?:=?(\d+)|\0(\d+))\0")

EXPORT = "STOCKADE_EXPORT"
"""The environment variable in which the embedded engine gives the command that prints a state: words, as JSON."""


def engine_process() -> int:
    """Return its process id, as far as the system reveals it."""
    pid = os.getppid()
    while (parent := _parent_of(pid)) and _program(pid).startswith(_BETWEEN):
        pid = parent
    return pid


def at_once() -> int:
    """Return how many operations the engine runs at once; 0 if that is not known.

    It is not known of a run on some of the resources: then those that are waited for may not be part of it.
    """
    try:
        line = Path(f"/proc/{engine_process()}/cmdline").read_text("utf-8", "replace")
    except OSError:
        line = ""
    if any(_SOME.match(word) for word in line.split("\0")):
        return 0
    given = _PARALLEL.search(line)
    text = given[1] or given[2] if given else os.environ.get("PULUMI_PARALLEL", "")
    return int(text) if text.isdecimal() else 4 * (os.cpu_count() or 0)  # the engines' default


def start_of(pid: int) -> str:
    """Return when a process started, which with its id identifies it; "" if the system does not reveal it."""
    return _stat(pid, _STARTED)


def _program(pid: int) -> str:
    try:
        return Path(os.readlink(f"/proc/{pid}/exe")).name
    except OSError:
        return ""


def _parent_of(pid: int) -> int:
    return int(_stat(pid, _PARENT) or 0)


def _stat(pid: int, field: int) -> str:
    """Return a field of proc_pid_stat(5), counted from the one after the program's name; "" if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[field]
    except (OSError, IndexError):
        return ""

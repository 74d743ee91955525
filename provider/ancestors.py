"""Finds the engine's process: our parent process, or the one above a language-specific plugin launcher."""

import os
from pathlib import Path

_BETWEEN = "pulumi-language-"


def engine_process() -> int:
    """Return its process id, as far as the system reveals it."""
    pid = os.getppid()
    while (parent := _parent_of(pid)) and _program(pid).startswith(_BETWEEN):
        pid = parent
    return pid


def _program(pid: int) -> str:
    try:
        return Path(os.readlink(f"/proc/{pid}/exe")).name
    except OSError:
        return ""


def _parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0

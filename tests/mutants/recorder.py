"""Which functions, of Python and of sh, each test runs. Each process appends `TEST<tab>SCOPE` to a file of its own.

A scope is `FILE:FUNCTION`, with an empty function for the lines outside. Programs that tests start in Python record
themselves (`inside/sitecustomize.py`). In scripts for hosts, each function starts with a line that writes its name.
"""

import os
import re
import sys
import threading
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

REPOSITORY = str(Path(__file__).parents[2])
FOLDER = "STOCKADE_SEEN"
SH_FILE = "STOCKADE_SEEN_SH"
FOLDERS = ("adopt", "cli", "components", "fleet", "hosts", "local", "plugin", "policies", "provider", "rules")
_ROOMS = tuple(f"{REPOSITORY}/{name}/" for name in FOLDERS)
_FUNCTION = re.compile(r"^(\w+)\(\) [{(](?!.*\$\?)(?!.*\n.*\$\?)", re.M)


class Recorder:
    """Writes what the current test runs."""

    def __init__(self, folder: str) -> None:
        self.path = f"{folder}/{os.getpid()}"
        self._open()
        self.test = ""
        self.seen: set[CodeType] = set()

    def _open(self) -> None:
        self.file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def start(self, test: str) -> None:
        """Record from here on for a test."""
        self.test, self.seen = test, set()
        sys.settrace(self.called)
        threading.settrace(self.called)

    def called(self, frame: FrameType, _event: str, _argument: Any) -> None:
        """Record one call, as `sys.settrace` has it; lines are not traced."""
        code = frame.f_code
        if code not in self.seen:
            self.seen.add(code)
            if code.co_filename.startswith(_ROOMS):
                self.write(f"{code.co_filename[len(REPOSITORY) + 1 :]}:{code.co_qualname}")

    def write(self, scope: str) -> None:
        """Record a scope."""
        line = f"{self.test}\t{scope}\n".encode()
        try:
            os.write(self.file, line)
        except OSError:  # a program that forks closes what it does not know
            self._open()
            os.write(self.file, line)


def marked(name: str, text: str) -> str:
    """Return a script of which each function says that it runs."""

    def mark(scope: str) -> str:
        return f'echo "{name}:{scope}" 2>/dev/null >>"${{{SH_FILE}:-/stage/seen}}" || :'

    lines = text.split("\n")
    first = next(index for index, line in enumerate(lines) if not line.startswith("#"))
    top, rest = "".join(f"{line}\n" for line in lines[:first]), "\n".join(lines[first:])
    return f"{top}{mark('')}\n" + _FUNCTION.sub(lambda start: f"{start[0]} {mark(start[1])};", rest)

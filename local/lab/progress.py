"""Progress output of the lab: one line per step, with its time, on stderr (stdout is for results)."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class Progress:
    """Prints steps: a line when a step begins, its seconds when it ends."""

    def __init__(self, out: TextIO | None = None, *, quiet: bool = False) -> None:
        """`out` is stderr by default; `quiet` prints nothing."""
        self._out = out
        self._quiet = quiet

    def say(self, text: str) -> None:
        """Print one line."""
        self._write(text + "\n")

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Print `text ...` before the block and its seconds after it."""
        start = time.monotonic()
        self._write(f"{text} ... ")
        try:
            yield
        except BaseException:
            self._write("failed\n")
            raise
        self._write(f"{time.monotonic() - start:.1f} s\n")

    def _write(self, text: str) -> None:
        if not self._quiet:
            out = self._out or sys.stderr
            out.write(text)
            out.flush()

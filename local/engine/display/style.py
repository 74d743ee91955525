"""Colours of terminal output; none if the output is not a terminal or NO_COLOR is set."""

from __future__ import annotations

import os
from typing import TextIO

from hosts.text.masking import printable

_COLOURS = {
    "+": "32", "-": "31", "~": "33", "+-": "35", "++": "32", "--": "31", "error": "1;31", "warning": "33",
    "heading": "1;35", "resource": "1;34", "bold": "1", "dim": "2",
}  # fmt: skip


class Style:
    """Wraps text in colour if colours are on."""

    def __init__(self, out: TextIO) -> None:
        self.tty = out.isatty() and os.environ.get("TERM") != "dumb"
        self._colour = self.tty and not os.environ.get("NO_COLOR")

    def op(self, kind: str, text: str) -> str:
        """Text, without colours of its own, in the colour of an operation, a severity or a part of the report."""
        text = printable(text)
        code = _COLOURS.get(kind)
        return f"\x1b[{code}m{text}\x1b[0m" if code and self._colour else text

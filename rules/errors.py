"""The one error that invalid rule text raises: where it is, what was expected there, and the line itself."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ExpectedError(ValueError):
    """A reader rejected a value; the parser turns this into a :class:`RuleSyntaxError` with its position.

    ``expected`` completes the sentence "expected …"; ``reason``, if given, says what is wrong instead.
    """

    def __init__(self, expected: str, reason: str = "") -> None:
        super().__init__(reason or f"expected {expected}")
        self.expected = expected
        self.reason = reason


class RuleSyntaxError(ValueError):
    """Rule text that cannot be loaded, or that the kernel would reject.

    Attributes: ``line`` and ``column`` (from 1), ``expected`` (what belongs there), ``text`` (the offending line),
    ``reason`` (what is wrong with the text there). ``str()`` shows all of them with a caret under the column.
    """

    def __init__(self, reason: str, *, line: int, column: int, expected: str, text: str) -> None:
        self.reason = reason
        self.line = line
        self.column = column
        self.expected = expected
        self.text = text
        super().__init__(self._message())

    def _message(self) -> str:
        head = f"{self.line}:{self.column}: {self.reason}"
        if self.expected:
            head += f"; expected {self.expected}"
        start = max(0, self.column - _SHOWN // 2) if len(self.text) > _SHOWN else 0
        shown = self.text[start : start + _SHOWN].replace("\t", " ")
        return f"{head}\n  {shown}\n  {' ' * (self.column - 1 - start)}^"


class UnknownError(RuleSyntaxError):
    """A match, target or option that this language does not support, or a form that only iptables-save prints."""


_SHOWN = 200
"""The most characters of a line that an error shows, around its column."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` (did you mean X?)`` for the closest of ``known``, or an empty string."""
    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return f" (did you mean {names[near[0]]}?)" if near else ""

"""Messages for the user besides results: lines on the engine's console, attached to the resource they are about."""

import sys
from typing import Any, Protocol

from components.core.claims import caller
from hosts.text.masking import printable


class Console(Protocol):
    """Where lines go."""

    def warn(self, urn: str, text: str) -> None:
        """Show a warning about the resource `urn`."""


class _Stderr:
    """Fallback without an engine's console: the process's stderr, which engines show."""

    def warn(self, urn: str, text: str) -> None:
        """Print it."""
        del urn
        sys.stderr.write(printable(f"warning: {text}\n"))
        sys.stderr.flush()


_console: list[Any] = [_Stderr()]


def use(console: Console) -> None:
    """Send all messages to `console` from now on."""
    _console[0] = console


def warn(text: str) -> None:
    """Warn about the resource of the current operation."""
    _console[0].warn(caller().urn, text)

"""What the operations say of how they ended."""

from typing import NoReturn

from components.core import console
from components.core.claims import CLAIMS
from components.failure import Failure
from hosts.errors import HostError

LEFT = "Its changes could not be rolled back: run `up` to finish them, or `destroy` to undo them."


def say_once(host: str, text: str) -> None:
    """Warn once about something that concerns all resources of a host."""
    if text and not CLAIMS.said(host, text.partition(" since ")[0]):
        console.warn(text)


def say_taken_back(error: HostError | Failure, *, changed: bool = True) -> NoReturn:
    if not changed:
        raise error
    outcome = "Nothing of this change is left on the host."
    if isinstance(error, HostError):
        error.hint = "\n  ".join(part for part in (error.hint, outcome) if part)
        raise error
    raise Failure(f"{error}\n  {outcome}") from error

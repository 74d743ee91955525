# ruff: noqa: N818  (the names say what happened; each is a HostError)
"""What can go wrong between Stockade and a host, one class per kind. No message ever contains a secret.

`str()` of an error is written for the user: `host: resource: step: what happened`, then what to do, on its own line.
"""

import copy
import os
import re
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from hosts.text.masking import mask, printable

if TYPE_CHECKING:
    from hosts.shell import Answer

STDERR_TAIL_LINES = 12
BEHIND = "jump host "
"""The start of a message about a jump host, which therefore concerns all hosts behind it."""


class HostError(Exception):
    """Base class. `host` is the name in the config; `resource` and `step` say what was being done."""

    not_reached = False
    """Whether the whole run could not reach the host, rather than a single step failing."""

    def __init__(
        self,
        message: str,
        *,
        host: str = "",
        resource: str = "",
        step: str = "",
        hint: str = "",
        secrets: Iterable[str] = (),
    ) -> None:
        known = tuple(secrets)
        self.message = printable(mask(message, known))
        self.host = host
        self.resource = mask(resource, known)
        self.step = mask(step, known)
        self.hint = printable(mask(hint, known))
        super().__init__(self.message)

    def __str__(self) -> str:
        place = ": ".join(part for part in (self.host, self.resource, self.step, self.message) if part)
        return f"{place}\n  {self.hint}" if self.hint else place

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def during(self, *, resource: str, step: str = "") -> Self:
        """Return the same error for another resource, because one cause may fail many."""
        error = copy.copy(self)
        error.resource, error.step = resource or self.resource, step or self.step
        return error


class Unreachable(HostError):
    """No SSH connection could be opened. `tried`: the addresses; `waited`: seconds; `cause`: the last error."""

    def __init__(
        self, message: str = "", *, tried: tuple[str, ...] = (), waited: float = 0, cause: str = "", **place: str
    ) -> None:
        text = message or f"cannot connect to {', '.join(tried)} (tried for {waited:.0f} s): {cause}"
        super().__init__(text, **place)
        self.tried, self.waited, self.cause = tried, waited, cause


class HostKeyUnknown(HostError):
    """The host's key is neither pinned nor in known_hosts. `key_line` is the line to pin."""

    def __init__(
        self, message: str = "", *, address: str = "", key_line: str = "", fingerprint: str = "", **place: str
    ) -> None:
        text = message or f"{address} has an unknown host key; it presented {fingerprint}"
        place.setdefault(
            "hint",
            f"Compare the fingerprint with the one on the host (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub), then pin "
            f"it in the connection:\n  hostKey: {key_line}",
        )
        super().__init__(text, **place)
        self.key_line, self.fingerprint = key_line, fingerprint


class HostKeyChanged(HostError):
    """The host's key differs from the known one: another machine, a reinstallation, or an attack."""

    def __init__(
        self,
        message: str = "",
        *,
        address: str = "",
        expected: tuple[str, ...] = (),
        received: str = "",
        key_line: str = "",
        source: str = "",
        **place: str,
    ) -> None:
        text = message or (
            f"the host key of {address} has changed: expected {' or '.join(expected)} ({source}), received {received}"
        )
        place.setdefault(
            "hint",
            f"Somebody may be intercepting the connection. If the host was reinstalled, replace the key ({source}):\n"
            f"  hostKey: {key_line}",
        )
        super().__init__(text, **place)
        self.expected, self.received = expected, received


class LoginRefused(HostError):
    """The host answered, but refused every login. `attempts` has one line for each."""

    def __init__(self, message: str = "", *, attempts: tuple[str, ...] = (), **place: str) -> None:
        super().__init__(message or f"login refused: {'; '.join(attempts)}", **place)
        self.attempts = attempts


class BadCredentials(HostError):
    """A key file is missing or unreadable, a passphrase is wrong, or an agent does not answer. Nothing was sent."""


class Useless(HostError):
    """The login works but cannot be used. None of the scripts that were sent has run."""


class SudoRefused(Useless):
    """The login works, but its sudo does not let it become root."""


class SudoPasswordRefused(SudoRefused):
    """sudo allows this login to become root, but rejected its password."""


class ShellRefused(Useless):
    """The login works, but it runs a command set on the host, or nothing, instead of the shell."""


class CommandFailed(HostError):
    """A script exited with an unexpected status. `answers` holds the output of the whole run."""

    def __init__(
        self,
        message: str = "",
        *,
        exit_status: int = 1,
        stderr_tail: str = "",
        answers: "tuple[Answer, ...]" = (),
        secrets: Iterable[str] = (),
        **place: str,
    ) -> None:
        known = tuple(secrets)
        shown = tail(mask(stderr_tail, known))
        text = (message or f"exit status {exit_status}") + (f": {shown}" if shown else "")
        super().__init__(text, secrets=known, **place)
        self.exit_status, self.stderr_tail, self.answers = exit_status, shown, answers


class NotUnderstood(HostError):
    """The host's output is not what the script prints: a file changed meanwhile, a program on the host is not what its
    name says, or the host is compromised. Nothing is concluded from it."""

    def __init__(self, why: str, **place: str) -> None:
        place.setdefault("hint", _CHANGED_PROGRAM)
        super().__init__(f"the host's output cannot be parsed: {why}", **place)


@contextmanager
def understanding(host: str, resource: str, step: str) -> Iterator[None]:
    """Parse output of `host`. Any parse error becomes `NotUnderstood`, which quotes none of the output."""
    try:
        yield
    except (LookupError, ValueError, ArithmeticError, RecursionError) as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        missing = isinstance(error, KeyError) and re.fullmatch(r"'[a-z][a-z0-9_.]{0,40}'", str(error))
        why = f"it has no part {error}" if missing else type(error).__name__
        where = f"{os.path.basename(place.filename)}, line {place.lineno}"
        raise NotUnderstood(f"{why} ({where})", host=host, resource=resource, step=step) from error


class TimedOut(HostError):
    """A step exceeded its time limit; its remote processes were told to stop."""


class ConnectionLost(HostError):
    """The connection broke after the script was sent. Whether the step completed is unknown."""


class NotSupported(HostError):
    """A distribution, service manager or host that this version does not support."""


_CHANGED_PROGRAM = (
    "Look at the host: a program that scripts use (sh, cat, stat, sed, awk, ...) may have been replaced, or print more "
    "than it should. If the host is as it should be, please report this."
)


def tail(text: str, lines: int = STDERR_TAIL_LINES) -> str:
    """The last non-empty lines of `text`, each shortened to the maximum length for messages."""
    kept = [line.rstrip() for line in text[-_LOOKED_AT:].splitlines() if line.strip()]
    return "\n".join(line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..." for line in kept[-lines:])


_LONGEST = 400
_LOOKED_AT = 16_000
"""Characters. Of very long output, only the end is considered."""

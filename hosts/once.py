"""One cause may fail every operation on a host, and more than one host: it is told once in a run, with its mending."""

import threading

from hosts.errors import BEHIND, BadCredentials, HostError, Unreachable


class ReportedOnce:
    """What has been told in this process. Safe to use from any number of threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._places: dict[tuple[str, str, str], str] = {}

    def text(self, error: Exception) -> str:
        """The whole text of an error where it is told for the first time; that a host was not reached by the same cause
        as before takes a few words, which say where the cause is told."""
        cause: BaseException | None = error
        while cause is not None and not (isinstance(cause, HostError) and cause.not_reached):
            cause = cause.__cause__
        if not isinstance(cause, HostError):
            return str(error)
        place = ": ".join(part for part in (cause.host, cause.resource) if part)
        with self._guard:
            first = self._places.setdefault(_key(cause), place)
            if first == place:
                return str(error)
        return f"{place}: not reached (for the cause, see {first})"


def _key(cause: HostError) -> tuple[str, str, str]:
    kind = type(cause).__name__
    if cause.message.startswith(BEHIND):
        return "", kind, cause.message
    if isinstance(cause, Unreachable):  # how long it was tried for differs
        return cause.host, kind, ""
    if isinstance(cause, BadCredentials):  # of this machine: a key file of many hosts
        return "", kind, cause.message
    return cause.host, kind, cause.message

"""One cause may fail every operation on a host, or several hosts. It is reported once per run, with its remedy."""

import threading

from hosts.errors import BEHIND, BadCredentials, HostError, Unreachable


class ReportedOnce:
    """What this process has reported. Thread-safe."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._places: dict[tuple[str, str, str], str] = {}

    def text(self, error: Exception) -> str:
        """The full text of an error when first reported. After that, a few words that say where the cause was
        reported."""
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
    if isinstance(cause, Unreachable):  # the waiting time differs between attempts
        return cause.host, kind, ""
    if isinstance(cause, BadCredentials):  # concerns this machine: one key file for many hosts
        return "", kind, cause.message
    return cause.host, kind, cause.message

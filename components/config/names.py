"""Names that a config gives: they are part of resources' names, of files' names and of every message."""

import re
from typing import Annotated

from pydantic import AfterValidator

_SHOWN = 60
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/@+-]*")
_ACCOUNT = re.compile(r"[a-z_][a-z0-9_.-]{0,30}")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,98}[A-Za-z0-9_])?")


def shown(name: object) -> str:
    """Return a name for a message: as it is where it is one, else quoted, whatever is in it."""
    text = str(name)
    if _PLAIN.fullmatch(text) and len(text) <= _SHOWN:
        return text
    return ascii(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def host_name(name: str) -> str:
    """Return what may name a host. Raises ValueError."""
    if not _HOST.fullmatch(name):
        raise ValueError(f"{shown(name)} is not a valid host name: use at most 100 letters, digits and _ . -")
    return name


def group_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return what may name groups of a host. Raises ValueError."""
    for name in names:
        if not _ACCOUNT.fullmatch(name):
            raise ValueError(f"{shown(name)} is not a group name")
    return names


HostName = Annotated[str, AfterValidator(host_name)]

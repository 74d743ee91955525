"""Names from a config. They become part of resource names, file names and messages."""

import re
from typing import Annotated

from pydantic import AfterValidator

_SHOWN = 60
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/@+-]*")
_ACCOUNT = re.compile(r"[a-z_][a-z0-9_.-]{0,30}")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,98}[A-Za-z0-9_])?")


def shown(name: object) -> str:
    """Return a name for use in a message: as is if it is valid, else quoted."""
    text = str(name)
    if _PLAIN.fullmatch(text) and len(text) <= _SHOWN:
        return text
    return ascii(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def host_name(name: str) -> str:
    """Return `name` if it is a valid host name. Raises ValueError."""
    if not _HOST.fullmatch(name):
        raise ValueError(f"{shown(name)} is not a valid host name: use at most 100 letters, digits and _ . -")
    return name


def group_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return `names` if they are valid group names. Raises ValueError."""
    for name in names:
        if not _ACCOUNT.fullmatch(name):
            raise ValueError(f"{shown(name)} is not a group name")
    return names


HostName = Annotated[str, AfterValidator(host_name)]

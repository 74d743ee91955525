"""Files on a host: the functions of `hosts/system/files.sh`, and the parser of their output.

A symbolic link, directory or device in place of a file is never followed or read. It cannot be recorded as a prior
state: the script exits with 73 and names it. If somebody puts one there later, that is drift: it is replaced, unless it
is a directory with something in it.

A file is only written if something differs. It is written next to its target, synced, given its owner and mode, then
renamed over the target, so a reader sees all of it or none. If the disk is full, the script exits with 74 and nothing
changes.

All of these run as root. So PATH must be in a directory that only root can write to, and must come from a chapter's
code, never from what was found on a host. Files in a home belong to the user (`hosts/system/as_user.py`). If anything
exceeds the limit for its kind (`Limit`), the script exits with 68 and names it and its size, without reading any of it.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Self

from hosts.text.rawtext import to_bytes, to_text

TOO_LARGE = 68
"""Exit status: a file or a program's output exceeds the limit for its kind."""
NOT_A_FILE = 73
"""Exit status (EX_CANTCREAT of sysexits.h): there is something other than a regular file in the file's place."""
NOT_WRITTEN = 74
"""Exit status (EX_IOERR): the disk is full, the file system is read-only, …"""


class Limit(IntEnum):
    """Maximum bytes to read of each kind: some ten times what the largest hosts have."""

    KEYS = 2**20
    """An authorized_keys file: 5,000 keys and more."""
    CONFIG = 2**20
    """A configuration file."""
    RULES = 2**24
    """Output of iptables-save or ipset save, and the file that is loaded at boot: 100,000 lines and more."""
    ACCOUNT = 2**16
    """The line of an account or a group."""


FILE_EXITS = {
    TOO_LARGE: "a file is larger than such a file can be; it is left as it is",
    NOT_A_FILE: "something that is not a regular file is where a regular file is expected",
    NOT_WRITTEN: "a file could not be written; it is as it was",
}
"""For `Script.exits` of scripts that write files."""

_PACKED = "base64:"


@dataclass(frozen=True)
class FileState:
    """A file as it was found. Something else in its place is a file without mode and content.

    `path`: for messages only; the chapter determines which file is written. `exists`: whether the file exists.
    `content`: the file's text. `mode`: the file's mode in octal. `owner`, `group`: names, or numbers if there is no
    name.
    """

    path: str
    exists: bool
    content: str = field(default="", repr=False)
    mode: str = ""
    owner: str = ""
    group: str = ""

    @property
    def other(self) -> bool:
        """Whether something else is in the file's place."""
        return self.exists and not self.mode

    def values(self, name: str) -> dict[str, str]:
        """The values for a script that calls `restore_file NAME PATH`."""
        escaped = self.content.replace("\\", "\\\\").replace("\0", "\\0000")
        mode = self.mode if self.exists else ""
        parts = {"mode": mode, "owner": self.owner, "group": self.group, "content": escaped}
        return {f"{name}_{part}": value for part, value in parts.items()}

    def packed(self) -> Self:
        """The same with content that any text field can hold: base64 if it contains NUL bytes."""
        if "\0" not in self.content and not self.content.startswith(_PACKED):
            return self
        return replace(self, content=_PACKED + base64.b64encode(to_bytes(self.content)).decode("ascii"))

    def unpacked(self) -> Self:
        """The inverse of `packed`."""
        if not self.content.startswith(_PACKED):
            return self
        return replace(self, content=to_text(base64.b64decode(self.content.removeprefix(_PACKED))))


def file_state(sections: Mapping[str, str], name: str) -> FileState:
    """Parse the output of `show_file NAME`. Raises KeyError if the script did not get that far."""
    facts, _, path = sections[f"{name}.meta"].rstrip("\n").partition("\n")
    if facts == "absent":
        return FileState(path, False)
    if facts == "other":
        return FileState(path, True)
    _, mode, owner, group, uid, gid = facts.split(" ")
    return FileState(
        path,
        True,
        sections[f"{name}.content"],
        mode,
        uid if owner == "UNKNOWN" else owner,
        gid if group == "UNKNOWN" else group,
    )

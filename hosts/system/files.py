"""Files on a host: the functions of `hosts/system/files.sh`, and the reader of what they print.

A symbolic link, folder or device in the place of a file is never followed or replaced: the script ends with status 73
and names it. A file is written beside its place, synced, given owner and mode, then renamed over it, so a reader sees
all of it or none; only if something differs. A full disk ends the script with status 74 and changes nothing.

All of these work as root, so PATH is in a folder that only root can write to, and comes from the code of a chapter:
never from what was found on a host. What lies in a home is the user's (`hosts/system/as_user.py`). What is larger than
its kind ever is (`Limit`) ends the script with status 68, which names it and its size; nothing of it is read.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Self

from hosts.text.rawtext import to_bytes, to_text

TOO_LARGE = 68
"""Exit status: a file, or what a program prints of the host, is larger than that kind of thing ever is."""
NOT_A_FILE = 73
"""Exit status (EX_CANTCREAT of sysexits.h): something else is in the file's place."""
NOT_WRITTEN = 74
"""Exit status (EX_IOERR): the disk is full, the file system read-only, …"""


class Limit(IntEnum):
    """How many bytes are read of each kind of thing: some ten times what the largest hosts have."""

    KEYS = 2**20
    """An authorized_keys file: 5,000 keys and more."""
    CONFIG = 2**20
    """A configuration file."""
    RULES = 2**24
    """What iptables-save or ipset save print, and the file that is loaded at boot: 100,000 lines and more."""
    ACCOUNT = 2**16
    """The line of an account or a group."""


FILE_EXITS = {
    TOO_LARGE: "a file is larger than such a file can be; it is left as it is",
    NOT_A_FILE: "something that is not a regular file is where a regular file is expected",
    NOT_WRITTEN: "a file could not be written; it is as it was",
}
"""For `Script.exits` of those who write files."""

_PACKED = "base64:"


@dataclass(frozen=True)
class FileState:
    """A file as it was found.

    `path`: for people; where something is written is up to the chapter. `exists`: whether it is there. `content`: its
    text. `mode`: octal text. `owner`, `group`: names, or numbers without a name.
    """

    path: str
    exists: bool
    content: str = field(default="", repr=False)
    mode: str = ""
    owner: str = ""
    group: str = ""

    def values(self, name: str) -> dict[str, str]:
        """The values of a script that calls `restore_file NAME PATH`."""
        escaped = self.content.replace("\\", "\\\\").replace("\0", "\\0000")
        mode = self.mode if self.exists else ""
        parts = {"mode": mode, "owner": self.owner, "group": self.group, "content": escaped}
        return {f"{name}_{part}": value for part, value in parts.items()}

    def packed(self) -> Self:
        """The same with a content that any text field can hold: base64 where there are NUL bytes."""
        if "\0" not in self.content and not self.content.startswith(_PACKED):
            return self
        return replace(self, content=_PACKED + base64.b64encode(to_bytes(self.content)).decode("ascii"))

    def unpacked(self) -> Self:
        """What `packed` was made from."""
        if not self.content.startswith(_PACKED):
            return self
        return replace(self, content=to_text(base64.b64decode(self.content.removeprefix(_PACKED))))


def file_state(sections: Mapping[str, str], name: str) -> FileState:
    """What `show_file NAME` printed. Raises KeyError where the script did not come that far."""
    facts, _, path = sections[f"{name}.meta"].rstrip("\n").partition("\n")
    if facts == "absent":
        return FileState(path, False)
    _, mode, owner, group, uid, gid = facts.split(" ")
    return FileState(
        path,
        True,
        sections[f"{name}.content"],
        mode,
        uid if owner == "UNKNOWN" else owner,
        gid if group == "UNKNOWN" else group,
    )

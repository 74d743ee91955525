"""Files on a host: shell functions for scripts, and the reader of what they print.

Put the constants before a script's own body; each includes what it needs.

    SHOW_FILE      show_file NAME PATH [LIMIT]                   sections NAME.meta and NAME.content
    WRITE_FILE     write_file PATH MODE OWNER GROUP CONTENT      sets written=yes or no
    RESTORE_FILE   restore_file NAME PATH                        with the values of `FileState.values(NAME)`
    BOUNDED        small PATH…                                   none is larger than a config file may be
                   readable PATH                             it is no pipe and no device
                   fits LIMIT WHAT TEXT                          a text that a program printed is not larger

A symbolic link, folder or device in the place of a file is never followed or replaced: the script ends with status 73
and names it. A file is written beside its place, synced, given owner and mode, then renamed over it, so a reader sees
all of it or none; only if something differs. A full disk ends the script with status 74 and changes nothing.

All of these work as root, so PATH is in a folder that only root can write to, and comes from the code of a chapter:
never from what was found on a host. What lies in a home is the user's (`hosts/system/as_user.py`). What is larger than
its kind ever is (`Limit`) ends the script with status 68, which names it and its size; nothing of it is read.

    FIXED          fixed PATH…       whether nobody, not even root, may change one of them; says which and why on stderr
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
    TOO_LARGE: "a file is too large to be what it should be; it is left alone",
    NOT_A_FILE: "something that is not an ordinary file is in the place of one",
    NOT_WRITTEN: "a file could not be written; it is as it was",
}
"""For `Script.exits` of those who write files."""

_COMMON = f"""\
_ordinary() {{
    if [ -L "$1" ] || {{ [ -e "$1" ] && [ ! -f "$1" ]; }}; then
        printf '%s is not an ordinary file; it is left alone\\n' "$1" >&2
        exit {NOT_A_FILE}
    fi
}}
_large() {{ # PATH SIZE LIMIT
    printf '%s has %s bytes; of such a thing at most %s are read\\n' "$1" "$2" "$3" >&2
    exit {TOO_LARGE}
}}
_within() {{ # PATH LIMIT
    _size=$(stat -c %s "$1")
    [ "$_size" -le "$2" ] || _large "$1" "$_size" "$2"
}}
"""

BOUNDED = (
    _COMMON
    + f"""\
small() {{
    for _path in "$@"; do
        if [ -f "$_path" ]; then _within "$_path" {Limit.CONFIG}; fi
    done
}}
readable() {{ # PATH: neither a pipe nor a device, of which there may be no end; links are followed
    [ -e "$1" ] && [ ! -f "$1" ] && [ ! -d "$1" ] && [ ! "$1" -ef /dev/null ] || return 0
    printf '%s is not an ordinary file\\n' "$1" >&2
    exit {NOT_A_FILE}
}}
fits() {{
    [ "${{#3}}" -le "$1" ] || _large "$2" "${{#3}}" "$1"
}}
"""
)

FIXED = """\
fixed() {
    _fixed=1
    for _path in "$@"; do
        case $(lsattr -d "$_path" 2>/dev/null | cut -d' ' -f1) in
            *i*) _attribute=i _word=immutable ;;
            *a*) _attribute=a _word='append-only' ;;
            *) continue ;;
        esac
        printf '%s is %s (chattr +%s): chattr -%s %s makes it an ordinary one\\n' \\
            "$_path" "$_word" "$_attribute" "$_attribute" "$_path" >&2
        _fixed=0
    done
    return "$_fixed"
}
"""

SHOW_FILE = (
    _COMMON
    + """\
show_file() {
    _ordinary "$2"
    [ ! -f "$2" ] || _within "$2" "${3:-CONFIG}"
    begin "$1.meta"
    if [ -f "$2" ]; then stat -c 'file %a %U %G %u %g' "$2"; else echo absent; fi
    printf '%s\\n' "$2"
    end
    [ ! -f "$2" ] || section "$1.content" head -c "${3:-CONFIG}" "$2"
}
""".replace("CONFIG", str(int(Limit.CONFIG)))
)

_PUT = (
    _COMMON
    + FIXED
    + f"""\
_unwritten() {{ # PATH: what the programs have said may not tell why
    fixed "${{1%/*}}" "$1" || :
    _room=$(df -P "${{1%/*}}" 2>/dev/null | awk 'NR == 2 {{ print $4 }}')
    [ "${{_room:-1}}" != 0 ] || echo "${{1%/*}}: No space left on device" >&2
    exit {NOT_WRITTEN}
}}
_put() {{ # PATH MODE OWNER GROUP FORMAT CONTENT
    _ordinary "$1"
    written=no
    if [ -f "$1" ] && [ "$(stat -c '%a %U %G' "$1")" = "${{2#0}} $3 $4" ] &&
        [ "$(cat "$1" && echo .)" = "$(printf "$5" "$6" && echo .)" ]; then
        return 0
    fi
    [ -d "${{1%/*}}" ] || (umask 022 && mkdir -p "${{1%/*}}") || _unwritten "$1"
    rm -f "${{1%/*}}/.stockade.${{1##*/}}."?????? # of a run that a power cut ended
    _new=$(mktemp "${{1%/*}}/.stockade.${{1##*/}}.XXXXXX") || _unwritten "$1"
    if printf "$5" "$6" >"$_new" && chown "$3:$4" "$_new" && chmod "$2" "$_new" &&
        {{ sync "$_new" 2>/dev/null || :; }} && mv -f "$_new" "$1"; then
        written=yes
    else
        rm -f "$_new"
        _unwritten "$1"
    fi
    if command -v restorecon >/dev/null; then restorecon "$1" || :; fi
}}
"""
)

WRITE_FILE = (
    _PUT
    + """\
write_file() { _put "$1" "$2" "$3" "$4" '%s' "$5"; }
"""
)

RESTORE_FILE = (
    _PUT
    + """\
restore_file() {
    eval "set -- \\"\\$2\\" \\"\\$$1_mode\\" \\"\\$$1_owner\\" \\"\\$$1_group\\" \\"\\$$1_content\\""
    if [ -z "$2" ]; then
        _ordinary "$1"
        written=no
        if [ -f "$1" ]; then rm -f "$1" || _unwritten "$1"; written=yes; fi
    else
        _put "$1" "$2" "$3" "$4" '%b' "$5"
    fi
}
"""
)

_PACKED = "base64:"


@dataclass(frozen=True)
class FileState:
    """A file as it was found; mode is octal text ("640"), owner and group are names, or numbers without a name.

    `path` is for people: where something is written is up to the chapter.
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

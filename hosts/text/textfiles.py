"""Small text files that an operator names: keys, known hosts. What is wrong with one is told in a sentence."""

import os
import re
import stat
from pathlib import Path

LARGEST = 2**20
"""Bytes. A key has a few hundred to a few thousand."""
LARGEST_LIST = 2**26
"""A known_hosts file may list a whole fleet."""

_PUBLIC = re.compile(
    r"((ssh|ecdsa|sk)-[A-Za-z0-9@.-]+ AAAA)|---- BEGIN SSH2 PUBLIC KEY|-----BEGIN ([A-Z0-9]+ )?PUBLIC KEY-----"
)


_KERNEL = ("/proc/", "/sys/", "/dev/")
"""Where files are that the kernel makes up: environments of processes, memory, devices."""


class BadFile(ValueError):  # noqa: N818
    """A file that is not what it should be. The message names it, and never says what is in it."""


def read_text(path: Path, largest: int = LARGEST, *, name: Path | None = None, follow: bool = True) -> str:
    """Return the text of a file, which may be empty. `name`: what it is called in errors; `follow`: links are followed.

    Raises BadFile for what is missing, no file on a disk, not to be read, too large, or no plain text.
    """
    opened, path = path, name or path
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | (0 if follow else getattr(os, "O_NOFOLLOW", 0))
    try:
        # a named pipe that nobody writes to would be waited for
        descriptor = os.open(opened, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
        with os.fdopen(descriptor, "rb") as file:
            kind = os.fstat(file.fileno())
            if os.path.realpath(opened) == os.devnull:  # an empty known_hosts file
                return ""
            if not stat.S_ISREG(kind.st_mode) or os.path.realpath(opened).startswith(_KERNEL):
                raise BadFile(f"{path} is not a file")
            content = file.read(largest + 1)
            if content and not kind.st_size:  # made up by the kernel, wherever its file system is mounted
                raise BadFile(f"{path} is not a file")
    except IsADirectoryError:
        raise BadFile(f"{path} is a directory, not a file") from None
    except (OSError, ValueError) as error:
        if isinstance(error, BadFile):
            raise
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise BadFile(f"{path} cannot be read: {reason}") from None
    if len(content) > largest:
        raise BadFile(f"{path} is larger than {largest // 2**20} MB")
    return _decoded(path, content)


def _decoded(path: Path, content: bytes) -> str:
    mending = f"save it as plain text, in PowerShell: `(Get-Content {path}) | Set-Content -Encoding ascii {path}`"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or _looks_like_utf16(content):
        raise BadFile(f"{path} is UTF-16, which ssh does not read either: {mending}")
    if content.startswith(b"\xef\xbb\xbf"):
        raise BadFile(f"{path} begins with a byte order mark, which ssh does not read either: {mending}")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise BadFile(f"{path} is not a text file")
    return text


def _looks_like_utf16(content: bytes) -> bool:
    """Whether it is ASCII with a NUL beside each character, without a mark at its beginning."""
    start = content[:64]
    return len(start) > 3 and any(not any(start[at::2]) and all(start[1 - at :: 2]) for at in (0, 1))


def read_private_key(path: Path) -> str:
    """Return the text of a private key file. Raises BadFile where it cannot be one."""
    text = read_text(path)
    if fault := private_key_fault(text):
        raise BadFile(f"{path} {fault}")
    return text


def private_key_fault(text: str) -> str:
    """Say why a text cannot be a private key that we read ("is ..."); empty where it may be one."""
    if not text.strip():
        return "is empty"
    if text.startswith("PuTTY-User-Key-File-"):
        return (
            "is a key in PuTTY's format; convert it: `puttygen KEY.ppk -O private-openssh-new -o KEY` "
            '(PuTTYgen on Windows: "Conversions", "Export OpenSSH key")'
        )
    if _PUBLIC.match(text.lstrip()):
        return "is a public key; the private one belongs here (the file without .pub)"
    if "PRIVATE KEY-----" not in text:
        return "is not a private key; one begins with `-----BEGIN ... PRIVATE KEY-----`"
    return ""

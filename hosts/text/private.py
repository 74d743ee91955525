"""A directory that is closed to other users of this machine, for locks and for communication between a user's
processes.

In a directory that others can write to, they could create a name in advance; in one that they can read, they could hold
a lock.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path


def private_folder(name: str) -> Path:
    """Return a directory of this user's, created if missing. Raises OSError if that fails."""
    return _made(_base() / name)


@contextmanager
def locked(what: Path) -> Iterator[None]:
    """Hold the lock for a file during a block. Only this user's processes can hold it."""
    file = private_folder("locks") / sha256(os.fsencode(os.path.realpath(what))).hexdigest()[:32]
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def close_to_others(descriptor: int) -> None:
    """Keep other users from opening an open directory of ours: whoever can open it can lock it."""
    found = os.fstat(descriptor)
    if found.st_uid == os.geteuid() and found.st_mode & 0o077:
        os.fchmod(descriptor, 0o700)


def _base() -> Path:
    for above in (os.environ.get("XDG_RUNTIME_DIR"), os.path.expanduser("~/.cache")):
        if above and os.path.isabs(above):
            with suppress(OSError):
                Path(above).mkdir(mode=0o700, parents=True, exist_ok=True)
                found = os.stat(above)
                if found.st_uid == os.geteuid() and not found.st_mode & 0o022:
                    return _made(Path(above) / "stockade")
    return _made(Path(tempfile.gettempdir()) / f"stockade-{os.geteuid()}")


def _made(folder: Path) -> Path:
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(f"{folder} is not a folder of this user's: whoever made it may remove it")
    if found.st_mode & 0o077:
        folder.chmod(0o700)
    return folder

"""Cgroups of lab hosts. Every boot of a host gets one of its own: systemds that share one collide (219/CGROUP).

Works on the cgroup2 hierarchy only, mounted at its usual place in a mount namespace of the lab's own, so that hosts see
the same pure cgroup2 whether the machine itself runs cgroup v1, v2 or both.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

from local.lab.run import run

MOUNT_POINT = Path("/sys/fs/cgroup")
TOP = MOUNT_POINT / "stockade-lab"
REMOVE_LIMIT = 5.0

# $1 name: ends every process of a host whose supervisor is gone, then removes its cgroups.
_SWEEP = """\
[ -e /sys/fs/cgroup/cgroup.controllers ] || mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit 1
top=/sys/fs/cgroup/stockade-lab
tries=0
while [ -d "$top/$1" ] && [ $tries -lt 100 ]; do
    find "$top/$1" -name cgroup.procs -exec cat {} + | xargs -r kill -KILL
    find "$top/$1" -depth -type d -exec rmdir {} + 2>/dev/null
    tries=$((tries + 1))
    [ ! -d "$top/$1" ] || sleep 0.05
done
rmdir "$top" 2>/dev/null
[ ! -d "$top/$1" ]
"""


def mount_private() -> None:
    """Show the cgroup2 hierarchy at /sys/fs/cgroup; only to be called in a mount namespace of our own."""
    if not (MOUNT_POINT / "cgroup.controllers").exists():  # a file that only cgroup2 has
        run(["mount", "-t", "cgroup2", "cgroup2", str(MOUNT_POINT)])


def make(*parts: str) -> Path:
    """Make the cgroup `stockade-lab/<parts>`."""
    folder = TOP.joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def enter(folder: Path) -> None:
    """Move this process into a cgroup."""
    (folder / "cgroup.procs").write_text(str(os.getpid()))


def remove(folder: Path) -> None:
    """End every process in a cgroup and those below it, and remove them; the dead may take a moment to be reaped.

    A host's init outlives its systemd-nspawn when that is killed, so the processes must be looked for here.
    """
    deadline = time.monotonic() + REMOVE_LIMIT
    while folder.is_dir() and time.monotonic() < deadline:
        for path, _, _ in os.walk(folder, topdown=False):
            with contextlib.suppress(OSError):
                for pid in (Path(path) / "cgroup.procs").read_text().split():
                    os.kill(int(pid), signal.SIGKILL)
                Path(path).rmdir()
        if folder.is_dir():
            time.sleep(0.01)


def leave_and_remove(name: str) -> None:
    """Move this process out of a host's cgroup and remove it, and the top one with the last host."""
    enter(MOUNT_POINT)
    remove(TOP / name)
    with contextlib.suppress(OSError):
        TOP.rmdir()


def sweep(name: str) -> None:
    """End what is left of a host whose supervisor was killed, from outside.

    Raises:
        LabError: something could not be ended in 5 s.
    """
    run(["unshare", "--mount", "sh", "-c", _SWEEP, "sh", name], name=f"ending what is left of {name}")

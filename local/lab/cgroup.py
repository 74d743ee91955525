"""Cgroups of lab hosts. Every boot of a host gets its own: instances of systemd that share one collide (219/CGROUP).

Only the cgroup2 hierarchy is used. It is mounted at its usual place in a mount namespace of the lab, so that hosts see
pure cgroup2 whether the machine itself runs cgroup v1, v2 or both.
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

# Kills every process of a host ($1) whose supervisor is gone, then removes its cgroups.
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
    """Mount the cgroup2 hierarchy at /sys/fs/cgroup; call it only in a private mount namespace."""
    if not (MOUNT_POINT / "cgroup.controllers").exists():  # exists only in cgroup2
        run(["mount", "-t", "cgroup2", "cgroup2", str(MOUNT_POINT)])


def make(*parts: str) -> Path:
    """Create the cgroup `stockade-lab/<parts>`."""
    folder = TOP.joinpath(*parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def enter(folder: Path) -> None:
    """Move this process into a cgroup."""
    (folder / "cgroup.procs").write_text(str(os.getpid()))


def remove(folder: Path) -> None:
    """Kill every process in a cgroup and those below, and remove them; killed processes take a moment to be reaped.

    A host's init survives if its systemd-nspawn is killed, so its processes must be found by cgroup.
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
    """Move this process out of a host's cgroup and remove that, and after the last host the top one."""
    enter(MOUNT_POINT)
    remove(TOP / name)
    with contextlib.suppress(OSError):
        TOP.rmdir()


def sweep(name: str) -> None:
    """Kill what is left of a host whose supervisor was killed.

    Raises:
        LabError: processes are left after 5 s.
    """
    run(["unshare", "--mount", "sh", "-c", _SWEEP, "sh", name], name=f"ending what is left of {name}")

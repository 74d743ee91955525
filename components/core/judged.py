"""Whether this repository's policy pack checks the current run.

No engine tells its program so. But both pack and program know the engine's address. The pack leaves a file named by
that address and by the pack's process, and the program looks for it while the pack is running. Nobody else can create
one. Containers may share the directory without seeing each other's processes, so they ignore each other's files.
"""

import os
import sys
import time
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from pulumi import Config, RunError, get_project, log

from hosts.text.private import private_folder

PACKS = "PULUMI_POLICY_PACKS"
"""The embedded engine sets this variable to tell its program which packs check the run."""
OFF = "STOCKADE_POLICIES"
_FOLDER = "judged"
_LONGEST = 7 * 24 * 3600
"""Seconds after which a file left by another container is stale."""
_MENDING = (
    "Run `stockade up --stack {stack}` or `pulumi up --policy-pack policies` instead (docs/policies.md says how "
    "to make it mandatory)"
)


def mark(engine: str) -> None:
    """Tell the program that this process's pack checks the run of the engine at this address."""
    with suppress(OSError):
        folder = private_folder(_FOLDER)
        for left in folder.iterdir():
            if not (_lives(left) if _of_here(left) else left.stat().st_mtime > time.time() - _LONGEST):
                left.unlink(missing_ok=True)
        (folder / f"{engine.replace('/', '_')} {os.getpid()} {_processes()}").touch()


def judged(argv: list[str] | None = None) -> bool:
    """Return whether a pack checks this program's run."""
    if os.environ.get(PACKS):
        return True
    words = sys.orig_argv if argv is None else argv
    engine = words[words.index("--engine") + 1] if "--engine" in words[:-1] else ""
    name = engine.replace("/", "_")
    try:
        left = [*private_folder(_FOLDER).iterdir()] if engine else []
    except OSError:
        return False
    return any(file.name.split()[0] == name and _of_here(file) and _lives(file) for file in left)


@lru_cache(maxsize=1)  # once per program
def demand(stack: str) -> None:
    """If no pack checks the run, warn or refuse it, depending on the setting `policies` (`optional` or `required`).

    `STOCKADE_POLICIES=off` disables the pack for one run and suppresses this check. Raises `RunError`.
    """
    wanted = Config(get_project()).get("policies")
    if wanted == "optional" or os.environ.get(OFF) == "off" or judged():
        return
    mending = _MENDING.format(stack=stack)
    if wanted == "required":
        raise RunError(
            f"no policy pack checks this run, and the stack config requires one (`policies: required`). {mending}"
        )
    log.warn(f"no policy pack checks this run: nothing checks what it opens or leaves out. {mending}")


def _lives(file: Path) -> bool:
    try:
        os.kill(int(file.name.split()[1]), 0)
        return file.stat().st_uid == os.getuid()
    except (OSError, ValueError, IndexError):
        return False


def _of_here(file: Path) -> bool:
    return file.name.split()[-1] == _processes()


def _processes() -> str:
    """Return an identifier of the process namespace, which distinguishes containers."""
    try:
        return str(os.stat("/proc/self/ns/pid").st_ino)
    except OSError:  # not Linux
        return "-"

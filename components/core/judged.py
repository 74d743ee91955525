"""Whether the policy pack of this repository judges the run that this process is part of.

No engine tells its program so. The pack and the program know the same engine, by its address: the pack leaves its
process id in a file of that name, which the program finds for as long as the pack lives. Nobody else can leave one.
"""

import os
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from pulumi import Config, RunError, get_project, log

from hosts.text.private import private_folder

PACKS = "PULUMI_POLICY_PACKS"
"""By this variable the embedded engine tells its program which packs judge the run."""
OFF = "STOCKADE_POLICIES"
_FOLDER = "judged"
_MENDING = (
    "Run `python -m local up --stack {stack}` or `pulumi up --policy-pack policies` instead (docs/policies.md says how "
    "to make it mandatory)"
)


def mark(engine: str) -> None:
    """Tell the program that the pack of this process judges the run of the engine at this address."""
    with suppress(OSError):
        folder = private_folder(_FOLDER)
        for left in folder.iterdir():
            if not _lives(left):
                left.unlink(missing_ok=True)
        (folder / engine.replace("/", "_")).write_text(str(os.getpid()))


def judged(argv: list[str] | None = None) -> bool:
    """Tell whether a pack judges this program's run."""
    if os.environ.get(PACKS):
        return True
    words = sys.orig_argv if argv is None else argv
    engine = words[words.index("--engine") + 1] if "--engine" in words[:-1] else ""
    try:
        return bool(engine) and _lives(private_folder(_FOLDER) / engine.replace("/", "_"))
    except OSError:
        return False


@lru_cache(maxsize=1)  # once in a program
def demand(stack: str) -> None:
    """Warn where no pack judges the run, or refuse it: the setting `policies` is `required` or `optional`.

    `STOCKADE_POLICIES=off` leaves the pack out of one run, and is heeded. Raises `RunError`.
    """
    wanted = Config(get_project()).get("policies")
    if wanted == "optional" or os.environ.get(OFF) == "off" or judged():
        return
    mending = _MENDING.format(stack=stack)
    if wanted == "required":
        raise RunError(
            f"no policy pack judges this run, and the stack config wants one (`policies: required`). {mending}"
        )
    log.warn(f"no policy pack judges this run: what it opens or leaves out, nothing looks at. {mending}")


def _lives(file: Path) -> bool:
    try:
        os.kill(int(file.read_text()), 0)
    except (OSError, ValueError):
        return False
    return file.stat().st_uid == os.getuid()

"""What `stockade adopt` and `init` show and write: lines for people, files of a stack, a patch, a preview."""

import difflib
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from adopt.written import Adopted
from components.failure import Failure
from hosts.text.masking import printable
from local.engine.state.backend import write_atomically

CHECKOUT = Path(__file__).resolve().parents[1]


def say(text: str) -> None:
    """Print a line for people; standard output is kept for programs."""
    print(printable(text), file=sys.stderr, flush=True)


@dataclass
class Done:
    """What the command has done. `unread`: hosts that could not be read, with the reason."""

    status: int = 1
    stack: str = ""
    hosts: Sequence[Adopted] = ()
    unread: Sequence[str] = ()
    written: Sequence[str] = ()
    error: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it for programs (docs/command.md)."""
        return {
            "stack": self.stack,
            "error": self.error,
            "written": [*self.written],
            "unread": [*self.unread],
            "hosts": {
                one.name: {
                    "address": one.login.address,
                    "distribution": one.reading.survey.distribution,
                    "taken": [*one.reading.settings],
                    "left_out": [*one.reading.left_out],
                    "remarks": one.reading.remarks,
                }
                for one in self.hosts
            },
        }


def write(stack: str, texts: Mapping[str, str], folder: Path) -> None:
    """Write new files. Raises Failure, with the differences, if one exists with another content."""
    there = {name: (folder / name).read_text() for name in texts if (folder / name).exists()}
    changed = {name: texts[name] for name, text in there.items() if _undated(text) != _undated(texts[name])}
    if changed:
        diffs = "\n".join(_differences(name, (folder / name).read_text(), text) for name, text in changed.items())
        raise Failure(
            f"{', '.join(changed)} exists and differs; nothing is written. "
            f"Choose another --stack, or take over by hand:\n{diffs}"
        )
    for name, text in texts.items():
        if name in there:
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / name, text)


def _undated(text: str) -> str:
    """Return a file without when it was written."""
    return re.sub(r"^# Read from \d+ hosts? on [\d-]+ ", "", text, flags=re.M)


def _differences(name: str, there: str, text: str) -> str:
    lines = difflib.unified_diff(
        there.splitlines(), text.splitlines(), name, "read from the hosts now", lineterm="", n=1
    )
    return "\n".join(lines)


def policies(stack: str) -> tuple[str, str]:
    """Return the policy config of a stack that is not hardened yet: policies report and stop nothing."""
    return f"stacks/policy.{stack}.json", json.dumps({"all": "advisory"}, indent=2) + "\n"


def preview(stack: str, folder: Path, shown: TextIO | None = None) -> int:
    """Show what `up` would do, by the engine that is there, on standard output unless `shown` is given."""
    if not {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & set(os.environ):
        say(
            "no preview: PULUMI_CONFIG_PASSPHRASE, which encrypts the stack's secrets, is not set. Set it; then: "
            f"stockade preview --stack {stack}"
        )
        return 0
    command = [sys.executable, "-m", "local", "preview", "--stack", stack, "--cwd", str(folder)]
    return subprocess.call(command, cwd=CHECKOUT, stdout=shown)


def patch(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Return what changes in the files, as `git apply` takes it."""
    parts = []
    for name in sorted({*before, *after}):
        there, then = before.get(name), after.get(name)
        lines = difflib.unified_diff(
            (there or "").splitlines(keepends=True),
            (then or "").splitlines(keepends=True),
            f"a/{name}" if there is not None else "/dev/null",
            f"b/{name}" if then is not None else "/dev/null",
        )
        parts.append("".join(lines))
    return "".join(parts)

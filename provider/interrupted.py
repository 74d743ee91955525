"""Operations of a Pulumi CLI run that was killed: its state names them, and only to the next run.

The host may have the killed run's changes although the state does not show them. If the next config declares what the
state contains, there is no difference, and a run would succeed without changing anything. So every operation that the
state names as pending is treated as unfinished, until the state shows a later change of its resource.

With the first write of the next run, the CLI drops pending updates and deletions from the state, whether or not that
run gets to them. It keeps pending creations even once they are complete. So the findings are kept among the provider's
own inputs. The embedded engine reads such resources itself (local/engine/cli.py).
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from hosts.text.private import private_folder
from provider.ancestors import engine_process, start_of

Marks = Mapping[str, tuple[str, str]]
"""By URN, a digest of the pending operations, and when the state says it was last changed; "" if it is missing."""

PENDING = "pending_operations"
BEGUN = frozenset({"creating", "updating", "deleting"})
LIMIT = 60
"""Seconds that the CLI may take to print the state."""
_CIPHERTEXT = re.compile(r'"ciphertext": "[^"]*"')
"""Secrets are re-encrypted when the state is written."""


@dataclass(frozen=True)
class Interrupted:
    """Interrupted operations. `urns`: those of resources that have not been changed since."""

    marks: Marks
    urns: frozenset[str] = frozenset()


def found_in(deployment: Mapping[str, Any], before: Marks) -> Interrupted:
    """Return what a state names, and those of `before` that are not settled yet."""
    changed = {
        item["urn"]: str(item.get("modified") or "")
        for item in deployment.get("resources") or ()
        if not item.get("delete")
    }
    begun: dict[str, list[str]] = {}
    for operation in deployment.get(PENDING) or ():
        if operation.get("type") in BEGUN:
            text = _CIPHERTEXT.sub("", json.dumps(operation, sort_keys=True))
            begun.setdefault(operation["resource"]["urn"], []).append(text)
    digests = {urn: sha256("\n".join(sorted(texts)).encode()).hexdigest()[:16] for urn, texts in begun.items()}
    marks = {urn: mark for urn, mark in before.items() if changed.get(urn) == mark[1] or digests.get(urn) == mark[0]}
    for urn, digest in digests.items():
        if urn not in marks or marks[urn][0] != digest:
            marks[urn] = (digest, changed.get(urn, ""))
    return Interrupted(marks, frozenset(urn for urn, (_, at) in marks.items() if changed.get(urn) == at))


def written(marks: Marks) -> str:
    """Return marks as text."""
    return json.dumps(marks, separators=(",", ":"), sort_keys=True)


def read(text: str) -> Marks:
    """Parse text from `written`; return nothing for any other text."""
    try:
        found = json.loads(text)
        return {str(urn): (str(digest), str(at)) for urn, (digest, at) in found.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


class UnreadableError(Exception):
    """The CLI did not print the state; the message says why."""


def look(stack: str, lineage: str, before: Marks) -> Interrupted:
    """Return the interrupted operations in this run's state. `lineage`: identifies the state.

    Raises UnreadableError.
    """
    cli = engine()
    if not cli:
        return Interrupted({})
    before = {**before, **_handed_over(lineage)}
    text = exported(cli, stack)
    if not before and f'"{PENDING}"' not in text:
        return Interrupted({})
    try:
        deployment = json.loads(text)["deployment"]
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableError(str(error)) from error
    if lineage not in _lineages(deployment):  # another stack of the same name
        return Interrupted(before, frozenset(before))
    found = found_in(deployment, before)
    _hand_over(lineage, found.marks)
    return found


def engine() -> str:
    """Return the CLI that started this process; "" if the embedded engine did."""
    try:
        program = os.readlink(f"/proc/{engine_process()}/exe")
    except OSError:
        return "" if sys.platform == "linux" else shutil.which("pulumi") or ""
    return program if "pulumi" in Path(program).name else ""  # a wrapped executable may have a longer name


def exported(cli: str, stack: str) -> str:
    """Return the state of a stack as the CLI prints it. Raises UnreadableError."""
    command = [cli, "stack", "export", "--non-interactive", *_stack_option(stack)]
    environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnreadableError(str(error)) from error
    if done.returncode:
        raise UnreadableError(done.stderr.decode(errors="replace").strip())
    return done.stdout.decode(errors="replace")


def _stack_option(stack: str) -> Sequence[str]:
    """Return the option with which the run names its stack, maybe with an organization; empty for the selected one."""
    try:
        words = Path(f"/proc/{engine_process()}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ["--stack", stack]
    for word, value in zip(words, [*words[1:], ""], strict=True):
        if word in ("--stack", "-s"):
            return ["--stack", value]
        if word.startswith("--stack="):
            return [word]
    return []


def _lineages(deployment: Mapping[str, Any]) -> set[str]:
    providers = (item for item in deployment.get("resources") or () if item["type"].startswith("pulumi:providers:"))
    return {str((item.get("inputs") or {}).get("lineage") or "") for item in providers}


def _process() -> str:
    """Return an identifier of the engine's process."""
    engine = engine_process()
    return f"{engine} {start_of(engine)}".strip()


def _handed_over(lineage: str) -> Marks:
    """Return what the preview of an `up` found: the `up` itself may have written the state before it starts us."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        found = json.loads(_note(lineage).read_text())
        if found["process"] == _process():
            return read(found["marks"])
    return {}


def _hand_over(lineage: str, marks: Marks) -> None:
    with suppress(OSError):
        note = _note(lineage)
        if marks:
            note.write_text(json.dumps({"process": _process(), "marks": written(marks)}))
        else:
            note.unlink(missing_ok=True)


def _note(lineage: str) -> Path:
    return private_folder("interrupted") / sha256(lineage.encode()).hexdigest()[:32]

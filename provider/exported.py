"""The state of this run's stack, as the engine prints it: the protocol does not show it to a provider."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from components.core.claims import InState, in_state
from components.failure import Failure
from provider.ancestors import EXPORT, engine_process

LIMIT = 60
"""Seconds that the engine may take to print the state."""


class UnreadableError(Exception):
    """The CLI did not print the state; the message says why."""


def engine() -> str:
    """Return the CLI that started this process; "" if the embedded engine did."""
    try:
        program = os.readlink(f"/proc/{engine_process()}/exe")
    except OSError:
        return "" if sys.platform == "linux" else shutil.which("pulumi") or ""
    return program if "pulumi" in Path(program).name else ""  # a wrapped executable may have a longer name


def exported(stack: str) -> str:
    """Return the state of this run's stack, as the engine prints it; "" if how to ask the engine is not known.

    Raises UnreadableError.
    """
    embedded = os.environ.get(EXPORT)
    cli = "" if embedded else engine()
    if embedded:
        command = [*json.loads(embedded), "--stack", stack]
    elif cli:
        command = [cli, "stack", "export", "--non-interactive", *_stack_option(stack)]
    else:
        return ""
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


class WholeState:
    """What the state of this run's stack has, read when it is first asked for. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: InState | None = None

    def read(self, stack: str) -> InState | None:
        """Return it; None if how to ask the engine is not known. Raises Failure if the engine does not answer."""
        with self._lock:
            if self._found is None:
                try:
                    text = exported(stack)
                    self._found = in_state(json.loads(text)["deployment"]) if text else None
                except (UnreadableError, ValueError, LookupError, TypeError, AttributeError) as error:
                    raise Failure(
                        "a killed run may have left something on this host, but the state, which says to which "
                        f"resource that belongs, cannot be read ({error}). Run it again"
                    ) from error
            return self._found


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

"""Runs a program with a time limit; the error says which program failed and why."""

import subprocess
from collections.abc import Mapping, Sequence

from local.lab.errors import LabError

DEFAULT_LIMIT = 60.0


def run(
    argv: Sequence[str],
    *,
    stdin: str | None = None,
    check: bool = True,
    limit: float = DEFAULT_LIMIT,
    env: Mapping[str, str] | None = None,
    name: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run `argv` to its end and return its output.

    Args:
        stdin: text for its standard input; None means /dev/null.
        check: raise if the exit status is not 0.
        limit: seconds until it is killed.
        env: its whole environment; None means ours.
        name: what errors call it; by default the program's name.

    Raises:
        LabError: it was not found, reached the limit or (with `check`) failed; contains the end of its stderr.
    """
    program = name or argv[0]
    try:
        done = subprocess.run(
            list(argv),
            # "" rather than None: a program that reads from our terminal would block
            input="" if stdin is None else stdin,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=limit,
            check=False,
            env=env,
        )
    except FileNotFoundError as err:
        raise LabError(f"{program} is not installed on this machine") from err
    except subprocess.TimeoutExpired as err:
        raise LabError(f"{program} did not end within {limit:.0f} s") from err
    if check and done.returncode != 0:
        raise LabError(f"{program} failed with exit status {done.returncode}: {tail(done.stderr or done.stdout)}")
    return done


def tail(text: str, lines: int = 5) -> str:
    """The last `lines` lines that are not blank, joined by " | "."""
    return " | ".join([line.strip() for line in text.splitlines() if line.strip()][-lines:])

"""`stockade`, and `python -m cli` from the checkout.

A command that is run starts at once: Typer, which takes 0.15 s to load, is needed only for help, completion, and
commands with no parser of their own.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

HERE = Path(__file__).absolute().parents[1]
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

COMPLETE = "_STOCKADE_COMPLETE"
"""Set by the shell that asks for completions."""


def _help_asked(words: list[str]) -> bool:
    own = words[:3] if words[:2] in (["lab", "exec"], ["lab", "ssh"]) else words  # a host's command comes after that
    return bool({"--help", "-h"} & {*own[: own.index("--") if "--" in own else None]})


def main() -> NoReturn:
    """Run one command and exit."""
    words = sys.argv[1:]
    try:
        if words and not _help_asked(words) and COMPLETE not in os.environ:
            from cli.passed import PASSED

            if words[0] in PASSED:
                sys.exit(PASSED[words[0]](words))
        from cli.app import app

        sys.exit(app(prog_name="stockade"))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # `stockade look | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()

"""What makes a Debian root another family's: its real package manager, and packages built for it from Debian's files.

One script of POSIX sh per family beside this file, after `common.sh`; see docs/lab.md for what is real in them.
"""

from pathlib import Path

_FOLDER = Path(__file__).parent


def recipe_of(family: str) -> str:
    """The script that is run in the new root as its last step."""
    return "".join((_FOLDER / name).read_text(encoding="utf-8") for name in ("common.sh", f"{family}.sh"))

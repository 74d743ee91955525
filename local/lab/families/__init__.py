"""What makes a Debian root another family's: its real package manager, and packages built for it from Debian's files.

Scripts of POSIX sh beside this file, put together for each family; see docs/lab.md for what is real in them.
"""

import re
from pathlib import Path

_FOLDER = Path(__file__).parent


def recipe_of(*parts: str) -> str:
    """The script that is run in the new root as its last step: these files, in this order.

    A line `@FILE` in them stands for the text of that file, which lies beside them.
    """
    text = "".join((_FOLDER / f"{name}.sh").read_text(encoding="utf-8") for name in parts)
    return re.sub(r"^@(\S+)\n", lambda found: (_FOLDER / found[1]).read_text(encoding="utf-8"), text, flags=re.M)

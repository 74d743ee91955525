"""Stockade, installed: this package has the rooms of a checkout as they are, and the `stockade` command.

States and programs name modules such as `components.firewall.resource`, so the rooms keep their names, and are found
here: nothing but this package is at the top of site-packages.
"""

import sys
from pathlib import Path
from typing import NoReturn


def main() -> NoReturn:
    """The command."""
    sys.path.insert(0, str(Path(__file__).absolute().parent))
    from cli.__main__ import main as run

    run()

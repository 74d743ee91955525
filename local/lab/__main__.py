"""stockade lab"""

import sys
from collections.abc import Sequence

from local.lab.errors import LabError
from local.lab.machine import check_machine


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    if not sys.platform.startswith("linux"):  # the rest cannot be imported on other systems
        try:
            check_machine()
        except LabError as err:
            sys.stderr.write(f"lab: {err}\n")
        return 2
    from local.lab.cli import main as run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())

"""python -m local.lab"""

import sys

from local.lab.errors import LabError
from local.lab.machine import check_machine


def _main() -> int:
    if not sys.platform.startswith("linux"):  # the rest cannot be imported on other systems
        try:
            check_machine()
        except LabError as err:
            sys.stderr.write(f"lab: {err}\n")
        return 2
    from local.lab.cli import main

    return main()


sys.exit(_main())

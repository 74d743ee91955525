"""python -m local.lab"""

import sys

from local.lab.cli import main

sys.exit(main())

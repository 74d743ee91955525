"""`python -m local.engine`: see cli.py."""

import os
import sys

from .cli import main

status = main()
sys.stdout.flush()
sys.stderr.flush()
os._exit(status)  # gRPC's threads take their time to end; nothing is left to do

"""Records which functions a program runs that a test started (tests/mutants/recorder.py)."""

import os
import sys
from pathlib import Path

if os.environ.get("STOCKADE_SEEN") and os.environ.get("PYTEST_CURRENT_TEST"):
    sys.path.insert(0, str(Path(__file__).parents[3]))
    try:
        from tests.mutants.recorder import Recorder
    finally:
        del sys.path[0]
    Recorder(os.environ["STOCKADE_SEEN"]).start(os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0])

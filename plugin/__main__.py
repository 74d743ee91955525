"""The plugin's process, which Pulumi starts as `python <this directory> <address of its engine>`."""

import gc
import sys
from pathlib import Path

if __name__ == "__main__":
    gc.set_threshold(500_000, 50, 50)  # what is loaded stays; garbage collection took a tenth of the start
    sys.path[0] = str(Path(__file__).resolve().parents[1])  # not this directory, whose modules are `plugin.…`
    from provider.starting import LazyFinder, leave_out

    sys.meta_path.insert(0, LazyFinder("pulumi.automation"))
    leave_out("oqs", "liboqs")
    from plugin.front import main

    main()

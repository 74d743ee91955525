"""`python -m provider`: see server.py."""

import gc
import sys

if __name__ == "__main__":
    gc.set_threshold(500_000, 50, 50)  # what is loaded stays: looking for garbage took a tenth of the start
    from provider.starting import WhenUsed, leave_out

    sys.meta_path.insert(0, WhenUsed("pulumi.automation"))
    leave_out("oqs", "liboqs")
    from provider.server import main

    main()

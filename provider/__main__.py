"""`python -m provider`: see server.py."""

import gc
import sys

if __name__ == "__main__":
    gc.set_threshold(500_000, 50, 50)  # what is loaded stays; garbage collection took a tenth of the start
    from provider.starting import LazyFinder, leave_out

    sys.meta_path.insert(0, LazyFinder("pulumi.automation"))
    leave_out("oqs", "liboqs")
    try:
        from provider.server import main
    except ModuleNotFoundError as error:
        sys.exit(
            f"Stockade's provider process was started with {sys.executable}, which lacks the module {error.name}: "
            "install Stockade's requirements.lock there, or name its .venv as `virtualenv` in Pulumi.yaml"
        )

    main()

"""The SDK's provider, which ends when the engine that started it has ended (its stdin is closed then)."""

import os
import runpy
import sys
import threading


def _watch() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


sys.path[0] = os.getcwd()
threading.Thread(target=_watch, daemon=True).start()
runpy.run_module("pulumi.dynamic", run_name="__main__")

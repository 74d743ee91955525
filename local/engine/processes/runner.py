"""Runs a Pulumi program in its own process. The engine starts it as a script; it imports nothing of the engine.

The settings (addresses, configuration with its secrets) come as a line of JSON on stdin, so that no other process can
read them.
Exit status: 0; 32 if the program's error was reported; otherwise 1.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import runpy
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

REPORTED = 32


def main() -> int:
    """Configure the SDK, run the program and wait for all of its resources."""
    gc.set_threshold(500_000, 50, 50)  # resources and modules stay: garbage collection took a tenth of a run
    sys.path.pop(0)  # the engine's own folder
    import pulumi
    import pulumi.runtime

    settings = json.loads(sys.stdin.readline())
    os.environ["PULUMI_POLICY_PACKS"] = os.pathsep.join(settings["packs"])
    _end_with_engine()
    pulumi.runtime.set_all_config(settings["config"], settings["secret_keys"])
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            monitor=settings["monitor"],
            engine=settings["engine"],
            project=settings["project"],
            stack=settings["stack"],
            parallel=settings["parallel"],
            dry_run=settings["dry_run"],
            organization="organization",
            root_directory=settings["root"],
        )
    )
    pulumi.log.debug = lambda *_args, **_options: None  # the SDK's own, several calls a resource, which nobody sees
    program = settings["program"]
    sys.argv = [program]
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    executor = ThreadPoolExecutor(max_workers=settings["parallel"] * 4)
    loop.set_default_executor(executor)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # a failed program leaves futures that nobody awaits
    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(lambda: _run(program)))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return REPORTED
    except Exception:
        pulumi.log.error("Program failed with an unhandled exception:\n" + _user_traceback(settings["root"]))
        return REPORTED
    finally:
        executor.shutdown(wait=True)
        loop.close()
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _end_with_engine() -> None:
    """Exit when the engine does, which closes stdin. The program itself sees an empty stdin."""
    pipe = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

    def watch() -> None:
        os.read(pipe, 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _run(program: str) -> None:
    runpy.run_path(program, run_name="__main__")


def _user_traceback(root: str) -> str:
    """The traceback, from the first frame in the user's own files."""
    kind, error, trace = sys.exc_info()
    frames = traceback.extract_tb(trace)
    for index, frame in enumerate(frames):
        path = os.path.abspath(frame.filename)
        own = path != os.path.abspath(__file__) and not frame.filename.startswith("<") and "site-packages" not in path
        if own and path.startswith(root + os.sep):
            return "".join(traceback.format_exception(kind, error, trace, limit=index - len(frames)))
    return "".join(traceback.format_exception(kind, error, trace))


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # nothing is left to do, so skip the interpreter's shutdown

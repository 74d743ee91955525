"""The fork server, which forks.py starts:
`python -m local.engine.processes.forking LISTENER FOLDER MODULE...`.

LISTENER is the number of an inherited socket. The server loads the modules, then forks for each request: the child
takes over the pipes, the directory and the environment of the request and runs a script or module as a new Python
would. The server has one thread and never uses gRPC itself, so a fork behaves like a new process. It exits at the end
of its stdin.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[3]
"""The engine's own folder; a project may have packages with the same names."""


class NeedsNewProcess(Exception):  # noqa: N818
    """A request that needs a new process."""


class ForkServer:
    """See the module."""

    def __init__(self, listener: socket.socket, folder: Path) -> None:
        self._folder = folder.resolve()
        self._path = list(sys.path[1:])  # without the entry that `python` adds itself
        self._children: dict[int, socket.socket] = {}
        self._listener = listener
        self._woken, waking = socket.socketpair()
        waking.setblocking(False)
        self._waking = waking

    def serve(self) -> None:
        """Fork until stdin ends."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waking.fileno())
        with selectors.DefaultSelector() as selector:
            for source in (self._listener, self._woken, sys.stdin):
                selector.register(source, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is sys.stdin:
                        return
                    if key.fileobj is self._woken:
                        self._woken.recv(4096)
                        self._reap()
                    else:
                        self._answer(self._listener.accept()[0])

    def _answer(self, client: socket.socket) -> None:
        descriptors: list[int] = []
        try:
            size, descriptors, _, _ = socket.recv_fds(client, 8, 3)
            with client.makefile("rb") as stream:
                request = json.loads(stream.read(int.from_bytes(size, "big")))
            self._check(request)
            pid = os.fork()
            if pid == 0:
                self._become(request, descriptors)
            self._children[pid] = client
            client.sendall(f"{pid}\n".encode())
        except (OSError, ValueError, NeedsNewProcess) as error:
            with suppress(OSError):  # the client is gone
                client.sendall(f"{error}\n".encode())
            client.close()
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _check(self, request: dict[str, Any]) -> None:
        """Refuse a request that a fork of this process could not serve like a new process."""
        if Path(request["python"]).parent.resolve() != Path(sys.executable).parent.resolve():
            raise NeedsNewProcess("another Python")
        if Path(request["folder"]).resolve() != self._folder:
            raise NeedsNewProcess("another project")
        if threading.active_count() != 1:
            raise NeedsNewProcess("what is loaded has started threads")

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            client = self._children.pop(pid)
            with suppress(OSError):  # nobody is waiting for it
                client.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
            client.close()

    def _become(self, request: dict[str, Any], descriptors: list[int]) -> NoReturn:
        """Become the requested process."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            for number, descriptor in enumerate(descriptors):
                os.dup2(descriptor, number)
            os.closerange(3, os.sysconf("SC_OPEN_MAX"))
            os.environ.clear()
            os.environ.update(request["env"])
            os.chdir(request["cwd"])
            self._run(request["argv"])
            status = 0
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _run(self, argv: list[str]) -> None:
        if argv[0] == "-m":
            sys.argv = argv[1:]
            self._look_first_in(os.getcwd())
            runpy.run_module(argv[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = argv
            self._look_first_in(str(Path(argv[0]).parent))
            runpy.run_path(argv[0], run_name="__main__")

    def _look_first_in(self, folder: str) -> None:
        """Put a directory first on the import path, as Python does, and unload modules that it overrides."""
        sys.path[:] = [folder, *self._path]
        for place in {str(ROOT), str(self._folder)} - {str(Path(folder).resolve())}:
            for name in [name for name, module in list(sys.modules.items()) if _is_in(module, place)]:
                if any(Path(folder, file).is_file() for file in (f"{name}/__init__.py", f"{name}.py")):
                    for loaded in [loaded for loaded in sys.modules if loaded.partition(".")[0] == name]:
                        del sys.modules[loaded]


def _is_in(module: object, folder: str) -> bool:
    """Tell whether a module or namespace is at the top of a directory."""
    if not issubclass(type(module), ModuleType):  # a C library's stand-in
        return False
    known = vars(module)
    name, file, namespace = known.get("__name__"), known.get("__file__"), known.get("__path__", ())
    here = f"{folder}/{name}"
    return file in (f"{here}.py", f"{here}/__init__.py") or (file is None and here in namespace)


def main() -> None:
    """Load the modules, then serve."""
    listener, folder, *modules = sys.argv[1:]
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    gc.disable()  # loaded modules stay
    accepting = socket.socket(fileno=int(listener))
    address = Path(accepting.getsockname())
    server = ForkServer(accepting, Path(folder))
    sys.path[0] = folder
    for module in modules:
        with suppress(Exception):  # whoever imports it will report the error
            importlib.import_module(module)
    gc.freeze()  # garbage collection in the children ignores it, so its pages stay shared
    gc.enable()
    server.serve()
    with suppress(OSError):  # a starter that was killed cannot remove it
        address.unlink()
        address.parent.rmdir()


if __name__ == "__main__":
    main()

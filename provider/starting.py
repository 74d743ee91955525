"""Makes the start faster: skips what libraries load or search for at import and this process never needs."""

import ctypes.util
import importlib.util
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


class LazyFinder(MetaPathFinder):
    """A finder for `sys.meta_path` that loads these modules lazily, at first use.

    For `pulumi.automation`: HTTP, YAML and version parsing, a quarter of the SDK's import time.
    """

    def __init__(self, *names: str) -> None:
        self._names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname in self._names else None
        if spec is not None and spec.loader is not None:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


def leave_out(*libraries: str) -> None:
    """Skip the search for these C libraries, as if they were not installed.

    For liboqs, which asyncssh searches for by running gcc and ld six times. Without it, sntrup761x25519 is not offered
    in key exchange; mlkem768x25519 is, through `cryptography`.
    """
    search = ctypes.util.find_library
    ctypes.util.find_library = lambda name: None if name in libraries else search(name)

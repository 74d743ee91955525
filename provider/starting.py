"""Starting sooner: what libraries load or look for when they are imported, and this process never needs."""

import ctypes.util
import importlib.util
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


class LazyFinder(MetaPathFinder):
    """A finder for `sys.meta_path`, by which these modules are loaded at the first look into them.

    For `pulumi.automation`: HTTP, YAML and version parsing, a quarter of importing the SDK.
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
    """Have no search made for these C libraries; they count as not there.

    For liboqs, which asyncssh looks for by running gcc and ld six times. Without it sntrup761x25519 is not offered in
    key exchange; mlkem768x25519 is, by `cryptography`.
    """
    search = ctypes.util.find_library
    ctypes.util.find_library = lambda name: None if name in libraries else search(name)

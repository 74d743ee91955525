"""`__provider`, with which a resource names its provider: parsed as a class name, and never unpickled.

The SDK sends a pickle. Unpickling runs code from the pickle, and whoever reaches this process's port may send one. So
only the form that the SDK produces for an instance of an importable class without instance attributes is accepted, and
only classes of this project, or of a module in the program's directory (docs/own-program.md), are loaded.
"""

import ast
import base64
import binascii
import importlib
import os
import pickletools
import re
from collections.abc import Iterator
from pathlib import Path

from pulumi.dynamic import ResourceProvider

from components.failure import Failure
from provider.chapters import CHAPTERS

OWN = frozenset(f"components.{name}" for name in (*CHAPTERS, "keys.resource"))
"""Modules of this project with a provider."""
CHECKOUT = Path(__file__).resolve().parents[1]
LARGEST = 4096
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_SILENT = frozenset(("PROTO", "FRAME", "MEMOIZE", "BINPUT"))
_TEXT = frozenset(("SHORT_BINUNICODE", "BINUNICODE"))
_FORM = ("text", "text", "STACK_GLOBAL", "EMPTY_TUPLE", "NEWOBJ", "STOP")
_REFUSED = (
    "`__provider` is not what names a class of this project or of a module in the program's folder, and has not been "
    "run. A dynamic provider of your own is a class without values of its own in a module beside __main__.py "
    "(docs/own-program.md)"
)


def named(reference: str) -> tuple[str, str]:
    """Return the module and the class that a reference names, without loading or running anything.

    Raises `Failure` for anything else.
    """
    try:
        if len(reference) > LARGEST:
            raise ValueError("too long")
        pickled = base64.b64decode(reference, validate=True)
        found = [(code.name, argument, at or 0) for code, argument, at in pickletools.genops(pickled)]
    except (ValueError, binascii.Error, IndexError, KeyError, OverflowError):  # raised by genops for arbitrary bytes
        raise Failure(_REFUSED) from None
    codes = [("text" if name in _TEXT else name, argument) for name, argument, _ in found if name not in _SILENT]
    if tuple(name for name, _ in codes) != _FORM or found[-1][2] != len(pickled) - 1:
        raise Failure(_REFUSED)
    module, class_ = str(codes[0][1]), str(codes[1][1])
    if not _NAME.fullmatch(module) or not class_.isidentifier():
        raise Failure(_REFUSED)
    return module, class_


def load(reference: str) -> ResourceProvider:
    """Return an instance of the class that a reference names. Raises `Failure` if it may not be loaded."""
    module, name = named(reference)
    if module not in OWN:
        _look_at(module, name)
    class_ = getattr(importlib.import_module(module), name, None)
    if not (isinstance(class_, type) and issubclass(class_, ResourceProvider) and class_.__module__ == module):
        raise Failure(_REFUSED)
    return class_()


def _look_at(module: str, name: str) -> None:
    """Allow a module only if it belongs to the program and its source defines such a class."""
    if module.partition(".")[0] in _packages():
        raise Failure(_REFUSED)
    file = next(_files(module), None)
    if file is None:
        raise Failure(f"the program's module {module} is not found: it must be in its folder, or where PYTHONPATH says")
    try:
        body = ast.parse(file.read_bytes()).body
    except (SyntaxError, ValueError, OSError):
        body = []
    if not any(isinstance(part, ast.ClassDef) and part.name == name and part.bases for part in body):
        raise Failure(_REFUSED)


def _packages() -> frozenset[str]:
    """The names of this project's own packages; only some of their modules have a provider."""
    return frozenset(("__main__", *(entry.name for entry in CHECKOUT.iterdir() if (entry / "__init__.py").is_file())))


def _files(module: str) -> Iterator[Path]:
    """Yield the possible files of a module: in PYTHONPATH and in the working directory."""
    folders = [Path(entry) for entry in (*os.environ.get("PYTHONPATH", "").split(os.pathsep), os.getcwd()) if entry]
    for folder in folders:
        place = folder.joinpath(*module.split("."))
        for file in (place / "__init__.py", place.with_name(place.name + ".py")):
            if file.is_file():
                yield file

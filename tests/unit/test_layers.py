"""Which modules may import which, as in docs/architecture.md."""

import ast
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
LAYERS = (
    "rules",
    "hosts",
    "components",
    "provider",
    "plugin",
    "policies",
    "local",
    "fleet",
    "adopt",
    "cli",
    "bench",
    "tests",
)
"""Each may import those before it, but none after it."""
APART: dict[str, set[str]] = {
    "rules": set[str](),
    "hosts": set[str](),
    "components": {"hosts", "rules"},
    "provider": {"components", "hosts"},
    "plugin": {"provider", "components", "hosts"},
}
"""These import fewer."""


def _chapters(*before: str) -> tuple[str, ...]:
    """Return the chapters' rooms, without those that others build on; none of them imports another."""
    rooms = {file.parent.name for file in (REPOSITORY / "components").glob("*/hardened.py")}
    return tuple(sorted(rooms - {*before}))


ROOMS = {
    "rules": ("errors", "values", "model", "options", "language", "packets", "analysis", "path", "plan", "presets"),
    "hosts": (
        "text",
        "errors",
        "scripts",
        "prelude",
        "shell",
        "waiting",
        "once",
        "system",
        "packages",
        "guard",
        "ssh",
        "host",
        "pool",
    ),
    "components": (
        *("failure", "config", "core", "packages", "keys", "users", "gai", "firewall"),
        *_chapters("packages", "keys", "users", "gai", "firewall"),
        *("registry", "stack_config", "host"),
    ),
    "cli": (
        "project",
        "reported",
        "passed",
        "version",
        "options",
        "adopt",
        "stacks",
        "hosts",
        "schema",
        "new",
        "doctor",
        "app",
    ),
    "adopt": (
        "ansible",
        "target",
        "inventory",
        "firewall",
        "survey",
        "login",
        "reading",
        "factored",
        "written",
        "closing",
        "harden",
        "output",
        "command",
        "begin",
    ),
    "local.engine": ("errors", "state", "display", "processes", "run", "cli"),
}
"""The same within a room: each of its parts may import those before it."""


@cache
def _imported(file: Path) -> tuple[str, ...]:
    """Return the imports of a file, except those for the type checker alone."""
    text = file.read_text("utf-8")
    tree = ast.parse(text)
    typing = "TYPE_CHECKING" in text and {
        id(below)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for below in ast.walk(node)
    }
    found: list[str] = []
    for node in ast.walk(tree):
        if typing and id(node) in typing:
            continue
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += (f"{node.module}.{alias.name}" for alias in node.names)
    return tuple(found)


def _edges(folder: str) -> Iterator[tuple[str, str]]:
    for file in (REPOSITORY / folder).rglob("*.py"):
        if "venv" in file.parts:  # installed by the CLI for the plugin
            continue
        module = ".".join(file.relative_to(REPOSITORY).with_suffix("").parts)
        yield from ((module, name) for name in _imported(file))


def _part(name: str, room: str) -> str:
    """Return the part of a room that a module or a name in it belongs to; "" for others and the room itself."""
    return name.removeprefix(f"{room}.").partition(".")[0] if name.startswith(f"{room}.") else ""


@pytest.mark.parametrize("layer", LAYERS)
def test_nothing_imports_upward(layer: str) -> None:
    below = APART.get(layer, {*LAYERS[: LAYERS.index(layer)]})
    if layer == "tests":
        below |= {"conftest"}
    wrong = {
        (module, name)
        for module, name in _edges(layer)
        if (top := name.partition(".")[0]) in LAYERS and top not in (layer, *below)
    }
    if layer == "bench":  # it measures on lab hosts that the tests' code sets up
        wrong = {
            (module, name)
            for module, name in wrong
            if not name.startswith(("tests.lab.", "tests.engine.", "tests.record_state"))
        }
    assert wrong == set()


@pytest.mark.parametrize("room", ROOMS)
def test_no_part_of_a_room_imports_upward(room: str) -> None:
    order = ROOMS[room]
    wrong = []
    for module, name in _edges(room.replace(".", "/")):
        importing, imported = _part(module, room), _part(name, room)
        if imported not in order or importing not in order:
            continue
        if order.index(imported) > order.index(importing):
            wrong.append((module, name))
    assert wrong == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_part_of_a_room_has_its_place(room: str) -> None:
    entries = [entry for entry in (REPOSITORY / room.replace(".", "/")).iterdir() if not entry.name.startswith("_")]
    # a moved folder leaves Python's compiled files behind
    there = {entry.stem for entry in entries if entry.is_file() or any(entry.rglob("*.py"))}
    assert there == set(ROOMS[room])
    assert all(one != other for one, other in pairwise(ROOMS[room]))


def test_no_folder_is_a_hall() -> None:
    """Newcomers can find their way in a folder of some fifteen files."""
    crowded = {
        str(folder.relative_to(REPOSITORY)): count
        for top in LAYERS
        for folder in (REPOSITORY / top, *(REPOSITORY / top).rglob("*"))
        if folder.is_dir() and folder.name != "__pycache__" and "venv" not in folder.parts
        if (count := sum(entry.is_file() and entry.name != "__init__.py" for entry in folder.iterdir())) > 17
    }
    assert crowded == {}

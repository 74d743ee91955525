"""What is mutated, and which tests should notice."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.mutants.made import Mutant, in_python, in_sh, scope_at

REPOSITORY = Path(__file__).parents[2]


def named() -> list[Mutant]:
    """Return the mutants of `named.yaml`. Raises ValueError if one does not fit its file."""
    found = []
    for entry in yaml.safe_load(Path(__file__).with_name("named.yaml").read_text("utf-8")):
        file, text = entry["file"], (REPOSITORY / entry["file"]).read_text("utf-8")
        if text.count(entry["was"]) != 1:
            raise ValueError(f"{file} does not have once: {entry['was']}")
        place = text.index(entry["was"])
        place += len(entry["was"]) - len(entry["was"].lstrip())
        after = text.replace(entry["was"], entry["is"])
        found.append(Mutant(file, text, after, scope_at(file, text, place), tuple(entry.get("tests", ()))))
    return found


@dataclass(frozen=True)
class Room:
    """Folders or files to mutate, by their beginning, in Python or in sh."""

    places: tuple[str, ...]
    suffix: str = ".py"
    without: tuple[str, ...] = ()
    """What is another room."""
    tests: tuple[str, ...] = ()
    """Folders of tests that start its programs, and so may notice, whatever is recorded of them."""

    def files(self) -> Iterator[Path]:
        """Yield its files."""
        for place in self.places:
            for file in sorted((REPOSITORY / place).rglob(f"*{self.suffix}")):
                name = str(file.relative_to(REPOSITORY))
                if not name.startswith(self.without) and "__pycache__" not in name:
                    yield file

    def mutants(self) -> list[Mutant]:
        """Return all of them."""
        make = in_python if self.suffix == ".py" else in_sh
        found = [(str(file.relative_to(REPOSITORY)), file.read_text("utf-8")) for file in self.files()]
        return [mutant for name, text in found for mutant in make(name, text) if mutant.after != mutant.before]


_CHAPTERS = ("users", "sshd", "firewall", "fail2ban", "packages")
_OTHERS = tuple(f"components/{name}/" for name in _CHAPTERS)
_AS_ROOT = tuple(f"local/lab/{name}" for name in ("api", "cgroup", "disk", "network", "supervisor", "images/build"))
"""What makes and removes hosts, as root on this machine: a mutant of it may do so to anything. tests/lab tries it."""


def _both(name: str, place: str, *without: str) -> dict[str, Room]:
    return {name: Room((place,), ".py", without), f"{name}-sh": Room((place,), ".sh", without)}


ROOMS = {
    **{key: room for name in _CHAPTERS for key, room in _both(name, f"components/{name}").items()},
    "core": Room(("components/core",)),
    **_both("components", "components", *_OTHERS, "components/core/"),
    **_both("guard", "hosts/guard"),
    **_both("hosts", "hosts", "hosts/guard/"),
    "rules": Room(("rules",)),
    "provider": Room(("provider",)),
    "plugin": Room(("plugin",), without=("plugin/venv/",), tests=("tests/plugin/",)),
    "policies": Room(("policies",), tests=("tests/policies/",)),
    "engine": Room(("local/engine",), tests=("tests/engine/",)),
    "lab": Room(("local/lab",), without=_AS_ROOT),
    "fleet": Room(("fleet",), tests=("tests/fleet/",)),
    "adopt": Room(("adopt",)),
    "cli": Room(("cli",)),
}
GENERATED = (
    "tests/unit/components/config/test_config.py::test_the_schema_for_editors_is_that_of_the_models",
    "tests/unit/components/config/test_shards.py::test_the_schema_of_inventories_is_that_of_the_models",
    "tests/unit/plugin/test_schema.py::test_the_schema_in_the_repository_is_that_of_the_code",
    "tests/unit/test_docs.py::TestDocument::test_tables_are_those_of_the_code",
    "tests/unit/test_contract.py",
)
"""Tests of what is generated from the models, or recorded of them: they notice another default or limit."""
WHOLE = {("rules/language/", "rules/options/", "rules/values/"): "tests/unit/rules/language/test_recorded.py"}
"""Tests of a whole room at once, however long they take: all that iptables was asked once, with its answers."""
OF_SCRIPTS = "tests/unit/test_scripts.py"
"""Tests of each script as text, which run none: `TEST[FILE]`."""
FAST = ("tests/unit", "tests/policies", "tests/ssh", "tests/plugin")


def whole(mutant: Mutant) -> tuple[str, ...]:
    """Return the beginnings of the tests that try all of a mutant's room at once."""
    return tuple(file for places, file in WHOLE.items() if mutant.file.startswith(places))


def tests_of(mutant: Mutant) -> tuple[str, ...]:
    """Return the folders of tests that start programs with this mutant's file."""
    mine = (r for r in ROOMS.values() if mutant.file.startswith(r.places) and mutant.file.endswith(r.suffix))
    return next((room.tests for room in mine if not mutant.file.startswith(room.without or ("?",))), ())

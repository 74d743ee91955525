"""The documentation matches the code: its tables are up to date, and what it names exists."""

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.tables import DOCS, OTHERS, models, rendered, shown_in

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = [
    file
    for file in sorted([*REPOSITORY.glob("*.md"), *DOCS.glob("*.md"), *REPOSITORY.glob("*/README.md")])
    if file.name != "CHANGELOG.md"  # what a release added may be removed later
]
ROOMS = [folder.name for folder in REPOSITORY.iterdir() if folder.is_dir() and folder.name[0] != "."]
WRITTEN_BY_RUNS = ("bench/results/", "sdks/")
OF_USERS = ("stacks/", "examples/shop/")
"""Folders in which examples may name files that the reader creates."""

_CODE = re.compile(r"`([^`\n]+)`|^    (.*)$", re.MULTILINE)
_PATH = re.compile(
    rf"(?<![\w./$~-])((?:{'|'.join(ROOMS)}|\.ci|\.github)/[\w./*-]*[\w*/]|[\w-]+\.(?:py|sh|md|toml|lock)\b(?!/))"
)
_FOLDER = re.compile(r"`([\w-]+/(?:[\w-]+/)*)`")
_LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
_MAKE = re.compile(r"(?:^|[;&|(] ?|\$ )make ((?:-\w+ )*)([a-z][\w.-]*|\.venv/ready)")
_MODULE = re.compile(r"python3? -m ([\w.]+)")
_DOTTED = re.compile(rf"`((?:{'|'.join(ROOMS)})(?:\.(?!(?:md|py|sh|xml|yaml)`)[a-z_]+)+)`")
_OF_OTHERS = ("venv", "pip", "http.server", "pulumi.dynamic")
_NOT_HERE = ("comment.md",)  # written by a run


def files() -> set[str]:
    """Return every file of the repository, including new ones, and every folder, with a slash at the end."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split("\n")
    found = set(filter(None, listed)) or {
        str(file.relative_to(REPOSITORY))
        for room in (*ROOMS, ".ci", ".github", "")
        for file in (REPOSITORY / room).glob("**/*" if room else "*")
        if file.is_file()
    }
    return found | {f"{parent}/" for file in found for parent in Path(file).parents}


FILES = files()
NAMES = {Path(file).name for file in FILES}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: str(file.relative_to(REPOSITORY)))
class TestDocument:
    """The names in each document."""

    def test_tables_are_those_of_the_code(self, document: Path) -> None:
        text = document.read_text(encoding="utf-8")
        assert not shown_in(text) or text == rendered(text), "run `make docs`"

    def test_paths_are_there(self, document: Path) -> None:
        text = document.read_text(encoding="utf-8")
        paths = [*_PATH.findall(text), *_FOLDER.findall(text)]
        assert [path for path in paths if not _is_there(path)] == []

    def test_links_lead_somewhere(self, document: Path) -> None:
        links = _LINK.findall(document.read_text(encoding="utf-8"))
        assert [link for link in links if not (document.parent / link).exists()] == []

    def test_make_targets_are_there(self, document: Path) -> None:
        text = document.read_text(encoding="utf-8")
        targets = [found[1] for code in _CODE.finditer(text) for found in _MAKE.findall(code[1] or code[2] or "")]
        makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
        assert [target for target in targets if not re.search(rf"^{re.escape(target)}:", makefile, re.M)] == []

    def test_modules_are_there(self, document: Path) -> None:
        text = document.read_text(encoding="utf-8")
        names = _MODULE.findall(text) + _DOTTED.findall(text)
        missing = [
            name
            for name in names
            if name not in _OF_OTHERS
            and not FILES & {f"{name.replace('.', '/')}.py", f"{name.replace('.', '/')}/__main__.py"}
            and not (name in _DOTTED.findall(text) and f"{name.replace('.', '/')}/" in FILES)
        ]
        assert missing == []


def _is_there(path: str) -> bool:
    if "/" not in path:
        return path in NAMES or path in _NOT_HERE
    if path.startswith((*OF_USERS, *WRITTEN_BY_RUNS)):
        return True
    if "*" in path:
        return any(Path(file).match(path) for file in FILES)
    folder = f"{path.rstrip('/')}/"
    return path in FILES or any(f"/{file}".endswith(f"/{folder}") for file in FILES)


def test_every_model_has_one_table() -> None:
    shown = Counter(name for document in DOCUMENTS for name in shown_in(document.read_text(encoding="utf-8")))
    assert shown == Counter([*models(), *OTHERS])


@pytest.mark.parametrize("model", models().values(), ids=list(models()))
def test_every_setting_is_described(model: type) -> None:
    undescribed = [name for name, field in model.model_fields.items() if not field.description]  # type: ignore[attr-defined]
    assert undescribed == []

"""Answers of real hosts, as data; `tests/unit/test_recorded.py` describes each folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent


def cases(kind: str) -> Iterator[tuple[str, str, Any]]:
    """Yield the cases of one folder: name of the file, name of the case, content."""
    for file in sorted((FOLDER / kind).glob("*.yaml")):
        for name, case in yaml.safe_load(file.read_text(encoding="utf-8")).items():
            yield file.stem, name, case


def case(kind: str, file: str, name: str) -> Any:
    """Return one case."""
    return next(found for stem, title, found in cases(kind) if (stem, title) == (file, name))

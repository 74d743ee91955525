"""The tests of this folder are spread over the shells: there are many, and each script still runs in every shell."""

from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest

from tests.shell_room import SHELLS, Stage, missing, staged


@pytest.fixture
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A stage with the shell that the test's name selects."""
    there = [shell for shell in SHELLS if missing(shell) is None]
    if not there:
        pytest.skip(missing(SHELLS[0]) or "")
    made = staged(tmp_path / "root", there[crc32(request.node.name.encode()) % len(there)])
    yield made
    made.close()

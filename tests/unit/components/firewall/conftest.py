"""A test of this room runs in one shell, the next in another: there are many, and all scripts run in each that way."""

from zlib import crc32

import pytest

from tests.shell_room import SHELLS, missing


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the shell by the name of the test."""
    if "stage" in metafunc.fixturenames:
        there = [shell for shell in SHELLS if missing(shell) is None] or [*SHELLS[:1]]
        chosen = there[crc32(metafunc.definition.name.encode()) % len(there)]
        metafunc.parametrize("stage", [chosen], indirect=True)

"""One process of the pack for each module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .analyzer import Pack, running_pack


@pytest.fixture(scope="module")
def running() -> Iterator[Pack]:
    """The pack's process."""
    with running_pack() as pack:
        yield pack


@pytest.fixture
def pack(running: Pack) -> Pack:
    """The pack with its own configuration."""
    running.configure()
    return running

"""Fixtures of the fast tests."""

import asyncio

from tests.shell_room import one_stage, stage

__all__ = ["one_stage", "stage"]


def pytest_runtest_setup() -> None:
    """Give the test an event loop, which Pulumi's mocks need: `asyncio.run` in an earlier test leaves none."""
    try:
        asyncio.get_event_loop()
    except RuntimeError:
        asyncio.set_event_loop(asyncio.new_event_loop())

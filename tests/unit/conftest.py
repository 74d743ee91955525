"""Fixtures of the fast tests."""

from tests.shell_room import stage

__all__ = ["stage"]

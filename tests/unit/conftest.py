"""Fixtures of the fast tests."""

from tests.shell_room import one_stage, stage

__all__ = ["one_stage", "stage"]

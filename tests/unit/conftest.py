"""What fast tests share."""

from tests.shell_room import stage

__all__ = ["stage"]

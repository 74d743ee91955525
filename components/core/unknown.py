"""Values that are unknown until the program's resources are created."""

from typing import Any

from pulumi.output import Unknown


def has_unknown(value: Any) -> bool:
    """Return whether any part of `value` is unknown until the program's resources are created."""
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(has_unknown(item) for item in value)
    return isinstance(value, Unknown)

"""What is known only once the program's resources are made."""

from typing import Any

from pulumi.output import Unknown


def has_unknown(value: Any) -> bool:
    """Tell whether anything in `value` is known only once the program's resources are made."""
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(has_unknown(item) for item in value)
    return isinstance(value, Unknown)

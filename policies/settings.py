"""Settings of policies: their JSON Schema, and the values that a policy is configured with.

The Pulumi CLI validates a configuration against the schema; this does the same, for every engine.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """One setting of a policy."""

    name: str
    description: str
    schema: Schema
    default: Any

    @property
    def as_schema(self) -> Schema:
        """The JSON Schema, with the default that engines fill in."""
        return {**self.schema, "description": self.description, "default": self.default}


def texts(name: str, description: str, default: Sequence[str] = ()) -> Setting:
    """A list of strings."""
    return Setting(name, description, {"type": "array", "items": {"type": "string"}}, list(default))


def numbers(name: str, description: str, default: Sequence[int]) -> Setting:
    """A list of integers."""
    return Setting(name, description, {"type": "array", "items": {"type": "integer"}}, list(default))


def number(name: str, description: str, default: int) -> Setting:
    """An integer."""
    return Setting(name, description, {"type": "integer"}, default)


def table(name: str, description: str, values: Schema) -> Setting:
    """A mapping by name; empty by default."""
    return Setting(name, description, {"type": "object", "additionalProperties": values}, {})


WAIVED_HOSTS = table(
    "waivedHosts",
    "Hosts that need not comply, each with a reason.",
    {"type": "string", "minLength": 1},
)


class SettingsError(ValueError):
    """A configuration that does not match the schema."""


class PolicySettings:
    """The settings of one policy as configured: read by name, with defaults."""

    def __init__(self, known: Sequence[Setting], config: Mapping[str, Any] | None) -> None:
        """Raises `SettingsError` for an unknown name and for a value of the wrong type."""
        by_name = {setting.name: setting for setting in known}
        self._values = {name: setting.default for name, setting in by_name.items()}
        for key, value in (config or {}).items():
            name = re.sub("_([a-z])", lambda match: match[1].upper(), key)
            if name not in by_name:
                raise SettingsError(f"no setting is named {key}; there are {', '.join(by_name)}")
            for problem in _problems(by_name[name].schema, value, name):
                raise SettingsError(problem)
            self._values[name] = value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings."""
        return tuple(self._values[name])

    def numbers(self, name: str) -> tuple[int, ...]:
        """A list of integers."""
        return tuple(map(int, self._values[name]))

    def number(self, name: str) -> int:
        """An integer."""
        return int(self._values[name])

    def table(self, name: str) -> Mapping[str, Any]:
        """A mapping by name."""
        return dict(self._values[name])

    def replaced(self, **values: Any) -> PolicySettings:
        """A copy with other values, by name."""
        other = PolicySettings((), None)
        other._values = {**self._values, **values}
        return other

    def __repr__(self) -> str:
        """Equal for equal settings."""
        return repr(sorted(self._values.items()))


def _problems(schema: Schema, value: Any, path: str) -> Iterator[str]:
    """Mismatches, for the part of JSON Schema that is used here."""
    kind = schema["type"]
    if kind == "array" and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _problems(schema["items"], item, f"{path}[{index}]")
    elif kind == "object" and isinstance(value, Mapping):
        for key, item in value.items():
            yield from _problems(schema["additionalProperties"], item, f"{path}.{key}")
    elif kind == "string" and isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            yield f"{path} must not be empty"
    elif not (kind == "integer" and isinstance(value, int | float) and math.isfinite(value) and int(value) == value):
        yield f"{path} must be of type {kind}"

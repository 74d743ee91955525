"""The differences between two states of a resource, by property and list item."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pulumi.runtime import proto

_KINDS = proto.PropertyDiff
_REPLACING: dict[Any, Any] = {
    _KINDS.ADD: _KINDS.ADD_REPLACE,
    _KINDS.DELETE: _KINDS.DELETE_REPLACE,
    _KINDS.UPDATE: _KINDS.UPDATE_REPLACE,
}
_PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


def detailed(olds: Mapping[str, Any], news: Mapping[str, Any], replaces: Collection[str]) -> dict[str, Any]:
    """Return the differences by property path, in the protocol's form."""
    found = {}
    for name in {**olds, **news}:
        for path, kind in _differences(olds.get(name), news.get(name), name):
            found[path] = proto.PropertyDiff(kind=_REPLACING[kind] if name in replaces else kind, inputDiff=True)
    for name in set(replaces) - {*olds, *news}:  # the machine is another one, which no property shows
        found[name] = proto.PropertyDiff(kind=_KINDS.UPDATE_REPLACE)
    return found


def _differences(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any]]:
    if old is None or new is None:
        if old is not new:
            yield path, _KINDS.ADD if old is None else _KINDS.DELETE
    elif isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            step = (
                f".{name}" if _PLAIN.fullmatch(name) else '["' + name.replace("\\", "\\\\").replace('"', '\\"') + '"]'
            )
            yield from _differences(old.get(name), new.get(name), path + step)
    elif isinstance(old, list) and isinstance(new, list):
        for number in range(max(len(old), len(new))):
            before, now = (side[number] if number < len(side) else None for side in (old, new))
            yield from _differences(before, now, f"{path}[{number}]")
    elif old != new:
        yield path, _KINDS.UPDATE

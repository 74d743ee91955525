"""What several hosts have in common is written once, and what differs at each host: pure."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from components.registry import REGISTERED, Hardening


@dataclass(frozen=True)
class Factored:
    """Chapters of the whole stack, and those of each host, which take precedence setting by setting."""

    common: Mapping[str, Any]
    own: Mapping[str, Mapping[str, Any]]


def factored(hosts: Mapping[str, Mapping[str, Any]]) -> Factored:
    """Split the chapters of all hosts. `Hardening.on` gives each host's own again."""
    common: dict[str, Any] = {}
    own: dict[str, dict[str, Any]] = {name: {} for name in hosts}
    for chapter in dict.fromkeys(chapter for settings in hosts.values() for chapter in settings):
        values = {name: settings[chapter] for name, settings in hosts.items() if chapter in settings}
        best, least = values, _size(values)
        for shared in _candidates(chapter, [*values.values()], single=len(hosts) == 1):
            differing = {name: _beside(chapter, shared, settings) for name, settings in hosts.items()}
            differing = {name: value for name, value in differing.items() if value is not None}
            size = _size(shared) + _size(differing)
            if size < least:
                common[chapter], best, least = shared, differing, size
        for name, value in best.items():
            own[name][chapter] = value
    return Factored(common, {name: chapters for name, chapters in own.items() if chapters})


def _candidates(chapter: str, values: list[Any], *, single: bool) -> Iterator[Any]:
    """Return what could be written once: what a host has, without the settings that no other host has the same."""
    seen = []
    counts = Counter(_spelled(item) for value in values if isinstance(value, Mapping) for item in value.items())
    for value in values:
        shared = value
        if isinstance(value, Mapping) and not single:
            shared = {name: item for name, item in value.items() if counts[_spelled((name, item))] > 1}
        if shared in seen:
            continue
        seen.append(shared)
        with suppress(ValidationError):  # half of a host's settings may be no settings
            Hardening.model_validate({chapter: _without_files(shared)})
            yield shared


def _without_files(value: Any) -> Any:
    """Return settings that name no files of rules: these are not written yet."""
    if not isinstance(value, Mapping):
        return value
    return {name: {"rules": "*filter\nCOMMIT\n"} if _is_file(item) else item for name, item in value.items()}


def _is_file(value: Any) -> bool:
    return isinstance(value, Mapping) and "file" in value


def _spelled(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _beside(chapter: str, shared: Any, host: Mapping[str, Any]) -> Any:
    """Return what a host has instead of what is shared; None if it has just that."""
    if chapter not in host:
        return _nothing(chapter, shared)
    value = host[chapter]
    if value == shared:
        return None
    if not isinstance(value, Mapping):
        return value
    defaults = _defaults(chapter)
    absent = {name: defaults[name] for name in shared if name not in value}
    return {**{name: item for name, item in value.items() if shared.get(name, _NOT) != item}, **absent} or None


_NOT = object()


def _nothing(chapter: str, shared: Any) -> Any:
    """Return what a host says that does without a chapter."""
    if _field(chapter) in REGISTERED and chapter != "users":
        return False
    return {name: _defaults(chapter)[name] for name in shared} if isinstance(shared, Mapping) else []


def _defaults(chapter: str) -> dict[str, Any]:
    """Return what each setting of a chapter is if nothing is said."""
    empty = getattr(Hardening.model_validate({chapter: {}}), _field(chapter))
    found: dict[str, Any] = empty.model_dump(by_alias=True, mode="json")
    return found


def _field(chapter: str) -> str:
    return next(name for name, field in Hardening.model_fields.items() if chapter in (name, field.alias))


def _size(written: Any) -> int:
    """Return how much there is to read."""
    return len(_spelled(written))

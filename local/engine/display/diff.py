"""Property differences as Pulumi prints them, with multi-line strings as a line diff."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping

from local.engine.display.style import Style
from local.engine.state.values import PropertyMap, PropertyValue, Reference, Secret, Unknown

HIDDEN = ("__provider",)
CONTEXT = 3
_MISSING = object()


def visible(properties: PropertyMap) -> PropertyMap:
    """Properties without those internal to the SDK."""
    return {key: properties[key] for key in sorted(properties, key=_place) if key not in HIDDEN}


def _place(key: str) -> tuple[int, str]:
    """Sort key of a property: by name, and elements of a list by number (fewer digits is lower)."""
    return (len(key) if key.startswith("[") else 0, key)


def changed_keys(old: PropertyMap, new: PropertyMap) -> list[str]:
    """Names of the properties that differ."""
    keys = sorted(visible(old).keys() | visible(new).keys())
    return [key for key in keys if old.get(key, _MISSING) != new.get(key, _MISSING)]


class DiffPrinter:
    """Renders property values and their differences as lines."""

    def __init__(self, style: Style) -> None:
        self._style = style

    def whole(self, properties: PropertyMap, indent: int, mark: str = " ") -> Iterator[str]:
        """All properties of something that is created or deleted."""
        shown = visible(properties)
        for key, value in shown.items():
            yield from self._value(_padded(key, shown), value, indent, mark)

    def difference(self, old: PropertyMap, new: PropertyMap, indent: int, *, unchanged: bool = False) -> Iterator[str]:
        """The properties that differ between two sets; with `unchanged`, also those that do not."""
        before, after = visible(old), visible(new)
        shown = [
            key
            for key in sorted(before | after, key=_place)
            if unchanged or before.get(key, _MISSING) != after.get(key, _MISSING)
        ]
        for key in shown:
            label = _padded(key, shown)
            if key not in after:
                yield from self._value(label, before[key], indent, "-")
            elif key not in before:
                yield from self._value(label, after[key], indent, "+")
            elif before[key] == after[key]:
                yield from self._value(label, after[key], indent, " ")
            else:
                yield from self._change(label, before[key], after[key], indent)

    def _change(self, label: str, old: PropertyValue, new: PropertyValue, indent: int) -> Iterator[str]:
        if isinstance(old, dict) and isinstance(new, dict):
            yield self._line("~", indent, f"{label}: {{")
            yield from self.difference(old, new, indent + 4)
            yield self._line("~", indent, "}", mark=False)
        elif isinstance(old, list) and isinstance(new, list):
            yield self._line("~", indent, f"{label}: [")
            yield from self.difference(_indexed(old), _indexed(new), indent + 4)
            yield self._line("~", indent, "]", mark=False)
        elif isinstance(old, str) and isinstance(new, str) and ("\n" in old or "\n" in new):
            yield self._line("~", indent, f"{label}:")
            yield from self._text(old, new, indent + 4)
        elif _is_simple(old) and _is_simple(new):
            yield self._line("~", indent, f"{label}: {scalar(old)} => {scalar(new)}")
        else:
            yield from self._value(label, old, indent, "-")
            yield from self._value(label, new, indent, "+")

    def _text(self, old: str, new: str, indent: int) -> Iterator[str]:
        before, after = _lines(old), _lines(new)
        groups = list(difflib.SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(CONTEXT))
        if not groups:
            yield self._line("~", indent, "(only the end of the last line differs)")
        for number, group in enumerate(groups):
            if number or group[0][1] > 0:
                yield self._line(" ", indent, "...")
            for tag, i1, i2, j1, j2 in group:
                if tag == "equal":
                    yield from (self._line(" ", indent, line) for line in before[i1:i2])
                    continue
                yield from (self._line("-", indent, line) for line in before[i1:i2])
                yield from (self._line("+", indent, line) for line in after[j1:j2])
        if groups and groups[-1][-1][2] < len(before):
            yield self._line(" ", indent, "...")

    def _value(self, label: str, value: PropertyValue, indent: int, mark: str) -> Iterator[str]:
        if isinstance(value, dict) and value:
            yield self._line(mark, indent, f"{label}: {{")
            yield from self.whole(value, indent + 4, mark)
            yield self._line(mark, indent, "}", mark=False)
        elif isinstance(value, list) and value:
            yield self._line(mark, indent, f"{label}: [")
            yield from self.whole(_indexed(value), indent + 4, mark)
            yield self._line(mark, indent, "]", mark=False)
        elif isinstance(value, str) and "\n" in value.rstrip("\n"):
            yield self._line(mark, indent, f"{label}:")
            yield from (self._line(mark, indent + 4, line) for line in _lines(value))
        else:
            yield self._line(mark, indent, f"{label}: {scalar(value)}")

    def _line(self, kind: str, indent: int, text: str, *, mark: bool = True) -> str:
        sign = kind if mark else " "
        return self._style.op(kind, f"{' ' * indent}{sign} {text}".rstrip(" ").replace("\n", "\\n"))


def _lines(text: str) -> list[str]:
    """The lines of a text. Only a line feed ends a line: Python's other line boundaries are shown within it."""
    return text.removesuffix("\n").split("\n") if text else []


def _padded(key: str, shown: Mapping[str, object] | list[str]) -> str:
    width = max(len(name) for name in shown)
    return key.ljust(width)


def _indexed(items: list[PropertyValue]) -> PropertyMap:
    return {f"[{index}]": item for index, item in enumerate(items)}


def _is_simple(value: PropertyValue) -> bool:
    return not isinstance(value, dict | list) or not value


def scalar(value: PropertyValue) -> str:
    """A value on one line; secrets and unknown values as placeholders."""
    if isinstance(value, Secret):
        return "[secret]"
    if isinstance(value, Unknown):
        return "[unknown]"
    if isinstance(value, Reference):
        return value.urn
    return json.dumps(value, ensure_ascii=False)

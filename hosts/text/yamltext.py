"""YAML from other sources: restricted to what JSON can express, with bounded depth and size; errors have a position.

PyYAML crashes the process on a few kilobytes of brackets, needs gigabytes for a few lines of aliases, and raises
arbitrary exceptions for an invalid value of a type.
"""

import re
from collections.abc import Callable, Hashable, Iterable
from typing import Any

import yaml

DEEPEST = 100
"""Levels. A stack config has about ten."""
MOST = 2_000_000
"""Values, with aliases expanded: enough for a fleet of many thousand hosts."""

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NODES: Any = yaml.NodeEvent  # only its subclasses have all attributes used here
_PREFIX = "tag:yaml.org,2002:"
_TAGS = frozenset({None, "!", *(_PREFIX + name for name in ("str", "int", "float", "bool", "null", "map", "seq"))})
_LARGEST = 2**64


def load(text: str, loader: "type[Loader] | None" = None) -> Any:
    """Parse a text of mappings with string keys, lists, strings, numbers and constants. Raises YAMLError."""
    chosen = loader or Loader
    try:
        _check(text)
        return yaml.load(text, chosen)  # noqa: S506 - a safe loader
    except ValueError as error:  # invalid characters
        raise yaml.YAMLError("not YAML") from error


def problem_in(error: yaml.YAMLError) -> tuple[int, int, str]:
    """Return line and column (0 if unknown) and the problem, without quoting the text."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return 0, 0, "not YAML"
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    return line, column, re.sub(r"([\"']).*\1", "…", error.problem or error.context or "not YAML", flags=re.S)


class TwiceError(yaml.constructor.ConstructorError):
    """A duplicate name, which would drop one of the values."""

    def __init__(self, name: str, mark: Any) -> None:
        super().__init__(None, None, "a name appears twice", mark)
        self.name = name


class _Open:
    """A mapping or list that has not ended yet."""

    def __init__(self, event: Any, before: int) -> None:
        self.anchor, self.before = event.anchor, before
        self.names: set[str] | None = set() if isinstance(event, yaml.MappingStartEvent) else None
        self._name_next = True

    def take(self, event: Any) -> None:
        """Process the next value in it. Raises TwiceError."""
        if self.names is None:
            return
        if self._name_next and isinstance(event, yaml.ScalarEvent):
            if event.value in self.names and not (event.value == "<<" and event.implicit[0]):
                raise TwiceError(event.value, event.start_mark)
            self.names.add(event.value)
        self._name_next = not self._name_next


def _check(text: str) -> None:
    """Refuse, before anything is built, input that is too deep, too large with its aliases expanded, of an unsupported
    type, or has duplicate names."""
    open_: list[_Open] = []
    sizes: dict[str | None, int] = {}
    total = 0
    events: Iterable[Any] = yaml.parse(text, _Base)
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            ended = open_.pop()
            if ended.anchor:
                sizes[ended.anchor] = total - ended.before
        elif isinstance(event, _NODES):
            if open_:
                open_[-1].take(event)
            if isinstance(event, yaml.AliasEvent):
                if any(one.anchor == event.anchor for one in open_):
                    raise _wrong("an alias refers to a value that contains it", event.start_mark)
                total += sizes.get(event.anchor, 1)  # an undefined alias is reported when it is loaded
            elif event.tag not in _TAGS:
                raise _wrong("a tag that is none of str, int, float, bool, null, map, seq", event.start_mark)
            else:
                if event.anchor:
                    sizes[event.anchor] = 1
                if isinstance(event, yaml.CollectionStartEvent):
                    open_.append(_Open(event, total))
                total += 1
            if len(open_) > DEEPEST:
                raise _wrong(f"more than {DEEPEST} nested levels", event.start_mark)
            if total > MOST:
                raise _wrong(f"more than {MOST} values", event.start_mark)


def _wrong(problem: str, mark: Any) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, mark)


class Loader(_Base):  # type: ignore[misc]
    """YAML with dates and names as strings, like Go's yaml.v3 in Pulumi."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """See yaml."""
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key.tag not in (f"{_PREFIX}str", f"{_PREFIX}merge"):
                raise _wrong("a name must be text: quote it", key.start_mark)
        made: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return made


def _whole(construct: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return the same constructor with all its errors converted to one type."""

    def constructed(loader: Any, node: Any) -> Any:
        try:
            value = construct(loader, node)
        except (ValueError, LookupError, AttributeError):
            raise _wrong("a value does not match its tag or form", node.start_mark) from None
        if isinstance(value, int) and abs(value) >= _LARGEST:
            raise _wrong("a number is too large: quote it", node.start_mark)
        return value

    return constructed


Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if not pair[0].endswith(":timestamp")]
    for first, pairs in Loader.yaml_implicit_resolvers.items()
}
for _name in ("int", "float", "bool", "null"):
    Loader.add_constructor(_PREFIX + _name, _whole(Loader.yaml_constructors[_PREFIX + _name]))

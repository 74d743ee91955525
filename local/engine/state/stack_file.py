"""Edits Pulumi.<stack>.yaml in place, preserving comments, order and everything else.

An edit changes the text at the position that the YAML parser reports. The result is parsed again; an edit that does not
result in the expected data is refused.
"""

from __future__ import annotations

import copy
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from hosts.text.private import locked
from local.engine.errors import EngineError
from local.engine.state.backend import write_atomically
from local.engine.state.project import Loader, parse_yaml

SALT = "encryptionsalt"
Keys = Sequence[str | int]
_PLAIN = re.compile(r"[A-Za-z_/~][^#\n]*|\d+(\.\d+){3}(/\d+)?")
_WORDS = {"true", "false", "yes", "no", "on", "off", "y", "n", "null", "~"}


def rewrite(file: Path, edit: Callable[[str], str]) -> str:
    """Replace a file's text with the result of `edit` and return it. Atomic, one process at a time.

    A link stays a link: shards share the config of their environment.
    """
    file = file.resolve()
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with locked(file):
            return _rewritten(file, edit)
    except PermissionError as error:
        raise EngineError(str(error)) from None


def _rewritten(file: Path, edit: Callable[[str], str]) -> str:
    try:
        with file.open(newline="") as old:
            before, mode = old.read(), stat.S_IMODE(file.stat().st_mode)
    except FileNotFoundError:
        before, mode = "", 0o644
    after = edit(before)
    if after != before:
        write_atomically(file, after, mode)
    return after


def with_salt(text: str, salt: str) -> str:
    """The text with the salt at its top, so that lines added at its end still belong to `config`. An existing salt is
    kept."""
    data = parse_yaml(text, "the stack's configuration")
    if data.get(SALT):
        return text
    if SALT in data:
        return set_value(text, [SALT], salt)
    node = _compose(text)
    place = len(text) if node is None else _line_start(text, node.start_mark.index)
    line = f"{SALT}: {salt}\n"
    if node is None and text and not text.endswith("\n"):
        line = f"\n{line}"
    return _checked(text, text[:place] + line + text[place:], {SALT: salt, **data})


def salt_of(text: str) -> str | None:
    """The salt in the text."""
    salt = parse_yaml(text, "the stack's configuration").get(SALT)
    return None if salt is None else str(salt)


def set_value(text: str, path: Keys, value: Any) -> str:
    """The text with a value (strings, numbers, lists and mappings of them) set at a path, creating missing parents."""
    wanted = parse_yaml(text, "the stack's configuration")
    wanted = _with(copy.deepcopy(wanted), path, value, path)
    return _checked(text, _insert(text, _compose(text), path, value), wanted)


def remove_value(text: str, path: Keys) -> str:
    """The text without the value at a path; unchanged if there is none."""
    wanted = copy.deepcopy(parse_yaml(text, "the stack's configuration"))
    parent: Any = wanted
    node: Any = _compose(text)
    for part in path[:-1]:
        parent, node = _child(parent, part), node and _node_child(node, part)[1]
        if parent is None or node is None:
            return text
    last = path[-1]
    if _child(parent, last) is None and not (isinstance(parent, dict) and last in parent):
        return text
    del parent[last]
    key, old = _node_child(node, last)
    if not parent:  # it was the last entry: leave an empty collection
        start, end, empty = (
            node.start_mark.index,
            _end(text, node),
            "{}" if isinstance(node, yaml.MappingNode) else "[]",
        )
        if not node.flow_style:
            start = len(text[:start].rstrip())
            empty = f" {empty}"
        return _checked(text, text[:start] + empty + text[end:], wanted)
    if node.flow_style:
        start, end = (key or old).start_mark.index, _end(text, old)
        after = re.match(r"\s*,\s*", text[end:])
        if after:
            end += after.end()
        else:
            start = len(text[:start].rstrip().removesuffix(","))
        return _checked(text, text[:start] + text[end:], wanted)
    start = _line_start(text, (key or old).start_mark.index)
    return _checked(text, text[:start] + text[_line_end(text, _end(text, old)) :], wanted)


def _checked(before: str, after: str, wanted: Any) -> str:
    try:
        right = yaml.load(after, Loader) == wanted  # noqa: S506 - a safe loader
    except yaml.YAMLError:
        right = False
    if not right:
        raise EngineError("the file is written so that it cannot be changed here without loss; edit it by hand")
    return after


def _compose(text: str) -> Any:
    return yaml.compose(text, yaml.SafeLoader)


def _with(data: Any, path: Keys, value: Any, whole: Keys) -> Any:
    """The data with a value at a path. As in the CLI, a mapping takes keys, a list indexes up to its length."""
    if not path:
        return value
    part, rest = path[0], path[1:]
    if data is None or data in ({}, []):
        data = [] if isinstance(part, int) else {}
    if isinstance(data, dict):
        if isinstance(part, int):
            raise EngineError(f"could not set config: {path_text(whole)}: key for a map must be a string")
        data[part] = _with(data.get(part), rest, value, whole)
        return data
    if not isinstance(data, list):
        raise EngineError(f"could not set config: {path_text(whole)}: what is there is neither a map nor a list")
    if not isinstance(part, int):
        raise EngineError(f"could not set config: {path_text(whole)}: key for a list must be an int")
    if not 0 <= part <= len(data):
        raise EngineError(f"could not set config: {path_text(whole)}: the list has {len(data)} elements")
    data[part : part + 1] = [_with(data[part] if part < len(data) else None, rest, value, whole)]
    return data


def path_text(path: Keys) -> str:
    """A path as written on the command line."""
    keys = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path]
    return "".join(keys).removeprefix(".config").removeprefix(".")


def _insert(text: str, root: Any, path: Keys, value: Any) -> str:
    node, rest = root, list(path)
    if node is None:
        start = text if not text or text.endswith("\n") else f"{text}\n"
        return start + _block({str(rest[0]): _nested(rest[1:], value)}, 0) + "\n"
    while True:
        key, child = _node_child(node, rest[0])
        if child is None:
            return _add(text, node, rest, value)
        if len(rest) == 1 or not _filled(child):
            return _replace(text, node, key, child, _nested(rest[1:], value))
        node, rest = child, rest[1:]


def _filled(node: Any) -> bool:
    return isinstance(node, yaml.CollectionNode) and bool(node.value)


def _nested(path: Keys, value: Any) -> Any:
    for part in reversed(path):
        value = [value] if isinstance(part, int) else {part: value}
    return value


def _replace(text: str, parent: Any, key: Any, old: Any, value: Any) -> str:
    """Replace a value with another."""
    empty = old.start_mark.index == old.end_mark.index
    start, end = old.start_mark.index, _end(text, old)
    if parent.flow_style:
        return text[:start] + (" " if empty else "") + _flow(value) + text[end:]
    if key is None:  # in a list, after its "- "
        column = old.start_mark.column
        return text[:start] + _block(value, column).lstrip() + text[end:]
    start = text.index(":", key.end_mark.index) + 1
    rest = text[start:].split("\n", 1)[0]
    if empty:
        end = start
    elif "#" in rest and old.start_mark.line > key.end_mark.line and isinstance(value, dict | list) and value:
        # keep the comment after the key
        start = len(text[: old.start_mark.index].rstrip())
    return text[:start] + _valued(value, key.start_mark.column) + text[end:]


def _add(text: str, node: Any, path: Keys, value: Any) -> str:
    """Append an entry to a mapping or list that is not empty."""
    part, value = path[0], _nested(path[1:], value)
    if node.flow_style:
        end = node.end_mark.index - 1
        entry = _flow(value) if isinstance(part, int) else f"{_scalar(str(part))}: {_flow(value)}"
        body = text[:end].rstrip().removesuffix(",")
        return f"{body}, {entry}{text[end:]}"
    last = node.value[-1] if isinstance(node, yaml.SequenceNode) else node.value[-1][1]
    column = node.start_mark.column
    entry = (
        f"- {_block(value, column + 2).lstrip()}"
        if isinstance(part, int)
        else (f"{_scalar(part)}:{_valued(value, column)}")
    )
    place = _line_end(text, _end(text, last))
    before = text[:place] if text[:place].endswith("\n") else f"{text[:place]}\n"
    return f"{before}{' ' * column}{entry}\n{text[place:]}"


def _valued(value: Any, column: int) -> str:
    """A value as written after the colon of a key in that column."""
    if isinstance(value, dict | list) and value:
        return "\n" + _block(value, column + 2)
    return " " + _block(value, column + 2).lstrip(" ")


def _block(value: Any, indent: int) -> str:
    text = yaml.dump(value, Dumper=_Dumper, default_flow_style=False, sort_keys=False, width=10**6, allow_unicode=True)
    lines = text.removesuffix("...\n").rstrip("\n").split("\n")
    return "\n".join(f"{' ' * indent}{line}" if line else line for line in lines)


def _flow(value: Any) -> str:
    text = yaml.dump(value, Dumper=_FlowDumper, default_flow_style=True, sort_keys=False, width=10**6)
    return str(text).removesuffix("...\n").strip()


def _scalar(key: str) -> str:
    return _flow(key)


class _FlowDumper(yaml.SafeDumper):
    """Writes strings so that YAML 1.1 and 1.2 both read them as strings."""

    block = False

    def text(self, value: str) -> yaml.ScalarNode:
        plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS
        plain = plain and (self.block or not set(",[]{}") & set(value))  # these would end it in a flow collection
        # a literal block preserves no surrounding whitespace but one final line feed
        lines = "\n" in value.strip() and value.removesuffix("\n") == value.strip()
        style = "|" if lines and self.block else None if plain else '"'
        return self.represent_scalar("tag:yaml.org,2002:str", value, style=style)


class _Dumper(_FlowDumper):
    block = True


for _dumper in (_FlowDumper, _Dumper):
    _dumper.add_representer(str, _dumper.text)


def _child(data: Any, part: str | int) -> Any:
    if isinstance(data, dict):
        return data.get(part)
    if isinstance(data, list) and isinstance(part, int) and 0 <= part < len(data):
        return data[part]
    return None


def _node_child(node: Any, part: str | int) -> tuple[Any, Any]:
    """Key and value of an entry. The key is None in a list; both are None if there is no such entry."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, child) for key, child in node.value if key.value == str(part)), (None, None))
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and 0 <= part < len(node.value):
        return None, node.value[part]
    return None, None


def _end(text: str, node: Any) -> int:
    """The end of a node's own text: a block ends with its last entry, before any comments and blank lines."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(text, last[1] if isinstance(last, tuple) else last)
    end: int = node.end_mark.index
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        written = text[node.start_mark.index : end]
        keeps = "+" in written.split("\n", 1)[0]
        return end if keeps else node.start_mark.index + len(written.rstrip("\n"))
    return end


def _line_start(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _line_end(text: str, index: int) -> int:
    """The start of the line after that of an index, or the end of the text."""
    if index and text[index - 1] == "\n":  # a block scalar includes its line end
        return index
    end = text.find("\n", index)
    return len(text) if end < 0 else end + 1

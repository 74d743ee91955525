"""The tables in docs/ that are derived from the code: settings, policies, resources.

    python -m tests.tables        writes them (`make docs`); a unit test compares

A table is below a line `<!-- make docs: NAME -->`; NAME is a model of the stack config or one of `OTHERS`.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from components.config.inventory import Settings
from components.stack_config import StackConfig
from policies.reference import policy_table, setting_table
from tests import resources

DOCS = Path(__file__).parents[1] / "docs"
OTHERS: Mapping[str, Callable[[], Iterable[str]]] = {
    "policies": policy_table,
    "policy settings": setting_table,
    "resources": resources.table,
}

_TABLE = re.compile(r"^<!-- make docs: (.+) -->\n+(?:\|.*\n)*\n*", re.MULTILINE)
_DEFAULT = re.compile(r"\s*Default: (.+?)\.?$")
_COUNTED = {"integer": "number", "number": "number", "string": "text", "boolean": "`true`, `false`"}


def models() -> dict[str, type[Settings]]:
    """Return every model of the stack config, by name."""
    assert StackConfig  # its module imports all the others
    found: dict[str, type[Settings]] = {}
    left: list[type[Settings]] = [Settings]
    while left:
        for model in left.pop().__subclasses__():
            if model.__module__.split(".")[0] != "tests":
                found[model.__name__] = model
                left.append(model)
    return found


def settings(model: type[Settings]) -> Iterator[str]:
    """Yield the lines of one model's table; inherited fields are in the parent's table."""
    schema = model.model_json_schema(by_alias=True)
    inherited = {name for base in model.__mro__[1:] if issubclass(base, Settings) for name in base.model_fields}
    own = {field.alias or name for name, field in model.model_fields.items() if name not in inherited}
    yield "| setting | values | meaning | default |"
    yield "|---|---|---|---|"
    # a recursive model (Login) is a reference in its own schema
    properties = schema.get("properties") or schema["$defs"][model.__name__]["properties"]
    for name in properties:
        if name in own:
            meaning, default = _described(properties[name])
            cells = (f"`{name}`", _values(properties[name]), meaning, default)
            yield "|" + "|".join(f" {cell} ".replace("|", "\\|").replace("  ", " ") for cell in cells) + "|"


def _described(schema: Mapping[str, Any]) -> tuple[str, str]:
    """Return the meaning of a setting, and its default in words or as YAML."""
    text = schema["description"]
    if found := _DEFAULT.search(text):
        return text[: found.start()], found[1]
    if "default" not in schema:
        return text, "required"
    default = schema["default"]
    if default in (None, "", [], {}) or isinstance(default, dict):
        return text, ""
    return text, f"`{json.dumps(default).strip(chr(34))}`"


def _values(schema: Mapping[str, Any]) -> str:
    """Return the possible values of a setting, in words."""
    if "anyOf" in schema:
        kinds = [*dict.fromkeys(_values(one) for one in schema["anyOf"] if one.get("type") != "null")]
        if kinds[1:] == [f"list of {kinds[0]}"]:
            return f"{kinds[0]}, or a list"
        return (", " if all(kind.startswith("`") for kind in kinds) else " or ").join(kinds)
    if "$ref" in schema:
        return "settings"
    if "const" in schema:
        return f"`{json.dumps(schema['const']).strip(chr(34))}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"] if value)
    kind = schema.get("type", "text")
    if kind == "array":
        return f"list of {_values(schema['items'])}"
    if kind == "object":
        inner = schema["additionalProperties"]
        return "settings" if inner is True else f"map of {_values(inner)}"
    if schema.get("format") == "password":
        return "secret"
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None:
        return f"{low} to {high}" if high is not None else f"{low} or more"
    return _COUNTED[kind]


def table(name: str) -> str:
    """Return the table of that name. Raises KeyError if there is none."""
    lines = OTHERS[name]() if name in OTHERS else settings(models()[name])
    return "\n".join(lines) + "\n"


def rendered(text: str) -> str:
    """Return a document with its tables up to date."""
    return _TABLE.sub(lambda found: f"<!-- make docs: {found[1]} -->\n\n{table(found[1])}\n", text).rstrip("\n") + "\n"


def shown_in(text: str) -> list[str]:
    """Return the names of a document's tables."""
    return [found[1] for found in _TABLE.finditer(text)]


if __name__ == "__main__":
    for file in sorted(DOCS.glob("*.md")):
        before = file.read_text(encoding="utf-8")
        if (after := rendered(before)) != before:
            file.write_text(after, encoding="utf-8")
            print(f"written: docs/{file.name}")

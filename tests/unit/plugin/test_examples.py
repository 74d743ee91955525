"""What programs in docs and examples take from the package is there: checked without the CLI, in every language."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.core.served import type_of
from plugin import schema

REPOSITORY = Path(__file__).parents[3]
EXAMPLES = REPOSITORY / "examples"
PACKAGE = json.loads(schema.FILE.read_text("utf-8"))
KINDS: dict[str, Any] = {**PACKAGE["types"], **PACKAGE["resources"]}
SIDES = ("properties", "inputProperties")
NAMES = {token.rpartition(":")[2] for token in KINDS}
_MADE_OF = re.compile(r"(?:Args|Dict|Output|Array|Map|Ptr)+$")


class WrongProgramError(AssertionError):
    """A program that the schema does not allow."""


def judge(value: Any, kind: dict[str, Any], place: str) -> None:
    """Compare a value of a YAML program with a property of the schema."""
    if isinstance(value, str) and value.startswith("${"):
        return
    if "oneOf" in kind:
        problems = [problem for one in kind["oneOf"] for problem in _problems(value, one, place)]
        if len(problems) == len(kind["oneOf"]):
            raise WrongProgramError(problems[0])
    elif "$ref" in kind:
        _judge_reference(value, kind["$ref"], place)
    elif kind["type"] == "array":
        for number, item in enumerate(value):
            judge(item, kind["items"], f"{place}[{number}]")
    elif kind["type"] == "object":
        for name, item in value.items():
            judge(item, kind["additionalProperties"], f"{place}.{name}")
    elif not isinstance(value, {"string": str, "integer": int, "number": float, "boolean": bool}[kind["type"]]):
        raise WrongProgramError(f"{place}: {value!r} is no {kind['type']}")


def _problems(value: Any, kind: dict[str, Any], place: str) -> Iterator[str]:
    try:
        judge(value, kind, place)
    except (WrongProgramError, AttributeError, TypeError) as error:
        yield str(error)


def _judge_reference(value: Any, reference: str, place: str) -> None:
    if reference == "pulumi.json#/Any":
        return
    kind = KINDS[reference.removeprefix("#/types/")]
    if "enum" in kind:
        if value not in [one["value"] for one in kind["enum"]]:
            raise WrongProgramError(f"{place}: {value!r} is not one of the enumeration")
        return
    judge_object(value, kind["properties"], kind.get("required", ()), place)


def judge_object(value: dict[str, Any], properties: dict[str, Any], needed: Any, place: str) -> None:
    """Compare an object with its type."""
    if unknown := value.keys() - properties:
        raise WrongProgramError(f"{place}: no such properties: {sorted(unknown)}")
    if missing := set(needed) - value.keys():
        raise WrongProgramError(f"{place}: missing: {sorted(missing)}")
    for name, item in value.items():
        judge(item, properties[name], f"{place}.{name}")


def judge_program(program: dict[str, Any]) -> list[str]:
    """Compare a YAML program with the schema; return the types that it uses."""
    used = []
    for name, one in program["resources"].items():
        if one["type"].startswith("stockade:"):
            resource = PACKAGE["resources"][type_of(one["type"].partition(":")[2])]
            judge_object(one["properties"], resource["inputProperties"], resource.get("requiredInputs", ()), name)
            used.append(one["type"])
    return used


def yaml_programs() -> list[Path]:
    """Return all programs in YAML."""
    files = [*EXAMPLES.glob("*/Pulumi.yaml"), *REPOSITORY.glob("templates/*/Pulumi.yaml")]
    return [file for file in sorted(files) if "resources" in yaml.safe_load(file.read_text("utf-8"))]


@pytest.mark.parametrize("file", yaml_programs(), ids=lambda file: file.parent.name)
def test_a_program_in_yaml_is_one_of_the_schema(file: Path) -> None:
    assert judge_program(yaml.safe_load(file.read_text("utf-8")))


@pytest.mark.parametrize(
    ("properties", "problem"),
    [
        ({"firewal": {}}, "no such properties"),
        ({"users": [{"nam": "x"}]}, "no such properties"),
        ({"users": [{}]}, "missing: .'name'"),
        ({"users": [{"name": "x", "sudo": "always"}]}, "not one of the enumeration"),
        ({"firewall": {"sshPort": "22"}}, "is no integer"),
        ({"connection": {"bootstrap": {"password": 5}}}, "is no string"),
    ],
)
def test_a_program_that_is_not_is_told(properties: dict[str, Any], problem: str) -> None:
    with pytest.raises(WrongProgramError, match=problem):
        judge_program({"resources": {"web1": {"type": "stockade:HardenedHost", "properties": properties}}})


def programs() -> list[Path]:
    """Return all programs that use a generated SDK."""
    found = [
        file
        for folder in (EXAMPLES, REPOSITORY / "templates")
        for pattern in ("*/index.ts", "*/main.go", "*/__main__.py")
        for file in folder.glob(pattern)
    ]
    return [file for file in sorted(found) if re.search(r"pulumi[-_]stockade", file.read_text("utf-8"))]


def names_of(text: str, suffix: str) -> tuple[set[str], set[str]]:
    """Return the types and the properties that a program takes from the SDK, as the schema spells them."""
    types = {_MADE_OF.sub("", name.removeprefix("New")) for name in re.findall(r"\bstockade\.([A-Z]\w*)", text)}
    (start,) = [found.end() for found in re.finditer(r"stockade\.(?:New)?HardenedHost\(", text)]
    inside = text[start : _end(text, start)]
    words = {".ts": r"(\w+):\s", ".py": r"\"(\w+)\":|^    (\w+)=", ".go": r"^\t*([A-Z]\w*):\s"}[suffix]
    found = {"".join(match.groups("")) for match in re.finditer(words, inside, re.M)}
    camel = {
        re.sub("_(.)", lambda match: match[1].upper(), name) for name in found
    }  # as SDKs do: no digit begins a word
    return types, {name[:1].lower() + name[1:] for name in camel}


def _end(text: str, start: int) -> int:
    depth = 1
    for number, letter in enumerate(text[start:], start):
        depth += (letter in "({[") - (letter in ")}]")
        if depth == 0:
            return number
    raise AssertionError("brackets are not closed")


@pytest.mark.parametrize("file", programs(), ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_program_uses_names_that_the_sdk_has(file: Path) -> None:
    types, properties = names_of(file.read_text("utf-8"), file.suffix)
    known = {name for kind in KINDS.values() for side in SIDES for name in kind.get(side, {})}
    assert types
    assert types - NAMES == set()
    assert {"connection", "users"} < properties
    assert properties - known == set()


SAME = {"typescript": "index.ts", "python": "__main__.py", "go": "main.go", "yaml": "Pulumi.yaml"}


@pytest.mark.parametrize("language", SAME)
def test_the_programs_of_the_index_page_are_the_examples(language: str) -> None:
    page = (REPOSITORY / "docs" / "_index.md").read_text("utf-8")
    (part,) = re.findall(rf"choosable language {language} %}}}}(.*?){{{{% /choosable", page, re.S)
    (shown,) = re.findall(rf"`{SAME[language]}`:\n\n```\w+\n(.*?\n)```", part, re.S)
    program = (EXAMPLES / language / SAME[language]).read_text("utf-8")
    if language == "yaml":  # `pulumi package add` writes the package
        program = re.sub(r"^(?:description|packages|  stockade):.*\n", "", program, flags=re.M)
    assert shown == program


def test_a_project_folder_as_the_registry_wants_it() -> None:
    for name in ("_index", "installation-configuration"):
        text = (REPOSITORY / "docs" / f"{name}.md").read_text("utf-8")
        head = yaml.safe_load(text.split("---\n")[1])
        assert set(head) == {"title", "meta_desc", "layout"}
        assert head["layout"] == "package"
    logo = (REPOSITORY / "docs" / "logo.png").read_bytes()
    assert (logo[:8], logo[16:24]) == (b"\x89PNG\r\n\x1a\n", bytes([0, 0, 0, 100] * 2))

"""The package's schema and pinned dependencies in the repository are those generated from the code."""

import re
from typing import Any

import pytest
from pydantic import Field, SecretStr

from components.core.chapter import Model, worked_out
from plugin import pinned, schema
from plugin.described import described
from plugin.kinds import Types, read_only

PACKAGE = schema.package()
RESOURCES: dict[str, Any] = PACKAGE["resources"]


class _Inputs(Model):
    """Inputs of something.

    `host_name`: where it is; not empty. `colour`, `shape`: how it looks, as `red`.

    `word`: a secret.
    """

    host_name: str
    colour: str | None = None
    shape: str = Field("round", description="Its outline.")
    word: SecretStr | None = None
    several: tuple[int | str, ...] = ()
    seen: bool = worked_out(True)


def test_the_schema_in_the_repository_is_that_of_the_code() -> None:
    assert schema.FILE.read_text("utf-8") == schema.written(), "run `make schema`"


def test_the_pinned_dependencies_are_those_of_the_lock_file() -> None:
    text = pinned.pinned(pinned.LOCK.read_text("utf-8"))
    assert pinned.FILE.read_text("utf-8") == text, "run `python -m plugin.pinned`"
    names = {line.partition("==")[0] for line in text.splitlines() if line[:1].isalnum()}
    assert names > pinned.ROOTS
    assert "cffi" in names  # needed by cryptography, which asyncssh needs
    assert not names & {"pytest", "pulumi-command", "pulumi-policy", "mypy"}


def test_what_an_entry_of_the_lock_file_needs_is_followed_over_several_steps() -> None:
    lock = (
        "deep==1 \\\n    --hash=x\n    # via\n    #   middle\n    #   other\n"
        "middle==2 \\\n    --hash=y\n    # via pyyaml\n"
        "other==3 \\\n    --hash=z\n    # via pytest\n"
        "pyyaml==4 \\\n    --hash=q\n    # via stockade (pyproject.toml)\n"
    )
    names = [line.partition("==")[0] for line in pinned.pinned(lock).splitlines() if line[:1].isalnum()]
    assert names == ["deep", "middle", "pyyaml"]


def test_what_a_docstring_says_of_a_field_is_its_description() -> None:
    assert described(_Inputs) == {
        "host_name": "Where it is; not empty.",
        "colour": "How it looks, as `red`.",
        "shape": "Its outline.",
        "word": "A secret.",
    }


def test_what_a_model_has_is_in_the_types() -> None:
    found = Types().properties(_Inputs)
    assert found["word"] == {"description": "A secret.", "type": "string", "secret": True}
    assert found["colour"] == {"description": "How it looks, as `red`.", "type": "string"}
    assert found["shape"]["default"] == "round"
    assert found["several"] == {"type": "array", "items": {"oneOf": [{"type": "integer"}, {"type": "string"}]}}
    assert read_only(_Inputs) == {"seen"}


@pytest.mark.parametrize("token", RESOURCES)
def test_every_property_is_described_and_every_alias_is_the_dynamic_type(token: str) -> None:
    resource = RESOURCES[token]
    silent = [name for name, one in resource["properties"].items() if not one.get("description")]
    assert silent == []
    assert resource["description"]
    if not resource.get("isComponent"):
        assert resource["aliases"] == [{"type": token.replace("stockade:index:", "pulumi-python:dynamic/stockade:")}]
        assert set(resource["inputProperties"]) <= set(resource["properties"])
    assert set(resource["required"]) <= set(resource["properties"])


def test_every_type_is_described_and_nothing_refers_to_a_type_that_is_not_there() -> None:
    silent = [
        f"{token}.{name}"
        for token, kind in PACKAGE["types"].items()
        for name, one in kind.get("properties", {}).items()
        if not one.get("description")
    ]
    assert silent == []
    assert set(_references(PACKAGE)) <= {f"#/types/{token}" for token in PACKAGE["types"]} | {"pulumi.json#/Any"}


def _references(value: Any) -> Any:
    if isinstance(value, dict):
        yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
        value = list(value.values())
    for item in value if isinstance(value, list) else ():
        yield from _references(item)


@pytest.mark.parametrize(
    ("token", "name"),
    [
        ("Ruleset", "exposure"),
        ("Ruleset", "observed"),
        ("LimitedUser", "sshMode"),
        ("Packages", "dropped"),
        ("KeyPair", "publicKey"),
    ],
)
def test_what_is_worked_out_is_an_output_alone(token: str, name: str) -> None:
    resource = RESOURCES[f"stockade:index:{token}"]
    assert name in resource["properties"]
    assert name not in resource["inputProperties"]


def test_the_component_has_the_chapters_as_users_spell_them() -> None:
    host = RESOURCES["stockade:index:HardenedHost"]
    assert {"users", "firewall", "sysctl", "sshd", "fail2ban", "updates", "timeSync", "listeners", "packages"} < set(
        host["inputProperties"]
    )
    assert "upgrade" in host["inputProperties"]


def test_secrets_enumerations_and_replacements_are_told() -> None:
    user, login = RESOURCES["stockade:index:LimitedUser"], PACKAGE["types"]["stockade:index:Login"]["properties"]
    assert user["inputProperties"]["password"]["secret"] is True
    assert {name for name, one in login.items() if one.get("secret")} == {
        *("password", "privateKey", "privateKeyPassword", "sudoPassword")
    }
    assert user["inputProperties"]["host"]["replaceOnChanges"] is True
    family = RESOURCES["stockade:index:Ruleset"]["inputProperties"]["family"]["$ref"]
    assert [one["value"] for one in PACKAGE["types"][family.removeprefix("#/types/")]["enum"]] == ["ipv4", "ipv6"]


@pytest.mark.parametrize("token", [token for token, kind in PACKAGE["types"].items() if "enum" in kind])
def test_every_value_of_an_enumeration_has_a_name_in_every_language(token: str) -> None:
    """An empty name, or one with a hyphen, is code that does not compile."""
    values = PACKAGE["types"][token]["enum"]
    assert all(re.fullmatch(r"[A-Za-z]\w*", one.get("name", one["value"])) for one in values)
    assert "_" not in "".join(one.get("name", "") for one in values)


def test_every_default_is_a_value_of_its_enumeration() -> None:
    """Two enumerations of one name were one, without the default of the other."""
    kinds = {**PACKAGE["types"], **RESOURCES}
    wrong = [
        (token, name, one["default"])
        for token, kind in kinds.items()
        for name, one in (kind.get("inputProperties") or kind.get("properties", {})).items()
        if "default" in one and "$ref" in one
        if one["default"] not in [word["value"] for word in kinds[one["$ref"].removeprefix("#/types/")]["enum"]]
    ]
    assert wrong == []


def test_two_enumerations_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plugin.kinds._NAMED", {})
    with pytest.raises(ValueError, match="two enumerations of this name"):
        schema.package()


def test_no_property_has_the_name_of_its_type() -> None:
    """C# refuses that."""
    kinds = {**PACKAGE["types"], **RESOURCES}
    same = [
        (token, name)
        for token, kind in kinds.items()
        for name in {**kind.get("properties", {}), **kind.get("inputProperties", {})}
        if name.lower() == token.rpartition(":")[2].lower()
    ]
    assert same == []

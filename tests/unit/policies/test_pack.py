"""The pack as a whole: its documentation, the environments' configurations, its modules."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path

import pytest

from policies.names import NAMES, misspelled, named_in, named_without_level
from policies.pack import POLICIES, VERSION
from policies.settings import WAIVED_HOSTS, PolicySettings, Setting, SettingsError, number, texts
from provider.server import Server

ROOT = Path(__file__).parents[3]
CONFIGS = sorted((ROOT / "stacks").glob("policy.*.json"))
KNOWN = (texts("names", "Names.", ("a",)), number("mostRules", "Rules.", 7), WAIVED_HOSTS)


def test_every_configuration_is_of_a_stack() -> None:
    names = {file.name.split(".")[1] for file in CONFIGS}
    assert {"lab", "staging", "production"} <= names
    assert all((ROOT / "stacks" / f"Pulumi.{name}.yaml").is_file() for name in names)


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.name)
def test_configurations_fit_the_policies(file: Path) -> None:
    schemas = {policy.name: policy.config_schema.properties for policy in POLICIES if policy.config_schema}
    for name, config in json.loads(file.read_text()).items():
        settings = [Setting(key, "", schema, schema["default"]) for key, schema in schemas[name].items()]
        if isinstance(config, dict):
            given = {key: value for key, value in config.items() if key != "enforcementLevel"}
            PolicySettings(settings, given)


def test_names_are_unique_and_lower_case() -> None:
    names = [policy.name for policy in POLICIES]
    assert len(set(names)) == len(names)
    assert all(name.replace("-", "").isalnum() and name == name.lower() for name in names)


def test_the_names_of_policies_can_be_had_without_the_pack(tmp_path: Path) -> None:
    assert tuple(policy.name for policy in POLICIES) == NAMES
    assert [*misspelled(["all", "way-in"])] == []
    assert [*misspelled(["way-inn", "xyzzy"])] == [
        "no policy is named way-inn; is way-in meant?",
        "no policy is named xyzzy",
    ]
    file = tmp_path / "policy.json"
    file.write_text('{"all": "disabled", "way-in": {}, "no-passwords": {"enforcementLevel": "advisory"}}')
    assert named_in(file) == ["way-in", "no-passwords"]
    assert named_without_level(file) == ["way-in"]
    assert named_in(tmp_path / "none.json") == []


def test_no_module_hides_another() -> None:
    """The pack's process has this folder first on its path."""
    modules = {file.stem for file in (ROOT / "policies").glob("*.py")} - {"__init__", "__main__"}
    assert not modules & (
        sys.stdlib_module_names | {"grpc", "google", "pulumi", "pulumi_policy", "rules", "components"}
    )


def test_settings_have_defaults_and_two_spellings() -> None:
    settings = PolicySettings(KNOWN, {"most_rules": 9.0, "waivedHosts": {"db1": "why"}})
    assert settings.texts("names") == ("a",)
    assert settings.number("mostRules") == 9
    assert settings.table("waivedHosts") == {"db1": "why"}
    assert repr(settings) != repr(PolicySettings(KNOWN, None))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"name": []}, "no setting is named name; there are names, mostRules, waivedHosts"),
        ({"names": "a"}, "names must be of type array"),
        ({"names": [1]}, "names[0] must be of type string"),
        ({"mostRules": "7"}, "mostRules must be of type integer"),
        ({"mostRules": 7.5}, "mostRules must be of type integer"),
        ({"waivedHosts": {"db1": ""}}, "waivedHosts.db1 must not be empty"),
    ],
)
def test_wrong_settings_are_named(config: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError) as error:
        PolicySettings(KNOWN, config)
    assert str(error.value) == message


def test_there_is_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    provider = Server.GetPluginInfo(object(), None, None).version  # type: ignore[arg-type]
    assert (VERSION, provider) == (project, project)
    shown = "".join(file.read_text() for file in (ROOT / "docs").glob("*.md"))
    assert set(re.findall(r"stockade@v([\d.]+\d)", shown)) == {project}

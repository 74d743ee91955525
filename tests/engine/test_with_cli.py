"""The embedded engine and the Pulumi CLI with the same program, taking over each other's state."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from .conftest import Sample, make_sample

pytestmark = pytest.mark.skipif(shutil.which("pulumi") is None, reason="pulumi is not on PATH")

ITEMS: dict[str, Any] = {
    "group": {"type": "group"},
    "inner": {"type": "group", "options": {"parent": "group"}},
    "rules": {"props": {"text": "a\nb\n<c> & d"}, "options": {"parent": "inner"}, "secret": True},
    "after": {"from": "rules", "options": {"depends_on": ["group"], "deleted_with": "rules"}},
    "numbers": {"props": {"list": [1, 2.5, {"deep": [True, ""]}], "empty": {}, "none": None, "long": 1e15}},
    "options": {
        "options": {
            "retain_on_delete": True,
            "ignore_changes": ["list[0].deep", "text"],
            "additional_secret_outputs": ["greeting"],
            "replace_on_changes": ["text"],
            "delete_before_replace": True,
        }
    },
    "guarded": {"options": {"protect": True}},
    "own": {"type": "provider"},
    "by-own": {"options": {"provider": "own"}},
}
VOLATILE = {"created", "modified", "sourcePosition", "stackTrace", "time"}


def _declare(sample: Sample, items: dict[str, Any]) -> None:
    sample.configure_password()
    sample.spec(items, export=["after"], export_config=["password"])


def _comparable(exported: str) -> Any:
    """A deployment without what differs between runs: times, source positions, random provider IDs."""
    deployment = json.loads(exported)["deployment"]
    resources = deployment["resources"]
    for number, item in enumerate(resources):
        if item["type"].startswith("pulumi:providers:"):
            resources = json.loads(json.dumps(resources).replace(item["id"], f"provider-{number}"))
    resources = [{key: value for key, value in item.items() if key not in VOLATILE} for item in resources]
    text = json.dumps(sorted(resources, key=lambda item: item["urn"]))
    return json.loads(re.sub(r"provider-\d+", "provider", text))


@pytest.fixture(scope="module")
def by_cli(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """A stack created by the CLI."""
    sample = make_sample(tmp_path_factory.mktemp("cli") / "items")
    _declare(sample, ITEMS)
    sample.cli("up", "--yes", "--skip-preview")
    return sample


@pytest.fixture(scope="module")
def by_engine(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """The same stack, created by the embedded engine."""
    sample = make_sample(tmp_path_factory.mktemp("engine") / "items")
    _declare(sample, ITEMS)
    sample.engine("up", "--yes")
    return sample


def _state(sample: Sample) -> Any:
    return _comparable(sample.state("export", "--show-secrets"))


def test_the_same_program_gives_the_same_state(by_cli: Sample, by_engine: Sample) -> None:
    assert _state(by_engine) == _state(by_cli)
    assert "hunter2" in json.dumps(_state(by_cli))


def test_each_finds_nothing_to_do_in_the_others_state(by_cli: Sample, by_engine: Sample) -> None:
    by_cli.engine("preview", "--expect-no-changes")
    by_engine.cli("preview", "--refresh", "--expect-no-changes")


def test_exports_import_into_the_other(by_cli: Sample, by_engine: Sample, tmp_path: Path) -> None:
    taken = make_sample(tmp_path / "items")
    _declare(taken, ITEMS)
    file = tmp_path / "exported.json"
    file.write_text(by_cli.cli("stack", "export"))
    taken.state("import", "--file", str(file))
    assert _state(taken) == _state(by_cli)
    taken.engine("preview", "--expect-no-changes")

    file.write_text(by_engine.state("export"))
    taken.cli("stack", "import", "--file", str(file))
    assert _state(taken) == _state(by_engine)


@pytest.mark.skipif(shutil.which("pulumi-resource-command") is None, reason="its plugin is not on PATH")
def test_a_plugin_on_path(tmp_path: Path) -> None:
    states = []
    for kind in ("engine", "cli"):
        sample = make_sample(tmp_path / kind / "items")
        sample.spec({"hello": {"type": "command", "props": {"create": "echo hello"}}})
        (sample.engine if kind == "engine" else sample.cli)("up", "--yes", "--skip-preview")
        state = json.dumps(_state(sample))
        states.append(re.sub(r"hello[0-9a-f]{8}", "hello", state))  # its ID ends randomly
    assert states[0] == states[1]
    sample.engine("preview", "--expect-no-changes")
    assert '"stdout": "hello"' in states[0]

"""`config` and `state` with each engine: the same files, the same exit statuses."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.engine.state.secrets import Crypter

from .conftest import ROOT, SETTINGS, STACK, TIME_LIMIT, Sample

Run = Callable[..., tuple[int, str]]

ENGINES = [
    "embedded",
    pytest.param("pulumi", marks=pytest.mark.skipif(shutil.which("pulumi") is None, reason="pulumi is not on PATH")),
]
FILE = """\
# what is where
config:
  items:list:  # in order
    - one
    # and
    - two
  items:map: {a: b}

# the end
"""


@pytest.fixture(params=ENGINES)
def run(request: pytest.FixtureRequest, sample: Sample) -> Run:
    """`stockade` with each engine: exit status and output."""

    def run(*words: str, stdin: str = "") -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "local", *words, "--stack", STACK, "--cwd", str(sample.folder)],
            cwd=ROOT, env={**sample.environment, "STOCKADE_ENGINE": request.param}, input=stdin,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TIME_LIMIT, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    return run


def _config(sample: Sample) -> dict[str, Any]:
    file = sample.folder / f"Pulumi.{STACK}.yaml"
    config: dict[str, Any] = yaml.safe_load(file.read_text())["config"]
    return config


def test_config(sample: Sample, run: Run) -> None:
    file = sample.folder / f"Pulumi.{STACK}.yaml"
    salt = f"encryptionsalt: {SETTINGS['salt']}\n"
    file.write_text(salt + FILE)
    for words, stdin in (
        (["plain", "22"], ""),
        (["--path", "items:map.ports[0]", "22"], ""),
        (["--path", "items:map.on", "true"], ""),
        (["--path", "list[2].name", "022"], ""),
        (["--path", "--secret", "items:map.password"], "hunter2\n"),
        (["--secret", "items:key"], "line 1\nline 2\n"),
    ):
        assert run("config", "set", *words, stdin=stdin)[0] == 0
    config = _config(sample)
    crypter = Crypter(SETTINGS["salt"], "test")
    assert crypter.decrypt(config["items:map"].pop("password")["secure"]) == "hunter2"
    assert crypter.decrypt(config.pop("items:key")["secure"]) == "line 1\nline 2"
    assert config == {
        "items:plain": "22",
        "items:list": ["one", "two", {"name": "022"}],
        "items:map": {"a": "b", "ports": [22], "on": True},
    }
    text = file.read_text()
    assert "hunter2" not in text
    assert [line.strip() for line in text.splitlines() if "#" in line.strip()[:1]] == [
        "# what is where", "# and", "# the end"
    ]  # fmt: skip
    assert "items:list:  # in order" in text or "items:list: # in order" in text

    assert run("config", "get", "--path", "items:map.password")[1].splitlines()[-1] == "hunter2"
    assert run("config", "get", "key")[1].endswith("line 1\nline 2\n")
    assert run("config", "get", "nothing")[0] == 1
    assert run("config", "rm", "--path", "map.ports[0]")[0] == 0
    assert run("config", "rm", "plain")[0] == 0
    assert run("config", "rm", "nothing")[0] == 0
    assert "items:plain" not in _config(sample)
    assert _config(sample)["items:map"]["ports"] == []
    before = file.read_text()
    status, said = run("config", "set", "password", "kjsdhf87y3!!xzmnc8")
    assert (status, "looks like a secret" in said) == (1, True)
    assert run("config", "set", "--path", "map[1]", "x")[0] == 1
    assert run("config", "set", "--path", "list[9]", "x")[0] == 1
    assert file.read_text() == before


def test_a_preview_writes_nothing_and_what_is_appended_stays_yaml(sample: Sample, run: Run) -> None:
    file = sample.folder / f"Pulumi.{STACK}.yaml"
    shutil.rmtree(sample.folder / ".state")
    (sample.folder / "Pulumi.yaml").write_text(
        (sample.folder / "Pulumi.yaml").read_text().replace("/.state", "/.state?create_dir=true")
    )
    file.write_text("config:\n  items:greeting: hi")
    sample.spec({"one": {}})
    for _ in range(2):
        status, said = run("preview", "--diff")
        assert status == 0, said
        assert 'greeting: "hi"' in said or "one" in said
    assert file.read_text() == "config:\n  items:greeting: hi"
    status, said = run("up", "--yes")
    assert status == 0, said
    assert sample.resources()["one"]["outputs"]["greeting"] == "hi"
    with file.open("a") as more:
        more.write("\n  items:other: more\n")
    settings = yaml.safe_load(file.read_text())
    assert settings["config"] == {"items:greeting": "hi", "items:other": "more"}
    assert settings["encryptionsalt"].startswith("v1:")
    salted = file.read_text()
    assert run("preview", "--expect-no-changes")[0] == 0
    assert file.read_text() == salted


def test_state_delete(sample: Sample, run: Run) -> None:
    sample.spec({
        "group": {"type": "group"}, "one": {"options": {"parent": "group"}}, "two": {"from": "one"}, "alone": {},
        "guarded": {"options": {"protect": True}},
    })  # fmt: skip
    sample.engine("up", "--yes")
    sample.log()
    urn = {name: item["urn"] for name, item in sample.resources().items()}
    status, said = run("state", "delete", urn["group"], "--yes")
    assert status == 1
    assert "can't be safely deleted because the following resources depend on it" in said
    assert "--target-dependents" in said
    assert run("state", "delete", urn["guarded"], "--yes")[0] == 1
    assert run("state", "delete", "no-urn", "--yes")[0] == 1
    assert run("state", "delete", urn["alone"] + "-not", "--yes")[0] == 1
    assert set(sample.resources()) == {"group", "one", "two", "alone", "guarded"}

    assert run("state", "delete", urn["group"], "--target-dependents", "--yes")[0] == 0
    assert run("state", "delete", urn["guarded"], "--force", "--yes")[0] == 0
    assert set(sample.resources()) == {"alone"}
    assert sample.log() == []
    sample.spec({"alone": {}})
    sample.engine("preview", "--expect-no-changes")


def test_tainted_resources_are_replaced(sample: Sample, run: Run) -> None:
    sample.spec({"one": {}, "two": {}})
    sample.engine("up", "--yes")
    urn = {name: item["urn"] for name, item in sample.resources().items()}
    for command in (["state", "taint", urn["one"]], ["state", "taint", urn["two"]], ["state", "untaint", urn["two"]]):
        status, said = run(*command, "--yes")
        assert status == 0, said
    sample.log()
    status, said = run("up", "--yes", "--skip-preview")
    assert status == 0, said
    assert "created one" in sample.log()
    assert run("preview", "--expect-no-changes")[0] == 0

    status, said = run("up", "--yes", "--skip-preview", "--replace", urn["two"])
    assert status == 0, said
    assert "created two" in sample.log()
    status, said = run("preview", "--replace", urn["two"])
    assert "replace" in said


def test_refresh_first(sample: Sample, run: Run) -> None:
    sample.spec({"one": {"props": {"text": "a"}}})
    sample.engine("up", "--yes")
    file = sample.world / "one-0.json"
    file.write_text(json.dumps({"text": "b"}))
    sample.log()
    before = sample.deployment()["resources"]
    assert run("preview", "--expect-no-changes")[0] == 0
    assert run("preview", "--refresh", "--expect-no-changes")[0] == 7
    assert sample.deployment()["resources"] == before
    status, said = run("up", "--yes", "--skip-preview", "--refresh")
    assert status == 0, said
    assert json.loads(file.read_text())["text"] == "a"


def _stockade(sample: Sample, engine: str, *words: str) -> tuple[int, Any]:
    """Run `stockade`, which prints JSON: its exit status, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", *words, "--json", "--stack", STACK, "--cwd", str(sample.folder)],
        cwd=ROOT, env={**sample.environment, "STOCKADE_ENGINE": engine}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=TIME_LIMIT, check=False,
    )  # fmt: skip
    assert "Engine: " in done.stderr, "what the engine prints"
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_came_of_it_as_json(sample: Sample, engine: str) -> None:
    sample.spec({"one": {"props": {"text": "a"}}, "bad": {"props": {"fail": "create"}}})
    config = (sample.folder / f"Pulumi.{STACK}.yaml").read_text()
    status, shown = _stockade(sample, engine, "preview", "--expect-no-changes")
    assert (status, shown["failed"], shown["stacks"][0]["changes"]) == (7, False, {"create": 3}), shown
    assert (sample.folder / f"Pulumi.{STACK}.yaml").read_text() == config
    status, done = _stockade(sample, engine, "up", "--yes")
    assert (status, done["failed"], [one["resource"] for one in done["stacks"][0]["failures"]]) == (1, True, ["bad"]), (
        done
    )

    sample.spec({"one": {"props": {"text": "a"}}})
    assert _stockade(sample, engine, "up", "--yes")[0] == 0
    (sample.world / "one-0.json").write_text(json.dumps({"text": "b"}))
    status, drifted = _stockade(sample, engine, "drift")
    assert (status, drifted["failed"], drifted["stacks"][0]["changes"]) == (7, False, {"update": 1}), drifted
    assert json.loads((sample.world / "one-0.json").read_text()) == {"text": "b"}, "nothing is changed"


def test_what_is_not_there_is_said(sample: Sample, run: Run, tmp_path: Path) -> None:
    sample.state_file.unlink()
    assert run("drift")[0] == 6
    assert run("config", "get", "greeting")[0] == 6
    assert run("destroy", "--yes")[0] == 6
    assert run("up")[0] == 2  # there is nobody to ask

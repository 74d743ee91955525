"""`python -m local` and `python -m local.engine`: arguments and the choice of the engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.commands import HERE, choose_engine, policy_arguments, set_lab_passphrase, value_of
from local.engine.cli import main, parser


@pytest.mark.parametrize(
    ("wanted", "cli", "chosen"),
    [(None, "/bin/pulumi", "pulumi"), (None, None, "embedded"), ("embedded", "/bin/pulumi", "embedded"),
     ("", None, "embedded"), ("pulumi", "/bin/pulumi", "pulumi")],
)  # fmt: skip
def test_the_cli_is_used_where_it_is(wanted: str | None, cli: str | None, chosen: str) -> None:
    assert choose_engine(wanted, cli) == chosen


@pytest.mark.parametrize(("wanted", "cli"), [("pulumi", None), ("other", "/bin/pulumi")])
def test_a_choice_that_cannot_be(wanted: str, cli: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        choose_engine(wanted, cli)
    assert "STOCKADE_ENGINE" in capsys.readouterr().err


def test_only_the_lab_has_a_passphrase_of_its_own() -> None:
    environment: dict[str, str] = {}
    set_lab_passphrase("production", environment)
    assert environment == {}
    set_lab_passphrase("lab", environment)
    assert environment == {"PULUMI_CONFIG_PASSPHRASE": "lab"}
    environment = {"PULUMI_CONFIG_PASSPHRASE_FILE": "x"}
    set_lab_passphrase("lab", environment)
    assert environment == {"PULUMI_CONFIG_PASSPHRASE_FILE": "x"}


def test_options_are_found_in_both_forms() -> None:
    assert value_of(["--stack", "a"], "--stack", "-s") == "a"
    assert value_of(["-s", "a"], "--stack", "-s") == "a"
    assert value_of(["--stack=a"], "--stack", "-s") == "a"
    assert value_of(["--stack"], "--stack") is None


def test_an_unsupported_option_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    for words, named in (
        (["up", "--stack", "s", "--target", "urn"], "--target urn"),
        (["up", "--stack", "s", "--continue-on-error=false"], "--continue-on-error"),
        (["watch", "--stack", "s"], "'watch'"),
        (["state", "repair", "--stack", "s"], "'repair'"),
    ):
        with pytest.raises(SystemExit) as ended:
            parser().parse_args(words)
        assert ended.value.code == 1
        said = capsys.readouterr().err
        assert named in said
        assert said.count("\n") == 1


def test_no_project_is_one_sentence(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    assert main(["preview", "--stack", "s", "--cwd", str(tmp_path)]) == 1
    assert "no Pulumi.yaml project file found" in capsys.readouterr().err


def test_the_projects_policy_pack_is_enforced(tmp_path: Path) -> None:
    assert policy_arguments("up", [], "lab", tmp_path, None) == [f"--policy-pack={HERE}/policies"]  # it has no pack
    (tmp_path / "policy.dev.json").touch()
    given = f"--policy-pack-config={tmp_path}/policy.dev.json"
    assert policy_arguments("up", [], "dev", tmp_path, None) == [f"--policy-pack={HERE}/policies", given]
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "PulumiPolicy.yaml").touch()
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "policy.lab.json").touch()
    pack = f"--policy-pack={tmp_path}/policies"
    config = f"--policy-pack-config={tmp_path}/stacks/policy.lab.json"
    assert policy_arguments("up", ["--yes"], "lab", tmp_path, None) == [pack, config]
    assert policy_arguments("preview", [], "staging", tmp_path, "on") == [pack]
    (tmp_path / "stacks" / "Pulumi.lab.yaml").touch()
    (tmp_path / "stacks" / "Pulumi.lab-07.yaml").symlink_to("Pulumi.lab.yaml")  # one of its shards
    assert policy_arguments("up", [], "lab-07", tmp_path, None) == [pack, config]
    assert policy_arguments("refresh", [], "lab", tmp_path, None) == []
    assert policy_arguments("up", ["--policy-pack", "own"], "lab", tmp_path, None) == []
    assert policy_arguments("up", [], "lab", tmp_path, "off") == []
    with pytest.raises(SystemExit):
        policy_arguments("up", [], "lab", tmp_path, "no")


@pytest.mark.parametrize(
    "url", ["s3://bucket/path?region=eu", "postgres://user:pw@127.0.0.1/state", "file:///srv/state"]
)
def test_the_cli_gets_the_backend_as_it_is(tmp_path: Path, url: str) -> None:
    cli = tmp_path / "pulumi"
    cli.write_text('#!/bin/sh\nprintf "%s %s\\n" "$PULUMI_BACKEND_URL" "$*" >>"$(dirname "$0")/asked"\n')
    cli.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PULUMI_BACKEND_URL": url, "STOCKADE_POLICIES": "off"}
    command = [sys.executable, "-m", "local", "up", "--stack", "production-01", "--yes", "--cwd", str(tmp_path)]
    subprocess.run(command, env=environment, capture_output=True, check=True, timeout=30)
    assert (tmp_path / "asked").read_text().splitlines() == [
        f"{url} stack select --create production-01 --cwd {tmp_path}",
        f"{url} up --stack production-01 --yes --cwd {tmp_path} --continue-on-error",
    ]

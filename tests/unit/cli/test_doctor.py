"""`stockade doctor` without a host: this machine, the project, the config, policies and state; what a host answers."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from cli.app import app
from cli.doctor.findings import About, Level, Subject
from cli.doctor.hosts import _clock, _record, _space, _system, remedy
from cli.doctor.project import project as examined
from cli.doctor.project import stack
from cli.project import PROGRAM, write
from hosts.errors import HostError, Unreachable
from hosts.guard.record import Ledger, Machine, Owner
from hosts.shell import Answer
from hosts.ssh.connection import HostAccess
from local.engine.state.secrets import Crypter

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGv9Q3JxZbA7WQm1pYpZ0E2QpV0mJYk5vTn5bX8Fd3Rk"
HOST = {"address": "198.51.100.11", "hostKey": KEY, "bootstrap": {"user": "root"}}
PASSPHRASE = "test"
Doctor = Callable[..., tuple[int, list[dict[str, Any]]]]
SUBJECT = Subject(About.HOST, "web1")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one's own, and no engine but the embedded one."""
    folder = tmp_path / "project"
    folder.mkdir()
    write(folder)
    monkeypatch.chdir(folder)  # the command goes there; this goes back
    for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_BACKEND_URL", "SSH_AUTH_SOCK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STOCKADE_ENGINE", "embedded")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return folder


@cache  # a key takes a third of a second to derive
def _crypter() -> Crypter:
    return Crypter.new(PASSPHRASE)


def _configure(project: Path, stack: str = "mine", **settings: Any) -> Crypter:
    crypter = _crypter()
    config = {f"stockade:{key}": value for key, value in settings.items()}
    text = yaml.safe_dump({"encryptionsalt": crypter.salt, "config": config})
    (project / f"stacks/Pulumi.{stack}.yaml").write_text(text)
    return crypter


def _doctor(*words: str) -> tuple[int, list[dict[str, Any]]]:
    done = CliRunner().invoke(app, ["doctor", "--json", *words])
    assert done.exit_code in (0, 1), done.output
    found = json.loads(done.stdout)
    assert (found["errors"] > 0) == (done.exit_code == 1)
    return done.exit_code, found["findings"]


def _of(found: list[dict[str, Any]], level: str) -> list[str]:
    return [f"{one['subject']}: {one['message']} -> {one['remedy']}" for one in found if one["level"] == level]


def test_a_valid_project(project: Path) -> None:
    _configure(project, hosts={"web1": HOST}, sysctl={})
    status, found = _doctor()
    assert (status, _of(found, "error"), _of(found, "warning")) == (0, [], [])
    assert {one["remedy"] for one in found} == {None}
    said = {one["subject"]: one["message"] for one in found}
    assert {"stockade", "python", "dependencies", "engine", "ssh agent", "Pulumi.yaml", "mine"} == {*said}
    assert "embedded" in said["engine"]
    assert "the config is valid: 1 host" in [one["message"] for one in found]


def test_every_error_of_every_config_at_once(project: Path) -> None:
    _configure(project, "one", hosts={"web1": {**HOST, "port": 70000}}, firewal={})
    _configure(project, "two", hosts={"web1": {"hostKey": KEY}})
    (project / "stacks/Pulumi.three.yaml").write_text("config: [")
    status, found = _doctor()
    errors = _of(found, "error")
    assert status == 1
    assert [sum(error.startswith(f"{name}: ") for error in errors) for name in ("one", "two", "three")] == [2, 1, 1]
    for said in ("stockade:firewal: no setting has this name", "hosts.web1.port", "the host has no address"):
        assert any(said in error for error in errors), errors


@pytest.mark.parametrize("setting", ["hosts", "defaults", "inventory", "shard", "users", "firewall", "nonsense"])
@pytest.mark.parametrize("value", ["x", "{", 5, [], [1], True, {"a": {"b": []}}, {"secure": "v1:x:y"}, {"of": 10**9}])
def test_any_value_of_any_setting_is_at_most_an_error(project: Path, setting: str, value: Any) -> None:
    _configure(project, **{"hosts": {"web1": HOST}, setting: value})
    found, _ = examined(project)
    assert found is not None
    assert [one.message for one in stack(found, "mine")[1]]


@pytest.mark.parametrize(
    "text", ["- a", "config: 5", "config: {5: 6}", "\x00", "a: &a [*a]", "config: {a: !!python/x 1}"]
)
def test_any_file_is_at_most_an_error(project: Path, text: str) -> None:
    (project / "stacks/Pulumi.mine.yaml").write_text(text)
    assert _doctor()[0] == 1


@pytest.mark.parametrize("text", ["5", "name: 5", "plugins: {providers: [5]}", "plugins: {providers: 5}", "backend: 5"])
def test_any_project_is_at_most_an_error(project: Path, text: str) -> None:
    (project / "Pulumi.yaml").write_text(text if text[-1] != "}" else f"name: a\nruntime: python\n{text}")
    assert _doctor()[0] == 1


@pytest.mark.parametrize(
    ("kept", "said", "remedy"),
    [
        ("virtualenv: .stockade/.venv", "has no bin/python", "make .venv/ready"),
        ("path: .stockade/provider", "there is no provider in", "Correct its `path`."),
    ],
)
def test_a_part_of_stockade_that_is_missing(project: Path, kept: str, said: str, remedy: str) -> None:
    text = (project / "Pulumi.yaml").read_text()
    assert kept in text
    (project / "Pulumi.yaml").write_text(text.replace(kept, f"{kept.partition(':')[0]}: nowhere"))
    (error,) = _of(_doctor()[1], "error")
    assert said in error
    assert error.endswith(f" -> {remedy}")


def test_a_link_that_cannot_be_set(project: Path) -> None:
    _configure(project, hosts={"web1": HOST})
    (project / ".stockade").unlink(missing_ok=True)
    (project / ".stockade").mkdir()
    assert any(".stockade" in error for error in _of(_doctor()[1], "error"))


def test_secrets_of_another_provider_are_asked_of_the_cli(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = {"secure": _crypter().encrypt("hunter2")}
    _configure(project, hosts={"web1": {**HOST, "password": secret}})
    hosts = json.dumps({"web1": {**HOST, "password": "hunter2"}})
    monkeypatch.setattr("cli.doctor.project.config_of", lambda *_: {"hosts": hosts})
    assert any("cannot be decrypted" in error for error in _of(_doctor()[1], "error"))
    (project / "bin").mkdir()
    (project / "bin/pulumi").write_text("#!/bin/sh\nexit 1\n")
    (project / "bin/pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{project}/bin:/usr/bin:/bin")
    found = _doctor()[1]
    assert not any("cannot be decrypted" in error for error in _of(found, "error"))
    assert "the config is valid: 1 host" in [one["message"] for one in found]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--stack", "mine"], "does not exist"),
        (["--stack", "../mine"], "is no name"),
        (["--cwd", "/"], "no Pulumi.yaml"),
    ],
)
def test_what_is_not_there(project: Path, words: list[str], said: str) -> None:
    _configure(project, "other", hosts={"web1": HOST})
    status, found = _doctor(*words)
    (error,) = _of(found, "error")
    assert (status, said in error) == (1, True), error


def test_secrets_without_their_passphrase(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crypter = _crypter()
    secret = {"secure": crypter.encrypt("hunter2")}
    config = {"stockade:hosts": {"web1": {**HOST, "password": secret}}, "stockade:firewal": {}}
    file = project / "stacks/Pulumi.mine.yaml"
    file.write_text(yaml.safe_dump({"encryptionsalt": crypter.salt, "config": config}))
    status, found = _doctor("--stack", "mine")
    errors = _of(found, "error")
    assert (status, len(errors)) == (1, 2), errors
    assert "its secrets cannot be decrypted" in errors[0]
    assert "PULUMI_CONFIG_PASSPHRASE" in errors[0]
    assert "firewal: no setting has this name" in errors[1], "the rest is checked all the same"
    assert [one["message"] for one in found if one["about"] == "hosts"] == [
        "not checked: its login needs a secret that cannot be decrypted here"
    ]
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "wrong")
    assert "incorrect passphrase" in _of(_doctor()[1], "error")[0]
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE)
    status, found = _doctor()
    assert len(_of(found, "error")) == 1
    assert "hunter2" not in json.dumps(found)


def test_keys_and_secrets_in_the_wrong_form(project: Path) -> None:
    (project / "empty").write_text("")
    keys = {"bootstrap": {"user": "root", "privateKeyFile": "empty"}, "admin": {"user": "a", "privateKeyFile": "none"}}
    _configure(project, hosts={"web1": {**HOST, **keys, "sudoPassword": "hunter2"}})
    status, found = _doctor()
    (error,), warnings = _of(found, "error"), _of(found, "warning")
    assert status == 1
    assert "bootstrap.privateKeyFile" in error
    assert any("admin.privateKeyFile" in one for one in warnings), warnings
    (plain,) = (one for one in warnings if "in plain text" in one)
    assert "stockade config set --stack mine --secret --path 'stockade:hosts.web1.sudoPassword'" in plain
    assert "hunter2" not in json.dumps(found)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{", "Expecting property name"),
        ("[]", "must be a mapping"),
        ('{"no-root-logins": "mandatory"}', "is no-root-login meant?"),
        ('{"exposure-allowed": {"allowedExposures": []}}', "no setting is named allowedExposures"),
        ('{"exposure-allowed": {"allowedExposure": "tcp/80"}}', "allowedExposure must be of type array"),
    ],
)
def test_a_wrong_policy_config(project: Path, config: str, said: str) -> None:
    _configure(project, hosts={"web1": HOST})
    (project / "stacks/policy.mine.json").write_text(config)
    status, found = _doctor()
    (error,) = _of(found, "error")
    assert (status, said in error) == (1, True), error


def test_policies_that_are_not_enforced_are_named(project: Path) -> None:
    _configure(project, hosts={"web1": HOST})
    (project / "stacks/policy.mine.json").write_text('{"no-root-login": "advisory"}')
    assert any("not enforced: no-root-login (advisory)" in one["message"] for one in _doctor()[1])


def test_the_shards_of_an_environment(project: Path) -> None:
    hosts = {f"web{number}": {**HOST, "address": f"198.51.100.{number}", "hostKey": None} for number in range(1, 9)}
    _configure(project, "production", hosts=hosts, shard={"of": 3})
    status, found = _doctor()
    assert (status, _of(found, "error")) == (0, [])
    assert "the config is valid: 8 hosts in 3 shards" in [one["message"] for one in found]


def test_a_program_that_reads_another_config(project: Path) -> None:
    (project / "__main__.py").write_text("import pulumi\n")
    (project / "stacks/Pulumi.mine.yaml").write_text("config:\n  stockade:server: {address: 198.51.100.11}\n")
    status, found = _doctor("--stack", "mine")
    assert (status, _of(found, "error")) == (0, [])
    (project / "__main__.py").write_text(PROGRAM)
    assert any("stockade:server: no setting has this name" in one for one in _of(_doctor()[1], "error"))


def test_a_state_that_a_killed_run_left(project: Path) -> None:
    _configure(project, hosts={"web1": HOST})
    file = project / ".state/.pulumi/stacks/stockade/mine.json"
    file.parent.mkdir(parents=True)
    latest = {"resources": [{}], "pending_operations": [{"type": "creating"}]}
    file.write_text(json.dumps({"version": 3, "checkpoint": {"latest": latest}}))
    locks = project / ".state/.pulumi/locks/organization/stockade/mine"
    locks.mkdir(parents=True)
    holder = {"pid": os.getpid(), "username": "ann", "hostname": "elsewhere", "timestamp": "now"}
    (locks / "x.json").write_text(json.dumps(holder))
    warnings = _of(_doctor()[1], "warning")
    assert [("killed" in one, "locked by ann@elsewhere" in one) for one in warnings] == [(True, False), (False, True)]
    file.write_text("{")
    assert any("damaged" in one for one in _of(_doctor()[1], "error"))


@pytest.mark.parametrize(("wanted", "said"), [("pulumi", "not on PATH"), ("terraform", "'terraform'")])
def test_an_engine_that_cannot_be_used(project: Path, monkeypatch: pytest.MonkeyPatch, wanted: str, said: str) -> None:
    monkeypatch.setenv("STOCKADE_ENGINE", wanted)
    (error,) = _of(_doctor()[1], "error")
    assert said in error


@pytest.mark.parametrize(("script", "said"), [("exit 3", "does not run"), ("echo v3.999.0", "pulumi-language-python")])
def test_a_pulumi_that_cannot_run_a_program(
    project: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    (project / "bin").mkdir()
    (project / "bin/pulumi").write_text(f"#!/bin/sh\n{script}\n")
    (project / "bin/pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{project}/bin:/usr/bin:/bin")
    monkeypatch.setenv("STOCKADE_ENGINE", "")
    (error,) = _of(_doctor()[1], "error")
    assert said in error


def test_an_agent_that_does_not_answer(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(project / "no-socket"))
    (warning,) = _of(_doctor()[1], "warning")
    assert "ssh agent: " in warning


def test_the_report_for_people(project: Path) -> None:
    _configure(project, hosts={"web1": {**HOST, "sudoPassword": "hunter2"}}, firewal={})
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 1
    assert "This machine\n  ok       stockade" in done.output
    assert "  error    mine  stockade:firewal: no setting has this name\n" in done.output
    assert done.output.endswith("1 error, 1 warning\nNo host was asked: name a stack with --stack.\n")


def _answer(**sections: str) -> Answer:
    return Answer("", "", 0, sections)


def test_what_a_host_answers() -> None:
    now = time.time()
    for text, level in (
        ("debian\n12\ndebian\n", Level.OK),
        ("void\n\n\n", Level.ERROR),
        ("\x1b[2J\n1\n\n", Level.ERROR),
    ):
        (finding,) = _system(_answer(system=text), SUBJECT)
        assert finding.level is level
        assert "\x1b" not in finding.message
    assert [*_clock(_answer(clock=f"{now:.0f}"), SUBJECT, now, 1)] == []
    (behind,) = _clock(_answer(clock=f"{now - 3600:.0f}"), SUBJECT, now, 1)
    assert "3600 s behind" in behind.message
    (ahead,) = _clock(_answer(clock=f"{now + 3600:.0f}"), SUBJECT, now, 1)
    assert "ahead of" in ahead.message
    assert [*_space(_answer(space="/dev/x 100000 1000 99000 1% /\n"), SUBJECT)] == []
    (full,) = _space(_answer(space="/dev/x 100000 99999 1 100% /\n"), SUBJECT)
    assert full.level is Level.ERROR


def test_what_its_record_says() -> None:
    owner = Owner("claim", "stockade", "mine", "web1")
    (mine,) = _record(Ledger(Machine(), {"sshd": owner}, frozenset()), SUBJECT, ("stockade", "mine"))
    assert (mine.level, mine.message) == (Level.OK, "managed by this stack: 1 resource")
    (other,) = _record(Ledger(Machine(), {"sshd": owner}, frozenset()), SUBJECT, ("stockade", "other"))
    assert (other.level, "takeOver" in other.remedy) == (Level.WARNING, True)
    nobody, armed = _record(Ledger(Machine(), {}, frozenset(), frozenset({"ipv4.run"})), SUBJECT, ("stockade", "mine"))
    assert (nobody.level, armed.level) == (Level.OK, Level.WARNING)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Unreachable(cause="Connection refused"), "is the port right"),
        (Unreachable(cause="unknown host name: Name or service not known"), "address"),
        (Unreachable(cause="no answer within 10 s"), "Is the host up"),
        (HostError("anything"), ""),
    ],
)
def test_what_to_do_about_a_host_that_cannot_be_reached(error: HostError, said: str) -> None:
    access = HostAccess.model_validate({"name": "web1", "admin": {"host": "198.51.100.11", "user": "deploy"}})
    assert said in remedy(error, access)

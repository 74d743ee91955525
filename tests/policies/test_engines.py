"""The pack with the program, end to end: with the embedded engine, and with the Pulumi CLI if it is on PATH."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import analyzer_pb2 as pb

from tests.lab.stack import REPOSITORY, Stack

from .analyzer import Pack
from .cases import ED25519

ENGINES = [
    "embedded",
    pytest.param("pulumi", marks=pytest.mark.skipif(shutil.which("pulumi") is None, reason="pulumi is not on PATH")),
]
HARDENED: dict[str, Any] = {
    # no host exists: a preview contacts none, and policies refuse the rest before that
    "hosts": {"web1": {"address": "198.51.100.250", "hostKey": ED25519}},
    "users": [{"name": "deploy", "sudo": "nopasswd", "keys": [ED25519]}],
    "packages": {"absent": ["exim4-daemon-light", "rpcbind"]},
    "firewall": {},
    "sshd": {},
    "fail2ban": {},
    "updates": {},
    "listeners": {},
}


def _stack(folder: Path, engine: str, **changes: Any) -> Stack:
    stack = Stack(folder / "project", environment={"STOCKADE_ENGINE": engine})
    (stack.folder / "policies").symlink_to(REPOSITORY / "policies")
    stack.configure(**{**HARDENED, **changes})
    return stack


@pytest.mark.parametrize("engine", ENGINES)
def test_the_program_passes_and_a_violation_stops_it_before_anything_is_applied(tmp_path: Path, engine: str) -> None:
    stack = _stack(tmp_path, engine)
    shown = stack.preview()
    assert "stockade@v0.1.0" in shown
    assert "[mandatory]" not in shown
    assert "stockade@v0.0.1" not in shown
    assert "cannot tell yet: web1: what listens is seen only in `pulumi up`, which decides then" in shown

    opened = {"services": [{"name": "app", "ports": [8443]}]}
    stack.configure(**{**HARDENED, "firewall": opened, "updates": False})
    shown = stack.run("up", "--yes", check=False)
    assert shown.status != 0, shown.output
    assert (
        'web1: tcp/8443 from anywhere can be reached and must not be. Remove the rules, or add "tcp/8443 from '
        'anywhere" to allowedExposure.'
    ) in shown
    assert "web1: nothing installs security updates. Declare `stockade:updates: {}`;" in shown
    assert stack.state() == []


NOBODY = "no policy pack checks this run"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_that_no_pack_judges_is_warned_about_or_refused(tmp_path: Path, engine: str) -> None:
    stack = _stack(tmp_path, engine)
    (stack.folder / "policies").unlink()
    assert f"{NOBODY}: " in stack.preview()
    stack.configure(**HARDENED, policies="required")
    refused = stack.run("up", "--yes", check=False)
    assert refused.status != 0
    assert f"{NOBODY}, and the stack config requires one (`policies: required`)" in refused
    assert "Traceback" not in refused.output
    assert not [one for one in stack.state() if one["type"] != "pulumi:pulumi:Stack"]
    (stack.folder / "policies").symlink_to(REPOSITORY / "policies")
    assert NOBODY not in stack.preview()


@pytest.mark.skipif(shutil.which("pulumi") is None, reason="pulumi is not on PATH")
def test_plain_pulumi_is_told_apart_by_its_pack(tmp_path: Path) -> None:
    stack = _stack(tmp_path, "pulumi", policies="required")
    argv = ["pulumi", "preview", "--stack", stack.name, "--non-interactive"]
    assert stack.ended(["pulumi", "stack", "select", "--create", stack.name]).status == 0
    without = stack.ended(argv)
    assert (without.status != 0, f"{NOBODY}, and the stack config requires one" in without) == (True, True), (
        without.output
    )
    judged = stack.ended([*argv, "--policy-pack", "policies"])
    assert (judged.status, NOBODY in judged) == (0, False), judged.output


def test_the_environment_decides(tmp_path: Path) -> None:
    opened = {"services": [{"name": "app", "ports": [8443]}], "log": False}
    stack = _stack(tmp_path, "embedded", firewall=opened)
    config = {
        "exposure-allowed": {"allowedExposure": ["tcp/8443 from anywhere", "tcp/443 from anywhere"]},
        "denied-logged": "mandatory",
        "unwanted-absent": "disabled",
    }
    (stack.folder / "stacks" / "policy.test.json").write_text(json.dumps(config))
    shown = stack.preview(check=False)
    assert shown.status != 0
    assert "web1: tcp/80 from anywhere, icmp/echo-request from anywhere can be reached and must not be." in shown
    assert "[mandatory]  denied-logged" in shown
    stack.environment["STOCKADE_POLICIES"] = "off"
    assert "Policies:" not in stack.preview()


@pytest.mark.parametrize("engine", ENGINES)
def test_all_is_for_the_policies_that_are_not_named(tmp_path: Path, engine: str) -> None:
    stack = _stack(tmp_path, engine, firewall={"services": [{"name": "app", "ports": [8443]}]}, updates=False)
    file = stack.folder / "stacks" / "policy.test.json"
    allowed = {"sshPorts": [22], "waivedHosts": {"old1": "it is gone"}, "allowedOnHosts": {"db1": []}}
    file.write_text(json.dumps({"exposure-allowed": allowed, "all": "disabled", "waivers-needed": "advisory"}))
    shown = stack.preview(check=False)
    assert shown.status != 0, shown.output
    assert "web1: tcp/8443 from anywhere can be reached and must not be." in shown
    assert "nothing installs security updates" not in shown
    assert "waivedHosts of exposure-allowed names hosts that do not exist: old1." in shown
    assert "allowedOnHosts of exposure-allowed names hosts that do not exist: db1." in shown

    file.write_text(json.dumps({"exposure-allowed": {"enforcementLevel": "disabled", "sshPorts": [22]}}))
    assert "tcp/8443 from anywhere can be reached" not in stack.preview(check=False)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("settings", ["mandatory", {"sshPorts": [22]}])
def test_a_misspelled_policy_is_named(tmp_path: Path, engine: str, settings: object) -> None:
    stack = _stack(tmp_path, engine)
    (stack.folder / "stacks" / "policy.test.json").write_text(json.dumps({"exposure-alowed": settings}))
    shown = stack.preview(check=False)
    assert shown.status != 0
    assert "policy.test.json: no policy is named exposure-alowed; is exposure-allowed meant?" in shown


def test_a_hostile_configuration_is_one_sentence(tmp_path: Path) -> None:
    stack = _stack(tmp_path, "embedded")
    twice = '{"updates-on": "mandatory", "no-root-login": {}, "updates-on": "disabled"}'
    for text, told in ((twice, "'updates-on' appears twice"), ("[1]", "are expected"), ("[" * 100_000, "too deep")):
        (stack.folder / "stacks" / "policy.test.json").write_text(text)
        shown = stack.run("preview", check=False)
        assert shown.status != 0
        assert told in shown.output
        assert "Traceback" not in shown.output


def test_the_pack_itself_refuses_a_misspelled_policy(pack: Pack) -> None:
    """With plain `pulumi preview`, nothing else checks that."""
    wanted = {"exposure-alowed": pb.PolicyConfig(enforcementLevel=pb.MANDATORY)}
    with pytest.raises(grpc.RpcError) as refused:
        pack.stub.Configure(pb.ConfigureAnalyzerRequest(policyConfig=wanted))
    assert "no policy is named exposure-alowed; is exposure-allowed meant?" in str(refused.value)


def test_a_pack_that_cannot_start_stops_everything(tmp_path: Path) -> None:
    stack = _stack(tmp_path, "embedded")
    pack = tmp_path / "broken"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text("runtime: python\n")
    (pack / "__main__.py").write_text("raise SystemExit('no such luck')\n")
    shown = stack.run("up", "--yes", "--policy-pack", str(pack), check=False)
    assert shown.status != 0
    assert "did not start" in shown
    assert stack.state() == []

"""The same program in each language hardens a host through the plugin, with the Pulumi CLI (examples/)."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from local.lab.api import LabHost
from tests.lab.examples import REPOSITORY, Checkout, Program, needs, values

EXAMPLES = [pytest.param(name, marks=needs(name)) for name in ("typescript", "python", "go")]


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("languages1")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout.made(tmp_path / "stockade")


def _seen(host: LabHost) -> str:
    return host.exec("iptables -S; ip6tables -S; ls /etc/sysctl.d; cat /etc/passwd /etc/sudoers.d/*").stdout


@needs("yaml")
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_program_hardens_a_host_as_the_one_in_yaml_does(host: LabHost, checkout: Checkout, name: str) -> None:
    before = _seen(host)
    own = checkout.program(name)
    own.configure(secret=("password",), **values(host))
    assert "stockade:index:Ruleset web1-ipv4 create" in own.pulumi("preview")
    assert _seen(host) == before

    own.pulumi("up", "--yes", "--skip-preview")
    assert "--dport 443 -m state --state NEW -j ACCEPT" in host.exec("iptables -S").stdout
    assert "deploy" in host.exec("getent group sudo").stdout

    same = checkout.program("yaml")
    (same.folder / "Pulumi.dev.yaml").write_bytes((own.folder / "Pulumi.dev.yaml").read_bytes())
    same.pulumi("preview", "--stack", "dev", "--expect-no-changes")

    own.pulumi("destroy", "--yes", "--skip-preview")
    assert _seen(host) == before


@needs("linode")
def test_a_program_makes_a_machine_and_hardens_it(host: LabHost, checkout: Checkout) -> None:
    """Its address, its host key and the key that logs in are unknown in the preview; a stand-in makes it."""
    tools = checkout.folder / "bin"
    tools.mkdir()
    for name in ("linode", "tls"):
        script = tools / f"pulumi-resource-{name}"
        script.write_text(f'#!/bin/sh\nPYTHONPATH={REPOSITORY} exec {sys.executable} -m tests.lab.standin "$@"\n')
        script.chmod(0o755)
    known = json.dumps({"address": host.ipv4, "keyFile": str(host.key_file)})
    own = replace(checkout.program("linode"), more={"STOCKADE_STANDIN": known, "PATH": f"{tools}:{os.environ['PATH']}"})
    own.configure()
    shown = own.pulumi("preview")
    assert "stockade:index:LimitedUser web1-deploy create" in shown
    assert "deploy" not in host.exec("cat /etc/passwd").stdout

    own.pulumi("up", "--yes", "--skip-preview")
    assert "deploy" in host.exec("getent group sudo").stdout
    assert "permitrootlogin no" in host.exec("sshd -T").stdout.lower()
    state = own.state()
    assert "PRIVATE KEY" not in json.dumps(state)
    assert "ciphertext" in json.dumps(state["Instance:web1"]["inputs"]["metadatas"])
    own.pulumi("preview", "--expect-no-changes")
    own.pulumi("destroy", "--yes", "--skip-preview")
    assert "deploy" not in host.exec("cat /etc/passwd").stdout


@needs("python")
@pytest.mark.parametrize("wrong", ["", "firewal={}", 'firewall={"ssh_port": "22"}'])
def test_a_python_program_is_checked_by_the_types_of_its_sdk(checkout: Checkout, wrong: str) -> None:
    own: Program = checkout.program("python")
    program = own.folder / "__main__.py"
    if wrong:
        program.write_text(program.read_text().replace("firewall={}", wrong))
    assert bool(own.type_errors()) == bool(wrong), own.type_errors()

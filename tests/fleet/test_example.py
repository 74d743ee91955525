"""The example of docs/fleet.md, taken from the document."""

from __future__ import annotations

import re
import shutil
import textwrap
from pathlib import Path

import pytest

from tests.lab.stack import REPOSITORY, Stack
from tests.policies.cases import ED25519

from .conftest import ENGINES

DOCUMENT = (REPOSITORY / "docs" / "fleet.md").read_text()


def _block(begins: str) -> str:
    """The indented block of the document with this first line."""
    found = re.search(rf"^    {re.escape(begins)}\n(?:    .*\n|\n(?=    ))*", DOCUMENT, re.M)
    assert found, begins
    return textwrap.dedent(found[0])


@pytest.mark.parametrize("engine", ENGINES)
def test_the_example_works_as_it_is_written(tmp_path: Path, engine: str) -> None:
    assert "export PULUMI_CONFIG_PASSPHRASE=" in DOCUMENT
    stack = Stack(tmp_path / "project", "production", environment={"STOCKADE_ENGINE": engine})
    (stack.folder / "policies").symlink_to(REPOSITORY / "policies")
    stacks = stack.folder / "stacks"
    shutil.copy(REPOSITORY / "stacks" / "policy.production.json", stacks)
    (stacks / "Pulumi.production.yaml").write_text(_block("config:"))
    hosts = _block("# yaml-language-server: $schema=inventory.schema.json")
    (stacks / "production.hosts.yaml").write_text(hosts)
    (stacks / "deploy.pub").write_text(f"{ED25519}\n")
    shown = stack.fleet("preview", "--host", "web1,web2,db1", "--parallel-stacks", "1", "--report", "report.md")
    assert shown.status == 0, shown.output
    assert "Ruleset to create: 3 hosts: db1, web1, web2" in shown
    report = (stack.folder / "report.md").read_text()
    assert report.startswith("### production: preview\n")
    assert "waivers-needed" not in report


def test_hosts_that_are_down_are_passed_over_and_told_in_a_line_each_or_together(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "project", environment={"STOCKADE_ENGINE": "embedded"})
    hosts = {f"web{number}": {"address": f"127.0.0.{number}", "port": 1, "shard": 1 + number % 2} for number in (2, 3)}
    stack.configure(hosts=hosts, shard={"of": 2}, users=[{"name": "deploy", "keys": [ED25519]}])
    down = stack.fleet("up", "--connect-timeout", "1")
    assert down.status == 1, down.output
    (told,) = (line for line in down.output.splitlines() if "cannot connect to" in line)
    assert told.startswith("  2 hosts: "), down.output
    assert told.endswith(": cannot connect to root@…: Connection refused"), down.output

"""Two hosts in two shards of one environment: hardened, checked, moved and restored with one command each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.stack import Stack

NAMES = ("fleet1", "fleet2")


@pytest.fixture(scope="module")
def hosts(bring_up: Callable[[str], LabHost]) -> dict[str, LabHost]:
    return {name: bring_up(name) for name in NAMES}


def _write(stack: Stack, hosts: dict[str, LabHost], **shards: int) -> None:
    inventory: dict[str, Any] = {name: {**entry(host), "shard": shards[name]} for name, host in hosts.items()}
    (stack.folder / "stacks" / "test.hosts.yaml").write_text(yaml.safe_dump(inventory))
    stack.configure(inventory="stacks/test.hosts.yaml", shard={"of": 2}, firewall={"preset": "ssh"})


def _shut(host: LabHost) -> bool:
    """Whether the firewall is in force."""
    return "-A INPUT -j REJECT" in host.iptables_save()


def test_two_hosts_in_two_shards(hosts: dict[str, LabHost], tmp_path: Path) -> None:
    stack = Stack(tmp_path / "project")
    _write(stack, hosts, fleet1=1, fleet2=2)
    done = stack.fleet("up")
    assert (done.status, "2 stacks: 2 done; " in done) == (0, True), done.output
    assert all(map(_shut, hosts.values()))

    hosts["fleet2"].exec("iptables -I INPUT -p tcp --dport 8080 -j ACCEPT")
    drift = stack.fleet("drift", "--diff")
    assert drift.status == 7, drift.output
    assert "+ -A INPUT -p tcp -m tcp --dport 8080 -j ACCEPT" in drift
    lines = {line.partition(" ")[0]: line for line in drift.output.splitlines() if " s  " in line}
    assert ("no changes" in lines["test-01"], "1 to update" in lines["test-02"]) == (True, True), drift.output
    named = stack.fleet("drift")
    assert (named.status, "Ruleset to update: fleet2\n" in named) == (7, True), named.output
    assert "`stockade fleet up test --refresh --yes`" in named
    assert stack.fleet("up").status == 0
    assert "8080" in hosts["fleet2"].iptables_save(), "an `up` alone looks at no host"
    back = stack.fleet("up", "--refresh", "--host", "fleet2")
    assert (back.status, "Ruleset updated: fleet2\n" in back) == (0, True), back.output
    assert "8080" not in hosts["fleet2"].iptables_save()

    _write(stack, hosts, fleet1=1, fleet2=1)
    refused = stack.fleet("up", "--only", "2")
    assert refused.status == 1, refused.output
    assert "fleet2: belongs to the stack test-01 now, so it is not undone here" in refused
    assert "move it there: `stockade fleet move test`" in refused
    assert _shut(hosts["fleet2"])
    moved = stack.fleet("move")
    assert (moved.status, "test-02 -> test-01: fleet2" in moved) == (0, True), moved.output
    unchanged = stack.fleet("preview")
    assert (unchanged.status, "2 done; no changes; " in unchanged) == (0, True), unchanged.output

    gone = stack.fleet("destroy")
    assert gone.status == 0, gone.output
    assert not any(map(_shut, hosts.values()))

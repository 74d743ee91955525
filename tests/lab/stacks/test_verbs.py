"""The commands of `pulumi --help` for a stack, on hardened hosts: they stay hardened, and the next run changes nothing.

Commands of the embedded engine are tested with the engine in use; the others need the CLI.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Callable
from typing import Any

import pytest

from local.lab.api import Lab, LabHost
from tests.lab.conftest import entry
from tests.lab.outside import listen, probe_ports
from tests.lab.shells import only_dynamic
from tests.lab.stack import Stack

needs_cli = pytest.mark.skipif(shutil.which("pulumi") is None, reason="pulumi is not on PATH")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMZ1Vf8u3nqgKzPZ6nY6YYBJhzKQ5k4jU2dcyqZ0W4dC"
SETTINGS: dict[str, Any] = {
    "users": [{"name": "deploy", "sudo": "nopasswd", "keys": [KEY]}],
    "sshd": {"permitRootLogin": "prohibit-password"},
    "firewall": {"preset": "ssh"},
}
OPEN = {22: "open", 8080: "refused"}
BARE = {22: "open", 8080: "open"}


@pytest.fixture(scope="module")
def hosts(bring_up: Callable[[str], LabHost]) -> list[LabHost]:
    """Two hosts with a listener that must be unreachable."""
    made = [bring_up("verb1"), bring_up("verb2")]
    for host in made:
        listen(host, 8080)
    return made


@pytest.fixture(scope="module")
def stack(hosts: list[LabHost], tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A stack that hardens the first; each test leaves it hardened."""
    stack = Stack(tmp_path_factory.mktemp("verbs") / "project")
    declare(stack, hosts[:1])
    stack.up()
    return stack


def declare(stack: Stack, hosts: list[LabHost], **more: Any) -> None:
    """Declare these hosts, with short timeouts: they answer at once or are down."""
    entries = {host.name: entry(host, connectTimeout=2) for host in hosts}
    stack.configure(hosts=entries, **{**SETTINGS, **more})


def ports(lab: Lab, host: LabHost) -> dict[int, str]:
    """The ports as seen from outside, the same over both families."""
    found = probe_ports(lab, host, OPEN)
    assert found["ipv4"] == found["ipv6"]
    return found["ipv4"]


def is_hardened(lab: Lab, host: LabHost) -> bool:
    """Whether everything that the stack declares is in force."""
    sshd = host.exec("sshd -T").stdout.lower().splitlines()
    account = host.exec("id deploy && sudo -l -U deploy", check=False).stdout
    return ports(lab, host) == OPEN and "passwordauthentication no" in sshd and "NOPASSWD: ALL" in account


def stays(lab: Lab, host: LabHost, stack: Stack) -> None:
    """Assert that the host is as declared, and the next run changes nothing."""
    assert is_hardened(lab, host)
    stack.unchanged()


@needs_cli
@pytest.mark.parametrize(
    "words",
    [
        ["preview", "--refresh", "--expect-no-changes"],
        ["refresh", "--preview-only", "--expect-no-changes"],
        ["refresh", "--yes", "--skip-preview", "--run-program", "--expect-no-changes"],
        ["refresh", "--yes", "--skip-preview", "--clear-pending-creates", "--expect-no-changes"],
        ["refresh", "--yes", "--skip-preview", "--skip-pending-creates", "--target", "**verb1-ipv4"],
        ["up", "--yes", "--skip-preview", "--refresh", "--expect-no-changes"],
        ["up", "--yes", "--skip-preview", "--target", "**Sshd::verb1", "--target-dependents", "--expect-no-changes"],
        ["up", "--yes", "--skip-preview", "--exclude", "**Firewall**", "--expect-no-changes"],
        ["preview", "--save-plan", "plan.json"],
        ["up", "--yes", "--skip-preview", "--plan", "plan.json", "--expect-no-changes"],
        ["destroy", "--preview-only"],
        ["state", "protect", "--all", "--yes"],
        ["destroy", "--yes", "--skip-preview", "--exclude-protected"],
        ["state", "unprotect", "--all", "--yes"],
        ["stack", "export", "--file", "deployment.json"],
        ["stack", "import", "--file", "deployment.json"],
        ["cancel", "--yes"],
        ["stack", "rename", "other"],
        ["state", "repair", "--yes"],
        ["stack", "graph", "graph.dot"],
        ["stack", "history"],
        ["config"],
    ],
    ids=" ".join,
)
def test_what_is_to_change_nothing_changes_nothing(words: list[str], stack: Stack) -> None:
    stack.pulumi(*words)
    if words[:2] == ["stack", "rename"]:
        stack.name = "other"
        stack.unchanged()
        stack.pulumi("stack", "rename", "test")
        stack.name = "test"


@needs_cli
def test_after_all_of_these_the_host_is_as_it_was(lab: Lab, hosts: list[LabHost], stack: Stack) -> None:
    stays(lab, hosts[0], stack)


@pytest.mark.parametrize("command", ["up", "refresh and up"])
def test_a_refresh_before_takes_back_what_was_done_by_hand(
    lab: Lab, hosts: list[LabHost], stack: Stack, command: str
) -> None:
    host = hosts[0]
    host.exec("iptables -I INPUT -p tcp --dport 8080 -j ACCEPT; ip6tables -I INPUT -p tcp --dport 8080 -j ACCEPT")
    assert ports(lab, host) == BARE
    told = stack.run("preview", "--refresh", "--diff", "--expect-no-changes", check=False)
    assert told.status == 7
    assert "- -A INPUT -p tcp -m tcp --dport 8080 -j ACCEPT" in told
    if command == "up":
        stack.run("up", "--yes", "--skip-preview", "--refresh")
    else:
        stack.refresh()
        stack.up()
    stays(lab, host, stack)


@needs_cli
def test_a_refresh_that_runs_the_program_sees_drift_as_well(lab: Lab, hosts: list[LabHost], stack: Stack) -> None:
    hosts[0].exec("iptables -I INPUT -p tcp --dport 8080 -j ACCEPT; ip6tables -I INPUT -p tcp --dport 8080 -j ACCEPT")
    told = stack.pulumi("refresh", "--yes", "--skip-preview", "--run-program", "--diff")
    assert "+ -A INPUT -p tcp -m tcp --dport 8080 -j ACCEPT" in told or "~ 2 updated" in told
    stack.pulumi("up", "--yes", "--skip-preview", "--target", "**Ruleset::verb1-ipv4")
    assert probe_ports(lab, hosts[0], OPEN) == {"ipv4": OPEN, "ipv6": BARE}  # only the named one
    stack.up()
    stays(lab, hosts[0], stack)


@needs_cli
@pytest.mark.parametrize(
    "words",
    [["--target-replace", "**Ruleset::**"], ["--replace", "**Sshd::**", "--replace", "**LimitedUser::**"],
     ["--replace", "**Packages::**"], ["--replace", "**::verb1**"]], ids=" ".join,
)  # fmt: skip
def test_what_is_replaced_by_name_is_in_force(lab: Lab, hosts: list[LabHost], stack: Stack, words: list[str]) -> None:
    stack.pulumi("up", "--yes", "--skip-preview", *words)
    stays(lab, hosts[0], stack)


@pytest.mark.parametrize("kind", ["LimitedUser", ""])
def test_what_is_tainted_is_in_force(lab: Lab, hosts: list[LabHost], stack: Stack, kind: str) -> None:
    urns = [item["urn"] for item in stack.managed() if kind in item["type"]]
    for urn in urns:
        stack.verb("state", "taint", urn, "--yes")
    stack.run("up", "--yes", "--skip-preview")
    stays(lab, hosts[0], stack)
    stack.run("up", "--yes", "--skip-preview", *(f"--replace={urn}" for urn in urns))
    stays(lab, hosts[0], stack)


def test_what_the_state_forgot_is_taken_over(lab: Lab, hosts: list[LabHost], stack: Stack) -> None:
    refused = stack.verb("state", "delete", stack.urn("verb1", "HardenedHost"), "--yes", check=False)
    assert refused.status == 1
    assert "--target-dependents" in refused
    stack.verb("state", "delete", stack.urn("verb1", "HardenedHost"), "--target-dependents", "--yes")
    stack.up()
    stays(lab, hosts[0], stack)
    stack.verb("state", "delete", stack.urn("verb1-ipv4"), "--yes")
    stack.up()
    stays(lab, hosts[0], stack)


@needs_cli
def test_a_resource_that_was_renamed_in_the_state_is_taken_over(lab: Lab, hosts: list[LabHost], stack: Stack) -> None:
    stack.pulumi("state", "rename", stack.urn("verb1-ipv4"), "verb1-other", "--yes")
    stack.up()
    stays(lab, hosts[0], stack)


@needs_cli
def test_a_host_moves_to_another_stack_and_back(lab: Lab, hosts: list[LabHost], stack: Stack) -> None:
    other = stack.beside("other")
    declare(other, hosts[:1])
    stack.checked(["pulumi", "stack", "init", "other", "--no-select"])
    for source, dest in ((stack, other), (other, stack)):
        urn = source.urn("verb1", "HardenedHost")
        stack.checked(["pulumi", "state", "move", "--source", source.name, "--dest", dest.name, urn, "--yes"])
        stays(lab, hosts[0], dest)
        dest.refresh()
        dest.up()
        stays(lab, hosts[0], dest)


@needs_cli
@only_dynamic
def test_an_import_is_refused_in_one_sentence(stack: Stack) -> None:
    kind = "pulumi-python:dynamic/stockade:Listeners"
    told = stack.pulumi("import", "--yes", "--skip-preview", kind, "new", "verb1/listeners", check=False)
    assert told.status == 1
    assert "cannot be imported" in told
    assert "Traceback" not in told


def test_one_host_that_is_down_holds_up_no_other(lab: Lab, hosts: list[LabHost], stack: Stack) -> None:
    first, second = hosts
    app = {"preset": "ssh", "services": [{"name": "app", "ports": [8080]}]}
    declare(stack, hosts, firewall=app)
    second.cut()
    told = stack.up(check=False)
    second.mend()
    assert told.status == 1
    assert f"cannot connect to root@{second.ipv4}" in told
    assert "Traceback" not in told
    assert ports(lab, first) == BARE
    if "Engine: embedded" in told:
        assert "not attempted because of this: LimitedUser verb2-deploy, " in told
    stack.up()
    assert ports(lab, second) == BARE

    declare(stack, hosts)
    first.cut()
    told = stack.up(check=False)
    first.mend()
    assert told.status == 1
    assert is_hardened(lab, second)
    stack.up()
    stays(lab, first, stack)


def test_one_of_two_hosts_is_destroyed(lab: Lab, hosts: list[LabHost], stack: Stack) -> None:
    if shutil.which("pulumi"):
        stack.pulumi("destroy", "--yes", "--skip-preview", "--target", stack.urn("verb2", "HardenedHost"),
                     "--target-dependents")  # fmt: skip
    else:
        declare(stack, hosts[:1])
        stack.up()
        declare(stack, hosts)
    assert ports(lab, hosts[1]) == BARE
    assert is_hardened(lab, hosts[0])
    stack.up()
    stays(lab, hosts[1], stack)


def test_the_advice_for_a_host_that_is_gone_works_as_it_stands(lab: Lab, hosts: list[LabHost], stack: Stack) -> None:
    first, second = hosts
    second.cut()
    told = stack.destroy(check=False)
    assert told.status == 1
    assert ports(lab, first) == BARE
    advice = re.search(r"`pulumi (state delete [^`]*)`", told.output)
    assert advice, told.output
    command = shlex.split(advice[1])
    assert command[:2] == ["state", "delete"]
    stack.checked([sys.executable, "-m", "local", *command, "--yes"])
    assert not [item for item in stack.state() if "verb2" in item["urn"]]
    second.mend()
    assert is_hardened(lab, second)
    stack.up()  # it still existed
    stays(lab, first, stack)
    stays(lab, second, stack)
    stack.destroy()
    for host in hosts:
        assert ports(lab, host) == BARE
        assert host.exec("test -e /var/lib/stockade", check=False).returncode == 1

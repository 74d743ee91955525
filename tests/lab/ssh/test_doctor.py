"""`stockade doctor` on a real host: what it can reach, and how; what it cannot, and what to do. Nothing is changed."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.snapshot import snapshot
from tests.lab.ssh.accounts import add_users
from tests.lab.stack import REPOSITORY, Stack

OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGv9Q3JxZbA7WQm1pYpZ0E2QpV0mJYk5vTn5bX8Fd3Rk"


class Found(NamedTuple):
    """A finding about a host."""

    level: str
    message: str
    remedy: str | None


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    """A host with three users besides root: with sudo, without, and one that sudo asks for a password."""
    host = bring_up("doctor1")
    add_users(host)
    return host


def _doctor(stack: Stack, *words: str) -> tuple[int, dict[str, list[Found]], str]:
    """Run it: its exit status, what was found by host, and everything as text."""
    command = [sys.executable, "-P", str(REPOSITORY / "cli/__main__.py"), "doctor", "--json", "--stack", stack.name]
    done = stack.ended([*command, *words])
    assert "Traceback" not in done.output, done.output
    hosts: dict[str, list[Found]] = {}
    for one in json.loads(done.output)["findings"]:
        if one["about"] == "hosts":
            hosts.setdefault(one["subject"], []).append(Found(one["level"], one["message"], one["remedy"]))
    return done.status, hosts, done.output


def _errors(found: list[Found]) -> list[Found]:
    return [one for one in found if one.level == "error"]


def test_each_host_is_a_finding_and_stops_no_other(host: LabHost, tmp_path: Path) -> None:
    key = {"privateKeyFile": str(host.key_file)}
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    address = {"address": host.ipv4, "hostKey": host.host_key}
    silent = "198.51.100.250"  # in the lab's network, and nobody's
    hosts: dict[str, Any] = {
        "good": {**address, "admin": {"user": "deploy", **key}, "bootstrap": {"user": "root", **key}},
        "new": {**address, "admin": {"user": "nobody-yet", **key}, "bootstrap": {"user": "root", **key}},
        "wrong-key": {**address, "admin": {"user": "deploy", "privateKeyFile": str(other)}},
        "no-sudo": {**address, "admin": {"user": "guest", **key}},
        "asks": {**address, "admin": {"user": "clerk", **key}},
        "changed": {"address": host.ipv4, "hostKey": OTHER_KEY, "bootstrap": {"user": "root", **key}},
        "closed": {**address, "port": 2201, "bootstrap": {"user": "root", **key}},
        "down": {"address": silent, "hostKey": OTHER_KEY, "bootstrap": {"user": "root", **key}},
        "nameless": {"address": "no-such-host.invalid", "bootstrap": {"user": "root", **key}},
        "keyless": {**address, "bootstrap": {"user": "root", "privateKeyFile": "missing"}},
    }
    stack = Stack(tmp_path / "project")
    stack.configure(hosts=hosts)
    before = snapshot(host)
    status, found, text = _doctor(stack, "--connect-timeout", "4")
    assert status == 1, text
    assert {*found} == {*hosts}, text
    assert snapshot(host) == before

    assert not _errors(found["good"]), text
    said = " ".join(one.message for one in found["good"])
    assert "admin deploy@" in said, text
    assert "logs in and becomes root with sudo; host key pinned" in said, text
    assert re.search(r"debian (\d+ )?is supported", said), text
    assert not _errors(found["new"]), text
    assert any("nobody-yet cannot log in yet" in one.message for one in found["new"]), text
    for name, message, remedy in (
        ("wrong-key", "login refused: admin as deploy@", "authorized_keys"),
        ("no-sudo", "guest", "NOPASSWD"),
        ("asks", "sudo asks clerk for a password", "sudoPassword"),
        ("changed", "the host key of root@", "hostKey: ssh-ed25519 "),
        ("closed", "Connection refused", "is the port right"),
        ("down", "cannot connect to root@198.51.100.250", "Is the host up"),
        ("nameless", "host name", "Correct the host's `address`"),
        ("keyless", "missing", None),
    ):
        (error,) = _errors(found[name])
        assert message in error.message, (name, error)
        assert remedy is None or remedy in str(error.remedy), (name, error)


def test_the_record_of_this_stack_and_of_another(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(host, sysctl={})
    stack.up()
    before = snapshot(host)
    status, found, text = _doctor(stack)
    assert status == 0, text
    assert "managed by this stack: 2 resources" in [one.message for one in found[host.name]], text
    assert "resources in its state" in text

    other = stack.beside("other")
    other.configure(hosts={host.name: entry(host)})
    status, found, text = _doctor(other)
    (warning,) = (one for one in found[host.name] if one.level == "warning")
    assert (status, "the stack test of the project stockade manages it" in warning.message) == (0, True), text
    assert "takeOver" in str(warning.remedy)
    assert snapshot(host) == before
    stack.destroy()

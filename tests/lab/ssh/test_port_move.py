"""The port move of docs/chapters.md on a lab host: from both initial states, and back both ways."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.lab.api import LabHost
from tests.lab.ssh.test_sshd import lets_in
from tests.lab.stack import REPOSITORY, Stack

USERS = [{"name": "deploy", "sudo": "nopasswd"}]


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("mover1")


@pytest.fixture(autouse=True)
def _pristine(host: LabHost) -> Iterator[None]:
    yield
    host.port = 22
    host.reset()


def documented(old: int = 22, new: int = 2222) -> dict[str, Any]:
    """The example's host, with these ports."""
    text = (REPOSITORY / "docs/chapters.md").read_text()
    block = next(part for part in text.split("\n\n") if "bootstrap: {user: root, port: 22}" in part)
    swapped = block.replace("2222", "NEW").replace("22", str(old)).replace("NEW", str(new))
    example: dict[str, Any] = yaml.safe_load(swapped)["stockade:hosts"]["web1"]
    return example


def settings(host: LabHost, known_hosts: Path, **own: Any) -> dict[str, Any]:
    """A stack with this host, whose known_hosts entry has no port, as ssh writes it."""
    known_hosts.write_text(f"{host.ipv4} {host.host_key}\n")
    key = known_hosts.with_name("id")
    if not key.exists():
        shutil.copy(host.key_file, key)
    reach = {"privateKeyFile": str(key), "knownHostsFile": str(known_hosts), "connectTimeout": 10}
    logins = {"admin": {"user": "deploy"}, "bootstrap": {"user": "root"}}
    users = [{**USERS[0], "keyFiles": [f"{host.key_file}.pub"]}]
    return {
        "hosts": {host.name: {**reach, **logins, **own, "address": host.ipv4, "fail2ban": False}},
        "users": users,
        "firewall": {"preset": "ssh"},
        "sshd": {"confirmWithin": 10},
    }


def is_at(host: LabHost, port: int) -> bool:
    """Whether deploy can log in at that port, and nobody listens on the other one."""
    other = 22 if port == 2222 else 2222
    listens = host.exec("ss -Hltn | awk '{ print $4 }'").stdout
    return lets_in(host, "deploy", "publickey", port) and f":{port}\n" in listens and f":{other}\n" not in listens


def test_from_a_fresh_host(host: LabHost, new_stack: Callable[..., Stack], tmp_path: Path) -> None:
    stack = new_stack(host)
    known = tmp_path / "known_hosts"
    stack.configure(**settings(host, known, **documented()))
    stack.up()
    assert is_at(host, 2222)
    stack.unchanged()
    # the old port is removed from the firewall: the way in is sshd's current port
    closed = documented()
    del closed["firewall"]["services"]
    stack.configure(**settings(host, known, **closed))
    stack.preview()
    stack.up()
    # destroy says what to do first, and changes nothing
    refused = stack.destroy(check=False)
    assert refused.status != 0
    assert "sshd would go back to port 22, where nobody can log in now" in refused
    assert "ports: [22]" in refused
    assert is_at(host, 2222)
    stack.configure(**settings(host, known, **documented()))
    stack.up()
    stack.destroy()
    assert lets_in(host, "root", "publickey", 22)
    assert "deploy" not in host.exec("cat /etc/passwd").stdout


def test_from_a_host_that_was_hardened_at_22(host: LabHost, new_stack: Callable[..., Stack], tmp_path: Path) -> None:
    stack = new_stack(host)
    known = tmp_path / "known_hosts"
    stack.configure(**settings(host, known))
    stack.up()
    assert not lets_in(host, "root", "publickey", 22)
    stack.configure(**settings(host, known, **documented()))
    stack.up()
    assert is_at(host, 2222)
    stack.unchanged()
    assert "unchanged" in stack.refresh()
    # the key is missing: the cause is reported once, and the resources that it blocks
    (tmp_path / "id").rename(tmp_path / "id.away")
    _, _, diagnostics = stack.refresh(check=False).output.partition("Diagnostics:")
    assert diagnostics.count("cannot be read: No such file") == 1
    assert diagnostics.count("not reached (for the cause, see ") == 4
    (tmp_path / "id.away").rename(tmp_path / "id")
    # and back, with the same example and swapped ports
    stack.configure(**settings(host, known, **documented(old=2222, new=22)))
    stack.up()
    assert is_at(host, 22)
    stack.configure(**settings(host, known))
    stack.up()
    stack.unchanged()
    assert is_at(host, 22)
    stack.destroy()
    assert lets_in(host, "root", "publickey", 22)

"""What a killed run gave to a user is taken away by the next one if its config does not have it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.killed.test_interrupted import reached, stop_at
from tests.lab.stack import Stack
from tests.lab.stacks.test_ownership import ENGINES

NAME = "leftover1"
GATE = {"rm": ("-f /etc/sudoers.d/zz-stockade-guest",)}
"""The group was given by then, and the keys come next."""


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up(NAME)


WAYS = [
    *(pytest.param(*engine.values, then, marks=engine.marks) for engine in ENGINES for then in ("up", "first")),
    ("embedded", "refresh"),  # the CLI forgets the operations before a refresh or destroy asks for anything
    ("embedded", "destroy"),
]


@pytest.mark.parametrize(("engine", "then"), WAYS)
def test_a_key_and_a_group_of_a_killed_run_do_not_stay(
    engine: str, then: str, host: LabHost, new_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    host.exec("userdel -rf guest 2>/dev/null; useradd -m -k /dev/null guest; rm -rf /run/reached /run/gate")
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "killed", "-f", key], check=True)
    stack = new_stack(host)
    stack.environment = {"STOCKADE_ENGINE": engine, "STOCKADE_POLICIES": "off"}

    def declare(**more: object) -> None:
        users = [{"name": "guest", "sudo": "none", "keyFiles": [f"{host.key_file}.pub"], **more}]
        stack.configure(hosts={NAME: entry(host)}, users=users)

    def keys() -> str:
        return host.exec("cat /home/guest/.ssh/authorized_keys", check=False).stdout

    declare()
    if then != "first":
        stack.up()
    declare(keyFiles=[f"{host.key_file}.pub", f"{key}.pub"], groups=["games"])
    stop_at(host, GATE)
    with stack.running("up") as run:
        reached(host, 1)
        run.kill()
    host.exec("rm /usr/local/sbin/rm; printf '\\n' >/run/gate; rm /run/gate /run/reached")
    host.exec(
        "for i in $(seq 100); do grep -q killed /home/guest/.ssh/authorized_keys && exit 0; sleep 0.1; done; exit 1"
    )
    if engine == "pulumi":
        stack.pulumi("cancel", "--yes")
    declare()
    if then == "refresh":
        stack.refresh()
    if then != "destroy":
        stack.up()
        stack.unchanged()
        assert "killed" not in keys()
        assert "games" not in host.exec("id -Gn guest").stdout
    stack.destroy()
    assert keys() == ""
    assert host.exec("id -Gn guest").stdout.split() == ["guest"]

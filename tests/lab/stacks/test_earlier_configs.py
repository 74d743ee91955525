"""A host with resources in the state is reached with the access from an earlier run's config, whatever the config says
now and whatever the runs in between did."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.killed.test_interrupted import reached, stop_at
from tests.lab.stack import Secret, Stack
from tests.lab.stacks.test_ownership import ENGINES

PROGRAM = """
import pulumi
from components.gai.resource import AddressPreference
from components.config.inventory import stack_inventory
for name in stack_inventory():
    AddressPreference(name, {"host": name, "triggers": [pulumi.Config("stockade").get("word") or "-"]})
"""
WORD = "Cobalt4410Willow"
LINE = "precedence ::ffff:0:0/96  100"


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("former1")


@pytest.fixture(params=ENGINES)
def stack(request: pytest.FixtureRequest, host: LabHost, new_stack: Callable[..., Stack]) -> Stack:
    host.reset()
    stack = new_stack(program=PROGRAM)
    stack.environment = {"STOCKADE_ENGINE": request.param, "STOCKADE_POLICIES": "off"}
    return stack


def declare(stack: Stack, word: str = "one", **hosts: Any) -> None:
    stack.configure(hosts=hosts, word=word)


def there(host: LabHost) -> bool:
    return bool(host.exec(f"grep -x '{LINE}' /etc/gai.conf", check=False).stdout)


def way(host: LabHost, key: Path | None = None) -> dict[str, Any]:
    login = {"user": "root", "privateKeyFile": str(key or host.key_file), "password": Secret(WORD)}
    return entry(host, bootstrap=login, connectTimeout=1, perDialTimeout=1)


def fails(stack: Stack, host: LabHost) -> None:
    """A run while the host is down."""
    host.cut()
    failed = stack.up(check=False)
    host.mend()
    assert failed.status != 0
    assert "how to connect is unknown" not in failed


def test_a_host_that_several_failed_runs_have_called_otherwise_and_then_left_out(stack: Stack, host: LabHost) -> None:
    declare(stack, alpha=way(host))
    stack.up()
    assert there(host)
    for hosts in ({"beta": way(host)}, {}, {"gamma": {**way(host), "address": "192.0.2.1"}}):
        declare(stack, **hosts)
        fails(stack, host)
    declare(stack)
    assert WORD not in stack.run("export").output
    stack.up()
    assert not there(host)
    # only the config changes what is known of hosts, and that is no change of a resource
    before = stack.state()
    stack.unchanged()
    stack.up()
    assert stack.state() == before


def test_destroy_finds_it_as_well(stack: Stack, host: LabHost) -> None:
    declare(stack, alpha=way(host))
    stack.up()
    for name in ("beta", "gamma"):
        declare(stack, **{name: way(host)})
        fails(stack, host)
    declare(stack)
    fails(stack, host)
    stack.refresh()
    stack.destroy()
    assert not there(host)


def test_a_key_that_was_changed_by_a_run_that_came_to_nothing(stack: Stack, host: LabHost, tmp_path: Path) -> None:
    """The next run has the same config, and still knows the former key."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    declare(stack, alpha=way(host))
    stack.up()
    declare(stack, "two", alpha=way(host, key))
    fails(stack, host)
    stack.up()
    host.exec("sed -i /^precedence/d /etc/gai.conf")
    declare(stack, "three", alpha=way(host, key))
    stack.up()
    assert there(host)
    stack.unchanged()


def test_a_host_that_is_no_longer_in_the_inventory(stack: Stack, host: LabHost) -> None:
    file = stack.folder / "stacks" / "hosts.json"
    listed = {key: value for key, value in way(host).items() if key != "bootstrap"}
    listed["bootstrap"] = {"user": "root", "privateKeyFile": str(host.key_file)}
    stack.configure(inventory="stacks/hosts.json")
    file.write_text(json.dumps({"alpha": listed}))
    stack.up()
    assert there(host)
    stack.unchanged()
    file.write_text("{}")
    stack.up()
    assert not there(host)
    stack.unchanged()


def test_what_a_killed_run_was_making_of_a_host_that_is_then_left_out(
    host: LabHost, new_stack: Callable[..., Stack]
) -> None:
    """The state knows only that it was started. The CLI keeps that until `refresh`, and says so."""
    host.reset()
    stack = new_stack(program=PROGRAM)
    stack.environment = {"STOCKADE_ENGINE": "embedded", "STOCKADE_POLICIES": "off"}
    declare(stack, alpha=way(host))
    stop_at(host, {"mv": ("* /etc/gai.conf",)})
    with stack.running() as run:
        reached(host, 1)
        run.kill()
    host.exec("rm /usr/local/sbin/mv; printf '\\n' >/run/gate")
    host.exec(f"for i in $(seq 100); do ! grep -qx '{LINE}' /etc/gai.conf || exit 0; sleep 0.1; done; exit 1")
    declare(stack)
    stack.refresh()
    stack.up()
    assert not there(host)
    assert not host.exec("ls /var/lib/stockade", check=False).stdout
    stack.unchanged()

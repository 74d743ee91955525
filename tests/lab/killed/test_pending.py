"""A run is killed while it changes machines, and the next one has another config: then each machine is as declared, or
as before if nobody declares it."""

from collections.abc import Callable, Mapping

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.killed.test_interrupted import PREFERRED, reached, stop_at
from tests.lab.stack import Stack
from tests.lab.stacks.test_ownership import ENGINES

PROGRAM = """
import pulumi
from components.gai.resource import AddressPreference
from components.config.inventory import stack_inventory
from components.updates.resource import AutomaticUpdates
time = pulumi.Config("stockade").require("time")
for host in stack_inventory():
    updates = AutomaticUpdates(host, {"host": host, "rebootTime": time})
    AddressPreference(host, {"host": host}, opts=pulumi.ResourceOptions(depends_on=[updates]))
"""
DROP_IN = "/etc/apt/apt.conf.d/99stockade-updates"
Gate = Mapping[str, tuple[str, ...]]
BEGUN: Gate = {"find": ("/var/lib/stockade/owner/ *",)}
CHANGING: Gate = {"mv": (f"* {DROP_IN}",)}
FIRST_OWNED: Gate = {"mv": ("* /var/lib/stockade/owner/automatic*",)}
SECOND_OWNED: Gate = {"mv": ("* /var/lib/stockade/owner/*pref*",)}
RESTORING: Gate = {"mv": ("* /etc/gai.conf",)}
RESTORED: Gate = {"rm": ("-rf /var/lib/stockade/prior/*",)}
FORGOTTEN: Gate = {"rmdir": ("/var/lib/stockade/prior *",)}
"""Where a run is killed: commands on the host, as sh patterns."""


@pytest.fixture(scope="module")
def machines(bring_up: Callable[[str], LabHost]) -> list[LabHost]:
    return [_installed(bring_up(name)) for name in ("pend1", "pend2")]


@pytest.fixture
def one(machines: list[LabHost]) -> LabHost:
    return fresh(machines[0])


@pytest.fixture
def two(machines: list[LabHost]) -> LabHost:
    return fresh(machines[1])


def fresh(host: LabHost) -> LabHost:
    """The host without what a failed test may have left."""
    if not host.exec("ls -d /var/lib/stockade /run/gate", check=False).stdout:
        return host
    host.reset()
    return _installed(host)


def _installed(host: LabHost) -> LabHost:
    host.exec("DEBIAN_FRONTEND=noninteractive apt-get install -qy unattended-upgrades </dev/null")
    return host


@pytest.fixture(params=ENGINES)
def stack(request: pytest.FixtureRequest, new_stack: Callable[..., Stack]) -> Stack:
    stack = new_stack(program=PROGRAM)
    stack.environment = {"STOCKADE_ENGINE": request.param, "STOCKADE_POLICIES": "off"}
    return stack


def declare(stack: Stack, time: str = "04:30", **hosts: LabHost) -> None:
    ways = {name: entry(host, connectTimeout=1, perDialTimeout=1) for name, host in hosts.items()}
    stack.configure(hosts=ways, time=time)


def killed(stack: Stack, gate: Gate, *hosts: LabHost, command: str = "up") -> None:
    """Kill a run when it is at the gate on all of these hosts. What it had sent there is finished."""
    for host in hosts:
        stop_at(host, dict(gate))
    with stack.running(command) as run:
        for host in hosts:
            reached(host, 1)
        run.kill()
    for host in hosts:  # open at both ends, the pipes keep nobody waiting
        host.exec(
            f"exec 3<>/run/reached 4<>/run/gate; cd /usr/local/sbin; rm {' '.join(gate)}; printf '\\n\\n\\n\\n' >&4;"
            "for i in $(seq 100); do pgrep -f '^/bin/sh /usr/local/sbin/' >/dev/null || break; sleep 0.1; done;"
            "rm /run/gate /run/reached"
        )
    if stack.environment["STOCKADE_ENGINE"] == "pulumi":
        stack.pulumi("cancel", "--yes")


def in_force(host: LabHost) -> bool:
    """Whether everything is in force, as first declared. Otherwise nothing may be."""
    time = host.exec(f"cat {DROP_IN}", check=False).stdout
    preferred = host.exec(PREFERRED, check=False).returncode == 0
    records = host.exec("find /var/lib/stockade -type f", check=False).stdout
    if '"04:30"' in time:
        assert preferred
        return True
    assert (time, preferred, records) == ("", False, "")
    return False


@pytest.mark.parametrize("gate", [BEGUN, FIRST_OWNED])
def test_names_are_swapped_and_then_nobody_declares_them(stack: Stack, one: LabHost, two: LabHost, gate: Gate) -> None:
    declare(stack, alpha=one, beta=two)
    stack.up()
    declare(stack, "05:30", alpha=two, beta=one)
    killed(stack, gate, one, two)
    declare(stack)
    stack.up()
    assert not in_force(one)
    assert not in_force(two)
    stack.unchanged()


def test_names_are_swapped_and_then_everything_is_destroyed(stack: Stack, one: LabHost, two: LabHost) -> None:
    declare(stack, alpha=one, beta=two)
    stack.up()
    declare(stack, "05:30", alpha=two, beta=one)
    killed(stack, SECOND_OWNED, one, two)
    stack.destroy()
    assert not in_force(one)
    assert not in_force(two)


@pytest.mark.parametrize("gate", [CHANGING, FIRST_OWNED])
def test_names_are_swapped_and_then_swapped_back(stack: Stack, one: LabHost, two: LabHost, gate: Gate) -> None:
    declare(stack, alpha=one, beta=two)
    stack.up()
    declare(stack, "05:30", alpha=two, beta=one)
    killed(stack, gate, one, two)
    declare(stack, alpha=one, beta=two)
    stack.up()
    assert in_force(one)
    assert in_force(two)
    stack.unchanged()
    declare(stack, alpha=one)
    stack.up()
    assert in_force(one)
    assert not in_force(two)
    stack.destroy()
    assert not in_force(one)


@pytest.mark.parametrize("gate", [CHANGING, SECOND_OWNED])
def test_a_host_is_renamed_and_then_called_as_before_while_another_is_added(
    stack: Stack, one: LabHost, two: LabHost, gate: Gate
) -> None:
    """Nothing else is pending: what the killed run was creating is all that tells."""
    declare(stack, alpha=one)
    stack.up()
    declare(stack, "05:30", beta=one)
    killed(stack, gate, one)
    assert '"05:30"' in one.exec(f"cat {DROP_IN}").stdout
    declare(stack, alpha=one, other=two)
    stack.up()
    assert in_force(one)
    assert in_force(two)
    stack.refresh()
    stack.unchanged()
    stack.destroy()
    assert not in_force(one)
    assert not in_force(two)


@pytest.mark.parametrize(("gate", "name"), [(RESTORING, "alpha"), (RESTORED, "beta"), (FORGOTTEN, "beta")])
def test_a_destroy_is_killed_and_then_an_up_declares_the_host(
    stack: Stack, one: LabHost, gate: Gate, name: str
) -> None:
    declare(stack, alpha=one)
    stack.up()
    killed(stack, gate, one, command="destroy")
    declare(stack, **{name: one})
    stack.up()
    assert in_force(one)
    stack.refresh()
    stack.unchanged()
    stack.destroy()
    assert not in_force(one)

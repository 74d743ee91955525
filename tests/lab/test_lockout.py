"""Whatever is declared and whatever breaks, the administrator can still log in: one fault at a time on a real host.

`STOCKADE_FAULTS=all` (make test-faults) runs all of them, each from a pristine host, several hosts at once, and writes
docs/lockout-tests.md.
"""

import os
from collections.abc import Callable
from dataclasses import asdict

import pytest

from local.lab.api import LabHost
from tests.lab.lockout.faults import Fault
from tests.lab.lockout.login_faults import FAULTS
from tests.lab.lockout.points import take_down
from tests.lab.lockout.report import Row
from tests.lab.lockout.watch import Watch
from tests.lab.stack import Stack

ALL = os.environ.get("STOCKADE_FAULTS") == "all"
SLACK = 5.0
"""Seconds that a login and the second between two of them take, on a busy machine."""
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "1")


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up(f"lock-{WORKER}")


@pytest.fixture(scope="module")
def used(host: LabHost) -> list[Fault]:
    """The faults that the host has seen."""
    return []


@pytest.fixture
def clean(host: LabHost, fault: Fault, used: list[Fault]) -> LabHost:
    """A host with nothing of ours on it: pristine in the full run, and after a fault of another kind."""
    if used and (ALL or used[-1].scene is not fault.scene):
        host.reset()
    if not used or ALL or used[-1].scene is not fault.scene:
        host.exec(fault.scene.made_by)
    used.append(fault)
    take_down(host)
    for tool in ("iptables", "ip6tables"):
        host.exec(f"for c in INPUT FORWARD OUTPUT; do {tool} -P $c ACCEPT; done; {tool} -F; {tool} -X")
    host.exec("rm -rf /var/lib/stockade /run/stockade; rm -f /etc/iptables/rules.v?")
    return host


@pytest.mark.parametrize("fault", [pytest.param(f, id=f.name.replace(" ", "-")) for f in FAULTS if ALL or f.everyday])
def test_the_way_in_survives(
    clean: LabHost, new_stack: Callable[..., Stack], fault: Fault, record_property: Callable[[str, object], None]
) -> None:
    scene = fault.scene(clean, new_stack(clean, program=fault.scene.program), fault.family, fault.limit)
    scene.begin()
    with Watch(clean, scene.address, scene.user) as watch:
        ending = fault.act(scene, watch)
        scene.settled()
        watch.one_more()
    in_force, at_boot, record = scene.in_force(), scene.at_boot(), scene.record()
    agrees = scene.in_state() == in_force
    take_down(clean)
    scene.declare(scene.after)
    scene.stack.up()
    scene.stack.unchanged()
    healed = (scene.in_force(), scene.at_boot()) == ("after", "after")
    row = Row(fault.name, round(watch.lost, 1), fault.limit, in_force, agrees, healed)
    record_property("fault", asdict(row))

    assert (in_force, at_boot) == (fault.ends, fault.ends), ending.output
    assert watch.lost <= fault.limit + SLACK
    assert watch.logins > 1
    assert agrees, ending.output
    assert healed
    assert (ending.status == 0) == (fault.ends == "after"), ending.output
    assert [text for text in fault.says if text not in ending.output] == [], ending.output
    assert "Traceback" not in ending.output
    assert fault.recorded in (None, "in force again" in record)

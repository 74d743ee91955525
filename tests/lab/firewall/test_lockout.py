"""Whatever is declared and whatever breaks, the administrator can still log in: one fault at a time on a lab host.

`STOCKADE_FAULTS=all` (make test-faults) runs all of them, each on a pristine host, on several hosts in parallel, and
writes docs/lockout-tests.md.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict

import pytest

from local.lab.api import Lab, LabHost
from tests.lab.lockout.faults import Fault
from tests.lab.lockout.login_faults import FAULTS
from tests.lab.lockout.points import take_down
from tests.lab.lockout.report import FAULT, Row
from tests.lab.lockout.scene import Scene
from tests.lab.lockout.watch import Watch
from tests.lab.stack import Stack

ALL = os.environ.get("STOCKADE_FAULTS") == "all"
SLACK = 5.0
"""Seconds for a login and the pause before the next one, on a busy machine."""
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "1")


class Hosts:
    """A host for each variant of the lab, brought up at first use and clean for every fault."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._used: dict[str, type[Scene]] = {}

    def clean(self, scene: type[Scene]) -> LabHost:
        """A host without anything of ours: pristine in the full run, and after a fault of another kind."""
        name = f"lock-{WORKER}" if scene.variant == "debian" else f"lock-{scene.variant}-{WORKER}"
        last = self._used.get(name)
        # a running host may accept logins only from a jump host
        host = self._lab.host(name) if last else self._lab.up([name], scene.variant)[0]
        if last is not scene or ALL:
            if last is not None or host.status().boots > 1:
                host.reset()
            host.exec(scene.made_by)
        self._used[name] = scene
        take_down(host)
        for tool in ("iptables", "ip6tables"):
            host.exec(f"for c in INPUT FORWARD OUTPUT; do {tool} -P $c ACCEPT; done; {tool} -F; {tool} -X")
        host.exec("rm -rf /var/lib/stockade /run/stockade; rm -f /etc/iptables/rules.v?")
        return host

    def down(self) -> None:
        """Take them down."""
        self._lab.down([*self._used])


@pytest.fixture(scope="module")
def hosts(lab: Lab) -> Iterator[Hosts]:
    hosts = Hosts(lab)
    yield hosts
    hosts.down()


@pytest.fixture
def scene(hosts: Hosts, new_stack: Callable[..., Stack], fault: Fault) -> Iterator[Scene]:
    host = hosts.clean(fault.scene)
    scene = fault.scene(host, new_stack(host, program=fault.scene.program), fault.family, fault.limit)
    yield scene
    scene.end()


@pytest.mark.parametrize("fault", [pytest.param(f, id=f.name.replace(" ", "-")) for f in FAULTS if ALL or f.everyday])
def test_the_way_in_survives(scene: Scene, fault: Fault, record_property: Callable[[str, object], None]) -> None:
    scene.begin()
    with Watch(scene.host, scene.address, scene.user, scene.via) as watch:
        ending = fault.act(scene, watch)
        scene.settled()
        watch.one_more()
    in_force, at_boot, record, journal = scene.in_force(), scene.at_boot(), scene.record(), scene.journal()
    agrees = scene.in_state() == in_force
    take_down(scene.host)
    scene.declare(scene.after)
    scene.stack.up()
    scene.stack.unchanged()
    healed = (scene.in_force(), scene.at_boot()) == ("after", "after")
    row = Row(fault.name, round(watch.lost, 1), fault.limit, in_force, agrees, healed)
    record_property(FAULT, asdict(row))

    assert (in_force, at_boot) == (fault.ends, fault.ends), ending.output
    assert watch.lost <= fault.limit + SLACK
    assert watch.logins > 1
    assert agrees, ending.output
    assert healed
    assert (ending.status == 0) == (fault.ends == "after"), ending.output
    assert [text for text in fault.says if text not in ending.output] == [], ending.output
    assert "Traceback" not in ending.output
    assert fault.recorded in (None, "in force again" in record)
    assert not fault.recorded or "in force again" in journal

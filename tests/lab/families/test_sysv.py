"""Some of the faults that could lock an administrator out, on hosts without systemd's timers.

There the rollback is a process of its own, or a service that sleeps (`debian8`), and after a reboot a script of SysV
init or a unit (`hosts/guard/guards.sh`).
"""

from collections.abc import Callable, Iterator

import pytest

from local.lab.api import Lab, LabHost
from tests.lab.lockout.faults import Fault
from tests.lab.lockout.firewall_faults import FIREWALL_FAULTS
from tests.lab.lockout.points import take_down
from tests.lab.lockout.scene import FirewallScene
from tests.lab.lockout.watch import Watch
from tests.lab.stack import Stack

SLACK = 5.0
"""Seconds for a login and the pause before the next one, on a busy machine."""
CHOSEN = (
    "the ruleset drops SSH",
    "the operator's process is killed after applying",
    "the host reboots after applying",
    "the host loses power while confirming",
)
FAULTS = tuple(fault for fault in FIREWALL_FAULTS if fault.name in CHOSEN)
HOOK = "ls /etc/init.d/stockade-guard /etc/rc[3S].d/S*stockade-guard /etc/systemd/system/stockade-guard* 2>/dev/null"


class CentosScene(FirewallScene):
    """A default-deny ruleset on a host without systemd, changed to another one."""

    variant = "centos6"
    made_by = "yum -y -q install iptables-ipv6 </dev/null"

    def at_boot(self) -> str:
        """Which ruleset the next boot would load."""
        return self._named(self.host.exec("cat /etc/sysconfig/iptables").stdout)


class Debian7Scene(FirewallScene):
    """The same with iptables-persistent's own script."""

    variant = "debian7"


class Debian8Scene(FirewallScene):
    """The same with a systemd of 2014."""

    variant = "debian8"


SCENES: dict[str, type[FirewallScene]] = {scene.variant: scene for scene in (CentosScene, Debian7Scene, Debian8Scene)}


@pytest.fixture(scope="module", params=SCENES)
def host(lab: Lab, request: pytest.FixtureRequest) -> Iterator[LabHost]:
    """A pristine host of each variant."""
    (host,) = lab.up([f"lock-{request.param}"], request.param)
    yield host
    lab.down([host.name])


def test_all_of_the_faults_are_there() -> None:
    assert {fault.name for fault in FAULTS} == set(CHOSEN)


@pytest.mark.parametrize("fault", [pytest.param(f, id=f.name.replace(" ", "-")) for f in FAULTS])
def test_the_way_in_survives_without_timers(host: LabHost, new_stack: Callable[..., Stack], fault: Fault) -> None:
    if host.status().boots > 1 or host.exec(HOOK, check=False).stdout:
        host.reset()
    kind = SCENES[host.status().variant]
    host.exec(kind.made_by)
    scene = kind(host, new_stack(host, program=kind.program), limit=fault.limit)
    scene.begin()
    with Watch(host, scene.address, scene.user) as watch:
        ending = fault.act(scene, watch)
        scene.settled()
        watch.one_more()
    in_force, at_boot, record = scene.in_force(), scene.at_boot(), scene.record()
    take_down(host)
    scene.declare(scene.after)
    scene.stack.up()
    scene.stack.unchanged()

    assert (in_force, at_boot) == (fault.ends, fault.ends), ending.output
    assert watch.lost <= fault.limit + SLACK
    assert watch.logins > 1
    assert fault.recorded in (None, "in force again" in record)
    assert [text for text in fault.says if text not in ending.output] == [], ending.output
    assert (scene.in_force(), scene.at_boot()) == ("after", "after")
    assert host.exec(HOOK, check=False).stdout == ""  # nothing is armed, so nothing runs at boot

"""What goes wrong while a ruleset is changed, one `Fault` each, and the harm that other changes can come to as well."""

import getpass
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from rules.family import Family
from tests.lab.lockout.points import (
    AFTER_APPLYING,
    AFTER_ARMING,
    POINTS,
    WHILE_CONFIRMING,
    Point,
    await_point,
    release,
    set_up,
)
from tests.lab.lockout.scene import LIMIT, FirewallScene, Scene, ruleset
from tests.lab.lockout.watch import Watch
from tests.lab.stack import Running

CUT_SHORT = 5.0
"""Seconds without a network."""
LONG_ENOUGH = 24
"""A limit within which a network that is back in time is found back."""


@dataclass(frozen=True)
class Ending:
    """How the `up` ended: its exit status (None: it was killed) and what it said."""

    status: int | None
    output: str = ""


@dataclass(frozen=True)
class Fault:
    """`act` changes the host of a scene while something goes wrong.

    `ends`: what must be in force then, `before` or `after`. `says`: what the user must be told. `recorded`: whether the
    host notes that it went back; None where it may lack the room, or have nothing to go back from. `everyday`: run with
    all other tests, not only by `make test-faults`.
    """

    name: str
    act: Callable[[Any, Watch], Ending]
    scene: type[Scene] = FirewallScene
    ends: str = "before"
    says: tuple[str, ...] = ()
    recorded: bool | None = True
    family: Family = Family.IPV4
    limit: int = LIMIT
    everyday: bool = False


def _bad(rules: Callable[[Family], str], scene: FirewallScene, _watch: Watch) -> Ending:
    """Declare a ruleset that keeps the administrator out, and apply it."""
    scene.declare(rules(scene.family), more={"acceptLockout": True})
    result = scene.stack.up(check=False)
    return Ending(result.status, result.output)


def _refused(scene: FirewallScene, _watch: Watch) -> Ending:
    """Declare it without saying that one means it: not even the preview lets it pass."""
    scene.declare(_drops_ssh(scene.family))
    shown = scene.stack.preview(check=False)
    assert shown.status != 0
    assert "this would lock you out: nobody can connect to TCP port 22 any more: the policy of INPUT" in shown
    result = scene.stack.up(check=False)
    return Ending(result.status, result.output)


def _drops_ssh(family: Family) -> str:
    icmp = ("-A INPUT -p ipv6-icmp -j ACCEPT",) if family is Family.IPV6 else ()
    return ruleset(*icmp, ssh="")


def _drops_new(_: Family) -> str:
    return ruleset(ssh="-A INPUT -p tcp -m tcp --dport 22 -m state --state NEW -j DROP")


def _drops_replies(_: Family) -> str:
    return ruleset("-A OUTPUT -p tcp -m tcp --sport 22 -j DROP")


def at(point: Point, harm: Callable[[Scene, Watch, Running], Ending], scene: Scene, watch: Watch) -> Ending:
    """Apply a good ruleset, and do harm where it comes to `point`."""
    set_up(scene.host, point)
    scene.declare(scene.after)
    with scene.stack.running() as run:
        await_point(scene.host)
        return harm(scene, watch, run)


def kill(scene: Scene, _watch: Watch, run: Running) -> Ending:
    run.kill()
    release(scene.host)
    return Ending(None)


def stand_still(scene: Scene, _watch: Watch, run: Running) -> Ending:
    """Let the change itself hang until it is taken back."""
    ending = Ending(*run.end())
    release(scene.host)
    return ending


def cut_for_a_while(scene: Scene, watch: Watch, run: Running) -> Ending:
    with watch.excused():
        scene.host.cut()
        release(scene.host)
        time.sleep(CUT_SHORT)  # the fault itself
        scene.host.mend()
    return Ending(*run.end())


def cut_for_good(scene: Scene, watch: Watch, run: Running) -> Ending:
    with watch.excused():
        scene.host.cut()
        try:
            release(scene.host)
            return Ending(*run.end())
        finally:
            scene.host.mend()


def reboot(hard: bool, scene: Scene, watch: Watch, run: Running) -> Ending:
    with watch.excused():
        scene.host.reboot(hard=hard)
    return Ending(*run.end())


def _fill(scene: FirewallScene) -> None:
    """Leave no room on the disk that the guard uses."""
    scene.host.exec("mount -t tmpfs -o size=4k tmpfs /var/lib/stockade 2>/dev/null || { mkdir -p /var/lib/stockade && "
                    "mount -t tmpfs -o size=4k tmpfs /var/lib/stockade; }; "
                    "head -c 8192 /dev/zero >/var/lib/stockade/full 2>/dev/null || :")  # fmt: skip


def _full_before(scene: FirewallScene, _watch: Watch) -> Ending:
    """The guard can't save what is in force."""
    _fill(scene)
    scene.declare(scene.after)
    result = scene.stack.up(check=False)
    scene.host.exec("umount /var/lib/stockade")
    return Ending(result.status, result.output)


def _full_meanwhile(scene: FirewallScene, _watch: Watch) -> Ending:
    """The disk fills up before a ruleset that drops SSH is in force."""
    set_up(scene.host, AFTER_ARMING)
    scene.declare(_drops_ssh(scene.family), more={"acceptLockout": True})
    with scene.stack.running() as run:
        await_point(scene.host)
        scene.host.exec("cp /dev/zero /var/tmp/full 2>/dev/null || :")
        release(scene.host)
        ending = Ending(*run.end())
    scene.host.exec("rm -f /var/tmp/full")
    return ending


def _clock(scene: FirewallScene, watch: Watch) -> Ending:
    """What takes the change back must not go by the time of day: a host's clock can't be set without this machine's."""
    set_up(scene.host, AFTER_ARMING)
    scene.declare(_drops_ssh(scene.family), more={"acceptLockout": True})
    with scene.stack.running() as run:
        await_point(scene.host)
        shown = scene.host.exec("systemctl show -p TimersMonotonic -p TimersCalendar 'stockade-back-*.timer'").stdout
        assert f"OnActiveUSec={scene.limit}s" in shown
        assert "OnCalendar" not in shown
        release(scene.host)
        return Ending(*run.end())


def _without_systemd(act: Callable[[Any, Watch], Ending], scene: FirewallScene, watch: Watch) -> Ending:
    """Hide systemd as sd_booted(3) looks for it: what takes the change back is a process of its own then."""
    scene.host.exec("mv /run/systemd/system /run/systemd/hidden")
    try:
        return act(scene, watch)
    finally:
        scene.settled()
        scene.host.exec("mv /run/systemd/hidden /run/systemd/system")


def _two_runs(scene: FirewallScene, _watch: Watch) -> Ending:
    """A second run comes while the first one is in the middle of its change."""
    set_up(scene.host, AFTER_ARMING)
    scene.declare(scene.after)
    with scene.stack.running() as first:
        await_point(scene.host)
        second = scene.second()
        result = second.up(check=False)
        release(scene.host)
        status, output = first.end()
    assert result.status != 0
    assert "another run is changing this host" in result
    assert f"It is: {getpass.getuser()}@{socket.gethostname()}, process " in result
    return Ending(status, output)


FIREWALL_FAULTS: tuple[Fault, ...] = (
    Fault("the ruleset drops SSH, undeclared", _refused, says=("acceptLockout: true",), recorded=False, everyday=True),
    Fault("the ruleset drops SSH", partial(_bad, _drops_ssh), says=("no new login worked",), everyday=True),
    Fault(
        "the ruleset drops SSH over IPv6 only",
        partial(_bad, _drops_ssh),
        says=("no new login worked",),
        family=Family.IPV6,
        everyday=True,
    ),
    Fault("the ruleset drops new connections only", partial(_bad, _drops_new), says=("no new login worked",)),
    Fault("the ruleset drops the replies", partial(_bad, _drops_replies), says=("taken it back",), everyday=True),
    *(
        Fault(
            f"the operator's process is killed {point.name}",
            partial(at, point, kill),
            recorded=None if point is POINTS[0] else True,
        )
        for point in POINTS
    ),
    Fault("the change stands still", partial(at, AFTER_ARMING, stand_still), says=("in force again",)),
    *(
        Fault(
            f"the network is cut for 5 s {point.name}",
            partial(at, point, cut_for_a_while),
            ends="after",
            recorded=False,
            limit=LONG_ENOUGH,
        )
        for point in POINTS
    ),
    *(Fault(f"the network is cut for good {point.name}", partial(at, point, cut_for_good)) for point in POINTS),
    *(
        Fault(
            f"the host reboots {point.name}",
            partial(at, point, partial(reboot, False)),
            recorded=point is not POINTS[0],
            limit=LONG_ENOUGH,
        )
        for point in POINTS
    ),
    *(
        Fault(
            f"the host loses power {point.name}",
            partial(at, point, partial(reboot, True)),
            recorded=point is not POINTS[0],
            limit=LONG_ENOUGH,
            everyday=point is WHILE_CONFIRMING,
        )
        for point in POINTS
    ),
    Fault("the disk is full", _full_before, says=("could not be saved", "is the disk full?", "100%"), recorded=False),
    Fault("the disk fills up while SSH is dropped", _full_meanwhile, recorded=None, limit=LONG_ENOUGH),
    Fault("the clock is moved", _clock, says=("no new login worked",)),
    Fault(
        "the ruleset drops SSH, on a host without systemd",
        partial(_without_systemd, partial(_bad, _drops_ssh)),
        says=("no new login worked",),
    ),
    *(
        Fault(
            f"the operator's process is killed {point.name}, on a host without systemd",
            partial(_without_systemd, partial(at, point, kill)),
            everyday=point is AFTER_APPLYING,
        )
        for point in (AFTER_ARMING, AFTER_APPLYING, WHILE_CONFIRMING)
    ),
    Fault("a second run meanwhile", _two_runs, ends="after", recorded=False, limit=60, everyday=True),
)

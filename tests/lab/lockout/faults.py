"""Defines `Fault`, and the harm that can be done to any guarded change at any of its points."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from rules.values.family import Family
from tests.lab.lockout.points import Point, await_point, release, set_up
from tests.lab.lockout.scene import LIMIT, FirewallScene, Scene
from tests.lab.lockout.watch import Watch
from tests.lab.stack import Running

CUT_SHORT = 5.0
"""Seconds without a network."""
LONG_ENOUGH = 24
"""A guard's limit that is long enough for a network that comes back in time."""
LONGER = 40
"""A guard's limit that is long enough for filling a disk and a failed login."""


@dataclass(frozen=True)
class Ending:
    """The result of `up`: exit status (None: it was killed) and output."""

    status: int | None
    output: str = ""


@dataclass(frozen=True)
class Fault:
    """`act` changes the host of a scene while something goes wrong.

    `ends`: what must be in force then, `before` or `after`. `says`: what the output must contain. `recorded`: whether
    the host notes the rollback; None if it may have no room for that, or nothing to roll back. `everyday`: run with all
    other tests, not only by `make test-faults`.
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


def at(point: Point, harm: Callable[[Scene, Watch, Running], Ending], scene: Scene, watch: Watch) -> Ending:
    """Make a good change, and do harm at `point`."""
    return at_in(scene.after, point, harm, scene, watch)


def at_in(
    wanted: Any, point: Point, harm: Callable[[Scene, Watch, Running], Ending], scene: Scene, watch: Watch, **more: Any
) -> Ending:
    """The same in a change to `wanted`."""
    set_up(scene.host, point)
    scene.declare(wanted, **more)
    with scene.stack.running() as run:
        await_point(scene.host)
        return harm(scene, watch, run)


def kill(scene: Scene, _watch: Watch, run: Running) -> Ending:
    """SIGKILL the operator's processes."""
    run.kill()
    release(scene.host)
    return Ending(None)


def kill_and_repeat(scene: Scene, watch: Watch, run: Running) -> Ending:
    """The same, and start another run before the host has rolled back by itself."""
    kill(scene, watch, run)
    result = scene.stack.up(check=False)
    return Ending(result.status, result.output)


def stand_still(scene: Scene, _watch: Watch, run: Running) -> Ending:
    """Let the change itself hang until it is rolled back."""
    ending = Ending(*run.end())
    release(scene.host)
    assert "not finished within its time limit" not in ending.output
    return ending


def cut_for_a_while(scene: Scene, watch: Watch, run: Running) -> Ending:
    """Unplug the host's cable, and plug it in again in time."""
    with watch.excused():
        scene.host.cut()
        release(scene.host)
        time.sleep(CUT_SHORT)  # the fault itself
        scene.host.mend()
    return Ending(*run.end())


def cut_for_good(scene: Scene, watch: Watch, run: Running) -> Ending:
    """Unplug the host's cable until the run has given up."""
    with watch.excused():
        scene.host.cut()
        try:
            release(scene.host)
            return Ending(*run.end())
        finally:
            scene.host.mend()


def reboot(hard: bool, scene: Scene, watch: Watch, run: Running) -> Ending:
    """Restart the host; `hard`: as in a power failure."""
    with watch.excused():
        scene.host.reboot(hard=hard)
    return Ending(*run.end())


def fill_up(scene: Scene, _watch: Watch, run: Running) -> Ending:
    """Fill the host's disk until the change is rolled back."""
    room = "$(df -P -k / | awk 'END { print $4 }')KiB"
    scene.host.exec(f"fallocate -l {room} /var/tmp/full || :; cp /dev/zero /var/tmp/fuller 2>&- || :")
    release(scene.host)
    ending = Ending(*run.end())
    scene.settled()
    scene.host.exec("rm /var/tmp/full /var/tmp/fuller")
    return ending


def kills(kind: Callable[..., Fault], prefix: str, points: tuple[Point, ...], first: Point) -> tuple[Fault, ...]:
    """The operator's process is killed at each point; before the `first` point of a change nothing may be recorded."""
    return tuple(
        kind(
            f"{prefix}the operator's process is killed {point.name}",
            partial(at, point, kill),
            recorded=None if point is first else True,
        )
        for point in points
    )


def cuts(kind: Callable[..., Fault], prefix: str, points: tuple[Point, ...]) -> tuple[Fault, ...]:
    """The network is cut at each point, for a while and for good."""
    return (
        *(
            kind(
                f"{prefix}the network is cut for 5 s {point.name}",
                partial(at, point, cut_for_a_while),
                ends="after",
                recorded=False,
                limit=LONG_ENOUGH,
            )
            for point in points
        ),
        *(
            kind(f"{prefix}the network is cut for good {point.name}", partial(at, point, cut_for_good))
            for point in points
        ),
    )


def restarts(
    kind: Callable[..., Fault], prefix: str, points: tuple[Point, ...], first: Point, everyday: Point | None = None
) -> tuple[Fault, ...]:
    """The host is restarted at each point, with and without a shutdown."""
    return tuple(
        kind(
            f"{prefix}the host {what} {point.name}",
            partial(at, point, partial(reboot, hard)),
            recorded=point is not first,
            limit=LONG_ENOUGH,
            everyday=hard and point is everyday,
        )
        for what, hard in (("reboots", False), ("loses power", True))
        for point in points
    )

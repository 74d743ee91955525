"""What goes wrong while sshd's settings or the admin's account are changed, and the table of all faults."""

from functools import partial
from typing import Any

from tests.lab.lockout.faults import (
    FIREWALL_FAULTS,
    LONG_ENOUGH,
    Ending,
    Fault,
    at,
    cut_for_a_while,
    cut_for_good,
    kill,
    reboot,
)
from tests.lab.lockout.login_scenes import SshdScene, UserScene
from tests.lab.lockout.points import SSHD_POINTS, USER_POINTS, release
from tests.lab.lockout.scene import Scene
from tests.lab.lockout.watch import Watch
from tests.lab.stack import Running

_, _ARMED, _APPLIED, _LOOKING, _CONFIRMING = SSHD_POINTS
_, _USER_ARMED, _USER_APPLIED, _, _USER_CONFIRMING = USER_POINTS
NO_LOGIN = ("no new login worked",)


def _settings(*lines: str, **more: int) -> Any:
    """Declare these lines on top of the good ones, and apply them."""

    def act(scene: SshdScene, _watch: Watch) -> Ending:
        scene.declare(scene.after + "\n".join(lines), **more)
        result = scene.stack.up(check=False)
        return Ending(result.status, result.output)

    return act


def _port_that_the_firewall_drops(scene: SshdScene, watch: Watch) -> Ending:
    scene.host.exec("iptables -A INPUT -p tcp --dport 2222 -j DROP")
    return _settings("Port 2222", port=2222)(scene, watch)  # type: ignore[no-any-return]


def _stop_sshd(scene: Scene, _watch: Watch, run: Running) -> Ending:
    """As a bug in sshd that the new settings bring to light."""
    scene.host.exec("systemctl stop ssh.service")
    release(scene.host)
    return Ending(*run.end())


def _shell_that_ends_logins(scene: UserScene, _watch: Watch) -> Ending:
    scene.declare({**scene.after, "shell": "/usr/bin/true"})
    result = scene.stack.up(check=False)
    return Ending(result.status, result.output)


_sshd = partial(Fault, scene=SshdScene)
_user = partial(Fault, scene=UserScene)

LOGIN_FAULTS: tuple[Fault, ...] = (
    _sshd(
        "sshd: AllowUsers leaves out the admin",
        _settings("AllowUsers root"),
        says=("the admin would be locked out: AllowUsers root leaves out deploy",),
        recorded=False,
    ),
    _sshd(
        "sshd: a port that the login does not use",
        _settings("Port 2222"),
        says=("nothing was changed", "uses port 22"),
        recorded=False,
    ),
    _sshd("sshd: a port that the firewall drops", _port_that_the_firewall_drops, says=(*NO_LOGIN, "firewall")),
    _sshd(
        "sshd: no key of the admin's type is taken",
        _settings("PubkeyAcceptedAlgorithms sk-ssh-ed25519@openssh.com"),
        says=NO_LOGIN,
        everyday=True,
    ),
    _sshd(
        "sshd: settings that it checks, and can't serve",
        _settings("ListenAddress 192.0.2.1"),
        says=("sshd did not take the new configuration", "in force again"),
        everyday=True,
    ),
    _sshd("sshd: it ends soon after the change", partial(at, _LOOKING, _stop_sshd), says=("in force again",)),
    *(
        _sshd(
            f"sshd: the operator's process is killed {point.name}",
            partial(at, point, kill),
            recorded=None if point is SSHD_POINTS[0] else True,
        )
        for point in SSHD_POINTS
    ),
    _sshd(
        f"sshd: the network is cut for 5 s {_APPLIED.name}",
        partial(at, _APPLIED, cut_for_a_while),
        ends="after",
        recorded=False,
        limit=LONG_ENOUGH,
    ),
    *(
        _sshd(f"sshd: the network is cut for good {point.name}", partial(at, point, cut_for_good))
        for point in (_APPLIED, _CONFIRMING)
    ),
    *(
        _sshd(f"sshd: the host {what} {point.name}", partial(at, point, partial(reboot, hard)), limit=LONG_ENOUGH)
        for what, hard in (("reboots", False), ("loses power", True))
        for point in (_ARMED, _APPLIED, _CONFIRMING)
    ),
    _user("user: a shell that ends every login", _shell_that_ends_logins, says=NO_LOGIN, everyday=True),
    *(
        _user(f"user: the operator's process is killed {point.name}", partial(at, point, kill))
        for point in (_USER_ARMED, _USER_APPLIED, _USER_CONFIRMING)
    ),
    *(
        _user(f"user: the host loses power {point.name}", partial(at, point, partial(reboot, True)), limit=LONG_ENOUGH)
        for point in (_USER_APPLIED, _USER_CONFIRMING)
    ),
)

FAULTS = (*FIREWALL_FAULTS, *LOGIN_FAULTS)
"""The table of `docs/lockout-tests.md`, in its order."""

"""Faults while sshd's settings or the admin's account are changed, and the table of all faults."""

from functools import partial
from typing import Any

from tests.lab.lockout.faults import LONGER, Ending, Fault, at, at_in, cuts, fill_up, kills, restarts, stand_still
from tests.lab.lockout.firewall_faults import FIREWALL_FAULTS, NO_LOGIN
from tests.lab.lockout.login_scenes import SshdScene, UserScene
from tests.lab.lockout.points import SSHD_CHANGED, SSHD_POINTS, USER_POINTS, Point, release
from tests.lab.lockout.scene import Scene
from tests.lab.lockout.watch import Watch
from tests.lab.stack import Running

_SSHD_UNARMED, _SSHD_ARMED, _SSHD_APPLIED, _SSHD_LOOKING, _SSHD_CONFIRMING = SSHD_POINTS
_USER_UNARMED, _, _USER_APPLIED, _, _USER_CONFIRMING = USER_POINTS
_NO_KEYS = "PubkeyAcceptedAlgorithms sk-ssh-ed25519@openssh.com"
_NO_SHELL = {"shell": "/usr/bin/true"}


def _settings(*lines: str, **more: int) -> Any:
    """Declare these lines in addition to the good ones, and apply them."""

    def act(scene: SshdScene, _watch: Watch) -> Ending:
        scene.declare(scene.after + "\n".join(lines), **more)
        result = scene.stack.up(check=False)
        return Ending(result.status, result.output)

    return act


def _port_that_the_firewall_drops(scene: SshdScene, watch: Watch) -> Ending:
    scene.host.exec("iptables -A INPUT -p tcp --dport 2222 -j DROP")
    return _settings("Port 2222", port=2222)(scene, watch)  # type: ignore[no-any-return]


def _stop_sshd(scene: Scene, _watch: Watch, run: Running) -> Ending:
    """Like a bug in sshd that the new settings trigger."""
    scene.host.exec("systemctl stop ssh.service")
    release(scene.host)
    return Ending(*run.end())


def _sshd_full(settings: str, point: Point, scene: SshdScene, watch: Watch) -> Ending:
    return at_in(scene.after + settings, point, fill_up, scene, watch)


def _user_full(point: Point, scene: UserScene, watch: Watch) -> Ending:
    return at_in({**scene.after, **_NO_SHELL}, point, fill_up, scene, watch)


def _shell_that_ends_logins(scene: UserScene, _watch: Watch) -> Ending:
    scene.declare({**scene.after, **_NO_SHELL})
    result = scene.stack.up(check=False)
    return Ending(result.status, result.output)


_sshd = partial(Fault, scene=SshdScene)
_user = partial(Fault, scene=UserScene)

SSHD_FAULTS: tuple[Fault, ...] = (
    _sshd(
        "sshd: AllowUsers leaves out the admin",
        _settings("AllowUsers root"),
        says=("the admin would be locked out: AllowUsers root leaves out deploy",),
        recorded=False,
    ),
    _sshd(
        "sshd: AllowUsers lets the admin in from elsewhere only",
        _settings("AllowUsers deploy@203.0.113.*"),
        says=("the admin would be locked out: AllowUsers",),
        recorded=False,
    ),
    _sshd(
        "sshd: a port that the login does not use",
        _settings("Port 2222"),
        says=("nothing was changed", "uses port 22"),
        recorded=False,
    ),
    _sshd("sshd: a port that the firewall drops", _port_that_the_firewall_drops, says=(*NO_LOGIN, "firewall")),
    _sshd("sshd: no key of the admin's type is taken", _settings(_NO_KEYS), says=NO_LOGIN, everyday=True),
    _sshd("sshd: keys are looked for elsewhere", _settings("AuthorizedKeysFile /etc/ssh/none"), says=NO_LOGIN),
    _sshd(
        "sshd: settings that it checks, and can't serve",
        _settings("ListenAddress 192.0.2.1"),
        says=("sshd did not take the new configuration", "in force again"),
        everyday=True,
    ),
    _sshd(
        "sshd: a session ends before it begins",
        _settings("ChrootDirectory /var/empty"),
        says=NO_LOGIN,
    ),
    _sshd("sshd: the change stands still", partial(at, _SSHD_ARMED, stand_still), says=("in force again",)),
    _sshd("sshd: it ends soon after the change", partial(at, SSHD_CHANGED, _stop_sshd), says=("in force again",)),
    _sshd(
        "sshd: the disk is full",
        partial(_sshd_full, "", _SSHD_UNARMED),
        says=("could not be saved", "is the disk full?"),
        recorded=False,
    ),
    _sshd(
        "sshd: the disk fills up while no key of the admin's type is taken",
        partial(_sshd_full, _NO_KEYS, _SSHD_APPLIED),
        says=NO_LOGIN,
        recorded=None,
        limit=LONGER,
    ),
    *kills(_sshd, "sshd: ", SSHD_POINTS, _SSHD_UNARMED),
    *cuts(_sshd, "sshd: ", (_SSHD_APPLIED, _SSHD_LOOKING, _SSHD_CONFIRMING)),
    *restarts(_sshd, "sshd: ", (_SSHD_ARMED, _SSHD_APPLIED, _SSHD_CONFIRMING), _SSHD_UNARMED),
)

USER_FAULTS: tuple[Fault, ...] = (
    _user("user: a shell that ends every login", _shell_that_ends_logins, says=NO_LOGIN, everyday=True),
    _user(
        "user: the disk fills up while the shell ends every login",
        partial(_user_full, _USER_APPLIED),
        says=NO_LOGIN,
        recorded=None,
        limit=LONGER,
    ),
    *kills(_user, "user: ", USER_POINTS, _USER_UNARMED),
    *cuts(_user, "user: ", (_USER_APPLIED, _USER_CONFIRMING)),
    *restarts(_user, "user: ", (_USER_APPLIED, _USER_CONFIRMING), _USER_UNARMED),
)

FAULTS = (*FIREWALL_FAULTS, *SSHD_FAULTS, *USER_FAULTS)
"""The faults, in the order of the table in `docs/lockout-tests.md`."""

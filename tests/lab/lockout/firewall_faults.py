"""Faults during the change of a ruleset."""

import getpass
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from rules.values.family import Family
from tests.lab.lockout.faults import (
    LONGER,
    Ending,
    Fault,
    at,
    at_in,
    cuts,
    fill_up,
    kill,
    kill_and_repeat,
    kills,
    restarts,
    stand_still,
)
from tests.lab.lockout.jump import JumpScene
from tests.lab.lockout.points import (
    AFTER_APPLYING,
    AFTER_ARMING,
    BEFORE_ARMING,
    POINTS,
    WHILE_CONFIRMING,
    await_call,
    await_point,
    note_calls,
    release,
    set_up,
)
from tests.lab.lockout.scene import FirewallScene, ruleset, with_port
from tests.lab.lockout.watch import Watch
from tests.lab.stack import Running

LOCKOUT = "this would lock you out: "
NO_LOGIN = ("no new login worked",)
ACCEPTED = {"acceptLockout": True}
OTHERS = {Family.IPV4: "203.0.113.0/24", Family.IPV6: "2001:db8:1::/48"}
"""Networks without a lab host."""


def _refused(rules: Callable[[Family], str], why: str, scene: FirewallScene, _watch: Watch) -> Ending:
    """Declare a ruleset that locks the administrator out: even the preview refuses it."""
    scene.declare(rules(scene.family))
    shown = scene.stack.preview(check=False)
    assert shown.status != 0
    assert LOCKOUT + why.format(client=scene.client) in shown
    result = scene.stack.up(check=False)
    return Ending(result.status, result.output)


def _accepted(rules: Callable[[Family], str], why: str, scene: FirewallScene, watch: Watch) -> Ending:
    """Declare it, be refused, and accept the risk explicitly."""
    _refused(rules, why, scene, watch)
    scene.declare(rules(scene.family), more=ACCEPTED)
    result = scene.stack.up(check=False)
    return Ending(result.status, result.output)


def _drops_ssh(family: Family) -> str:
    icmp = ("-A INPUT -p ipv6-icmp -j ACCEPT",) if family is Family.IPV6 else ()
    return ruleset(*icmp, ssh="")


def _drops_new(_: Family) -> str:
    return ruleset(ssh="-A INPUT -p tcp -m tcp --dport 22 -m state --state NEW -j DROP")


def _drops_replies(_: Family) -> str:
    return ruleset("-A OUTPUT -p tcp -m tcp --sport 22 -j DROP")


def _others_only(family: Family) -> str:
    return with_port(80, family, sources=OTHERS[family])


NOBODY = "nobody can connect to TCP port 22 any more: the policy of INPUT"
NO_NEW = "nobody can connect to TCP port 22 any more: rule 3 of INPUT: -A INPUT -p tcp -m tcp --dport 22 -m state"
NO_REPLY = "no reply from TCP port 22 gets out: rule 1 of OUTPUT: -A OUTPUT -p tcp -m tcp --sport 22 -j DROP"
NOT_YOU = "nobody can connect from {client} to TCP port 22 any more: the policy of INPUT"


def _full_before(scene: FirewallScene, _watch: Watch) -> Ending:
    """The guard cannot save what is in force."""
    folder = "/var/lib/stockade"
    scene.host.exec(
        f"mkdir -p {folder}; mount -t tmpfs -o size=4k tmpfs {folder}; head -c 8192 /dev/zero >{folder}/full || :"
    )
    scene.declare(scene.after)
    result = scene.stack.up(check=False)
    scene.host.exec(f"umount {folder}")
    return Ending(result.status, result.output)


def _clock(scene: FirewallScene, watch: Watch) -> Ending:
    """The rollback must not depend on the time of day. Only the timer is checked: a host's clock is this machine's."""

    def look(scene: FirewallScene, _watch: Watch, run: Running) -> Ending:
        shown = scene.host.exec("systemctl show -p TimersMonotonic -p TimersCalendar 'stockade-back-*.timer'").stdout
        assert f"OnActiveUSec={scene.limit}s" in shown
        assert "OnCalendar" not in shown
        release(scene.host)
        return Ending(*run.end())

    return at_in(_drops_ssh(scene.family), AFTER_ARMING, look, scene, watch, more=ACCEPTED)


def _without_systemd(act: Callable[[Any, Watch], Ending], scene: FirewallScene, watch: Watch) -> Ending:
    """Hide systemd from sd_booted(3), so that the rollback is a process of its own."""
    scene.host.exec("mv /run/systemd/system /run/systemd/hidden")
    try:
        return act(scene, watch)
    finally:
        scene.settled()
        scene.host.exec("mv /run/systemd/hidden /run/systemd/system")


def _second_refused(scene: FirewallScene, _watch: Watch) -> Ending:
    """A second run starts during the change of the first, and fails."""
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


def _second_waits(scene: FirewallScene, _watch: Watch) -> Ending:
    """A second run starts, waits for its turn, and succeeds."""
    set_up(scene.host, AFTER_ARMING)
    scene.declare(scene.after)
    second = scene.second()
    with scene.stack.running() as first:
        await_point(scene.host)
        note_calls(scene.host, "/usr/bin/sleep", "0.25")
        with second.running() as other:
            await_call(scene.host)
            release(scene.host)
            ending = Ending(*first.end())
            status, output = other.end()
    assert status == 0, output
    assert scene.host.iptables_save(6).count("--dport 80 ") == 1
    return ending


_jump = partial(Fault, scene=JumpScene)


def _jump_cut_off(scene: JumpScene, watch: Watch, run: Running) -> Ending:
    """The jump host is down for the rest of the run."""
    with watch.excused():
        scene.via.cut()
        try:
            release(scene.host)
            return Ending(*run.end())
        finally:
            scene.via.mend()


FIREWALL_FAULTS: tuple[Fault, ...] = (
    Fault(
        "the ruleset drops SSH, undeclared",
        partial(_refused, _drops_ssh, NOBODY),
        says=("acceptLockout: true",),
        recorded=False,
        everyday=True,
    ),
    Fault("the ruleset drops SSH", partial(_accepted, _drops_ssh, NOBODY), says=NO_LOGIN, everyday=True),
    Fault(
        "the ruleset drops SSH over IPv6 only",
        partial(_accepted, _drops_ssh, NOBODY),
        says=NO_LOGIN,
        family=Family.IPV6,
        everyday=True,
    ),
    Fault("the ruleset drops new connections only", partial(_accepted, _drops_new, NO_NEW), says=NO_LOGIN),
    Fault(
        "the ruleset drops the replies",
        partial(_accepted, _drops_replies, NO_REPLY),
        says=("reverted it",),
        everyday=True,
    ),
    Fault(
        "the ruleset lets in others only, undeclared",
        partial(_refused, _others_only, NOT_YOU),
        says=("acceptLockout: true",),
        recorded=False,
    ),
    Fault("the ruleset lets in others only", partial(_accepted, _others_only, NOT_YOU), says=NO_LOGIN),
    *kills(Fault, "", POINTS, BEFORE_ARMING),
    Fault(
        "the operator's process is killed after applying, and the next run comes at once",
        partial(at, AFTER_APPLYING, kill_and_repeat),
        ends="after",
        limit=60,
        everyday=True,
    ),
    Fault("the change stands still", partial(at, AFTER_ARMING, stand_still), says=("in force again",)),
    *cuts(Fault, "", POINTS),
    *restarts(Fault, "", POINTS, BEFORE_ARMING, everyday=WHILE_CONFIRMING),
    Fault("the disk is full", _full_before, says=("could not be saved", "is the disk full?", "100%"), recorded=False),
    Fault(
        "the disk fills up while SSH is dropped",
        lambda scene, watch: at_in(_drops_ssh(scene.family), AFTER_ARMING, fill_up, scene, watch, more=ACCEPTED),
        recorded=None,
        limit=LONGER,
    ),
    Fault("the clock is moved", _clock, says=NO_LOGIN),
    Fault(
        "the ruleset drops SSH, on a host without systemd",
        partial(_without_systemd, partial(_accepted, _drops_ssh, NOBODY)),
        says=NO_LOGIN,
    ),
    *(
        Fault(
            f"the operator's process is killed {point.name}, on a host without systemd",
            partial(_without_systemd, partial(at, point, kill)),
            everyday=point is AFTER_APPLYING,
        )
        for point in (AFTER_ARMING, AFTER_APPLYING, WHILE_CONFIRMING)
    ),
    Fault("a second run meanwhile", _second_refused, ends="after", recorded=False, limit=60, everyday=True),
    Fault("a second run, which waits", _second_waits, ends="after", recorded=False, limit=60),
    _jump(
        "through a jump host: the ruleset lets in others only, undeclared",
        partial(_refused, _others_only, NOT_YOU),
        says=("acceptLockout: true",),
        recorded=False,
    ),
    _jump(
        "through a jump host: the ruleset lets in others only", partial(_accepted, _others_only, NOT_YOU), says=NO_LOGIN
    ),
    _jump("through a jump host: the operator's process is killed after applying", partial(at, AFTER_APPLYING, kill)),
    _jump("through a jump host: the jump host is cut off after applying", partial(at, AFTER_APPLYING, _jump_cut_off)),
)

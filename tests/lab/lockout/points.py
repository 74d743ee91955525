"""Points of a guarded change at which a run can be stopped, by stand-ins for the host's programs, first on its PATH.

A stand-in stops once, reports it over a fifo and waits on another one, so that nobody has to sleep. It is gone after
the next boot.
"""

from dataclasses import dataclass
from typing import Literal

from local.lab.api import LabHost

PLACE = "/run/point"
LIMIT = 90.0
"""Seconds for a run to reach its point."""

_STAND_IN = """\
#!/bin/sh
stop() {{ echo reached >{place}/reached; read -r _ <{place}/go; }}
case " $* " in *" {argument} "*) ;; *) exec {real} "$@" ;; esac
{applied}
mkdir {place}/once 2>/dev/null || exec {real} "$@"
{before}
{real} "$@"
status=$?
{after}
exit "$status"
"""
_MARKER = """\
#!/bin/sh
{real} "$@"
status=$?
case " $* " in *" {argument} "*) touch {place}/applied ;; esac
exit "$status"
"""
_NOTED = """\
#!/bin/sh
case " $* " in *" {argument} "*) touch {place}/called ;; esac
exec {real} "$@"
"""


@dataclass(frozen=True)
class Call:
    """A program, by its path, and an argument that identifies the call; "": any call."""

    real: str
    argument: str = ""

    @property
    def name(self) -> str:
        """The name of the program."""
        return self.real.rpartition("/")[2]


@dataclass(frozen=True)
class Point:
    """A stop before or after `call`; with `later`, only after the call `later` has ended."""

    name: str
    call: Call
    where: Literal["before", "after"] = "before"
    later: Call | None = None


def _points(save: Call, change: Call) -> tuple[Point, ...]:
    """The stops in a change, by the calls that save the prior state and change it; the new login calls `id -u`."""
    return (
        Point("right before arming", save),
        Point("after arming", change),
        Point("after applying", change, "after"),
        Point("before confirming", Call("/usr/bin/id", "-u"), later=change),
        Point("while confirming", Call("/usr/bin/id", "-u"), "after", later=change),
    )


POINTS = _points(
    Call("/usr/sbin/iptables-save", "-c"),
    Call("/usr/sbin/iptables-restore", "--noflush"),
)
BEFORE_ARMING, AFTER_ARMING, AFTER_APPLYING, BEFORE_CONFIRMING, WHILE_CONFIRMING = POINTS
SSHD_POINTS = _points(Call("/usr/sbin/sshd", "-T"), Call("/usr/bin/systemctl", "reload"))
SSHD_CHANGED = Point("after the change", Call("/usr/bin/rm", "-rf"), later=Call("/usr/bin/systemctl", "reload"))
"""sshd has opened its sockets again; nobody has logged in yet."""
USER_POINTS = _points(Call("/usr/sbin/visudo", "-cqf"), Call("/usr/sbin/usermod", "-aG"))


def set_up(host: LabHost, point: Point) -> None:
    """Let the next change stop at `point`."""
    text = _STAND_IN.format(
        place=PLACE,
        argument=point.call.argument,
        real=point.call.real,
        applied=f'[ -e {PLACE}/applied ] || exec {point.call.real} "$@"' if point.later else "",
        before="stop" if point.where == "before" else "",
        after="stop" if point.where == "after" else "",
    )
    host.exec(f"mount -t tmpfs tmpfs /usr/local/sbin && mkdir {PLACE} && mkfifo {PLACE}/reached {PLACE}/go")
    if point.later:
        marker = _MARKER.format(place=PLACE, argument=point.later.argument, real=point.later.real)
        _install(host, point.later.name, marker)
    _install(host, point.call.name, text)


def await_point(host: LabHost) -> None:
    """Wait until a run stops there."""
    host.exec(f"read -r _ <{PLACE}/reached", limit=LIMIT)


def release(host: LabHost) -> None:
    """Let it continue, if it still waits."""
    host.exec(f"timeout 5 sh -c 'echo go >{PLACE}/go'", check=False)


def note_calls(host: LabHost, real: str, argument: str) -> None:
    """Let `await_call` wait for a call of the program `real` with `argument`; needs a point that is set up."""
    call = Call(real, argument)
    _install(host, call.name, _NOTED.format(place=PLACE, argument=argument, real=real))


def await_call(host: LabHost) -> None:
    """Wait for the call of `note_calls`."""
    script = f"for i in $(seq 600); do [ ! -e {PLACE}/called ] || exit 0; sleep 0.1; done; exit 1"
    host.exec(script, limit=LIMIT)


def take_down(host: LabHost) -> None:
    """Remove the stand-ins."""
    host.exec(f"umount -ql /usr/local/sbin || :; rm -rf {PLACE}")


def _install(host: LabHost, name: str, text: str) -> None:
    host.exec(f"cat >/usr/local/sbin/{name} && chmod +x /usr/local/sbin/{name}", input=text)

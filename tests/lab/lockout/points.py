"""Places in a guarded change at which a run can be held up: stand-ins of the host's own programs, first on its PATH.

A stand-in stops once, says so over one fifo and waits on another, so that nobody has to sleep. It is gone with the
next boot.
"""

from dataclasses import dataclass
from typing import Literal

from local.lab.api import LabHost

PLACE = "/run/point"
LIMIT = 90.0
"""Seconds until a run must have come to its point."""

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
_RESTORE = """\
#!/bin/sh
/usr/sbin/iptables-restore "$@"
status=$?
case " $* " in *" --noflush "*) touch /run/point/applied ;; esac
exit "$status"
"""


@dataclass(frozen=True)
class Point:
    """A stop before or after `real` is run with `argument`; `later`: not before the rules are loaded."""

    name: str
    real: str
    argument: str
    where: Literal["before", "after"] = "before"
    later: bool = False


POINTS = (
    Point("right before arming", "/usr/sbin/iptables-save", "-c"),
    Point("after arming", "/usr/sbin/iptables-restore", "--noflush"),
    Point("after applying", "/usr/sbin/iptables-restore", "--noflush", "after"),
    Point("before confirming", "/usr/sbin/iptables-save", "", later=True),
    Point("while confirming", "/usr/bin/id", "-u", later=True),
)
BEFORE_ARMING, AFTER_ARMING, AFTER_APPLYING, BEFORE_CONFIRMING, WHILE_CONFIRMING = POINTS


def set_up(host: LabHost, point: Point) -> None:
    """Let the next change stop at `point`."""
    text = _STAND_IN.format(
        place=PLACE,
        argument=point.argument or "",
        real=point.real,
        applied=f'[ -e {PLACE}/applied ] || exec {point.real} "$@"' if point.later else "",
        before="stop" if point.where == "before" else "",
        after="stop" if point.where == "after" else "",
    )
    host.exec(f"mount -t tmpfs tmpfs /usr/local/sbin && mkdir {PLACE} && mkfifo {PLACE}/reached {PLACE}/go")
    _install(host, "iptables-restore", _RESTORE)
    _install(host, point.real.rpartition("/")[2], text)


def await_point(host: LabHost) -> None:
    """Wait until a run has come there."""
    host.exec(f"read -r _ <{PLACE}/reached", limit=LIMIT)


def release(host: LabHost) -> None:
    """Let it go on, where it still is."""
    host.exec(f"timeout 5 sh -c 'echo go >{PLACE}/go'", check=False)


def take_down(host: LabHost) -> None:
    """Remove the stand-ins."""
    host.exec(f"umount -ql /usr/local/sbin || :; rm -rf {PLACE}")


def _install(host: LabHost, name: str, text: str) -> None:
    host.exec(f"cat >/usr/local/sbin/{name} && chmod +x /usr/local/sbin/{name}", input=text)

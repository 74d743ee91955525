"""Runs that are killed in the middle of a chapter, at a known point, and continued by the next `up`."""

from collections.abc import Callable

import pytest

from local.lab.api import LabHost
from tests.lab.stack import Stack

PROGRAM = """
import json, pulumi
from components.gai.resource import AddressPreference
from components.config.inventory import connection_props, connections
from components.listeners.resource import Listeners
from components.timesync.resource import TimeSync
from components.updates.resource import AutomaticUpdates
config = pulumi.Config("stockade")
(way,) = connections(config.require_object("hosts"), None).values()
common = {"host": way.name, "connection": connection_props(way)}
AutomaticUpdates("updates", {**common, "rebootTime": "04:30"})
TimeSync("time", {**common, "daemon": "chrony"})
AddressPreference("gai", common)
Listeners("listeners", common)
"""

POINTS = {
    "systemctl": ("-q enable chrony.service", "-q enable apt-daily-upgrade.timer"),
    "mv": ("* /etc/gai.conf",),
    "apt-get": ("* install net-tools",),
}
"""Commands in the middle of each chapter's changes, as patterns of sh."""

# Goes before the program of that name in the PATH of scripts: tells that it was called, and waits to be let through.
SHIM = """\
#!/bin/sh
case "$*" in
    {patterns}) echo "${{0##*/}} $*" >/run/reached; read _ </run/gate ;;
esac
exec /usr/bin/${{0##*/}} "$@"
"""


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("interrupted1")


def stop_at(host: LabHost, points: dict[str, tuple[str, ...]]) -> None:
    """Let each of these commands wait at a gate."""
    for program, patterns in points.items():
        text = SHIM.format(patterns=" | ".join(pattern.replace(" ", "\\ ") for pattern in patterns))
        host.exec(f"cat >/usr/local/sbin/{program} && chmod 755 /usr/local/sbin/{program}", input=text)
    host.exec("mkfifo /run/reached /run/gate")


def reached(host: LabHost, count: int) -> list[str]:
    """Wait until so many of them are at the gate."""
    return host.exec(f"timeout 120 head -n {count} <>/run/reached").stdout.splitlines()


def shape(host: LabHost) -> str:
    """What `destroy` must give back."""
    return host.exec(
        "find /etc /var/lib/stockade -not -name 'ld.so.cache' -not -name '*-' 2>/dev/null | sort | while read -r p; do "
        'stat -c "%n %F %a %U %G" "$p"; if [ -L "$p" ]; then readlink "$p"; elif [ -f "$p" ]; then cksum <"$p"; fi; '
        "done; dpkg-query -W -f '${db:Status-Status} ${Package}\\n';"
        "systemctl is-active apt-daily.timer apt-daily-upgrade.timer || :"
    ).stdout


@pytest.mark.parametrize("power_cut", [False, True])
def test_every_chapter_is_continued(host: LabHost, new_stack: Callable[..., Stack], power_cut: bool) -> None:
    host.reset()
    host.exec(
        "export DEBIAN_FRONTEND=noninteractive; apt-get install -qy unattended-upgrades chrony </dev/null;"
        "systemctl -q disable chrony; systemctl -q disable --now apt-daily-upgrade.timer;"
        "systemctl -q mask apt-daily.timer;"
        "mv /usr/bin/ss /usr/bin/ss.away"
    )
    before = shape(host)
    stop_at(host, POINTS)
    stack = new_stack(host, program=PROGRAM)
    with stack.running() as engine:
        stopped = reached(host, 4)
        engine.kill()
    assert {line.split()[0] for line in stopped} == set(POINTS)
    assert len(set(stopped)) == 4
    if power_cut:
        host.exec(f"cd /usr/local/sbin; rm {' '.join(POINTS)}")
        host.reboot(hard=True)
    else:  # what was sent to the host comes to its end there, maybe while the next run is waiting for it
        host.exec(f"cd /usr/local/sbin; rm {' '.join(POINTS)}; printf '\\n\\n\\n\\n' >/run/gate")
    stack.up()
    assert 'APT::Periodic::Unattended-Upgrade "1";' in host.exec("apt-config dump").stdout
    timers = host.exec("systemctl is-enabled chrony apt-daily.timer apt-daily-upgrade.timer").stdout
    assert timers.split() == ["enabled"] * 3
    assert "\nprecedence ::ffff:0:0/96  100\n" in host.exec("cat /etc/gai.conf").stdout
    assert host.exec("netstat -tln").stdout
    stack.refresh()
    stack.unchanged()
    stack.destroy()
    assert shape(host) == before

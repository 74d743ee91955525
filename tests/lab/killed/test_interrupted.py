"""Runs that are killed at a known point in the middle of a chapter, and continued by the next `up`."""

from collections.abc import Callable, Sequence

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.stack import Stack
from tests.lab.stacks.test_ownership import ENGINES

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
"""Commands in the middle of each chapter's changes, as sh patterns."""

# Precedes the program of that name in the PATH of scripts: reports its call, and waits at a gate.
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
    """Make each of these commands wait at a gate."""
    for program, patterns in points.items():
        text = SHIM.format(patterns=" | ".join(pattern.replace(" ", "\\ ") for pattern in patterns))
        host.exec(f"cat >/usr/local/sbin/{program} && chmod 755 /usr/local/sbin/{program}", input=text)
    host.exec("mkfifo /run/reached /run/gate")


def reached(host: LabHost, count: int) -> list[str]:
    """Wait until `count` of them are at the gate."""
    return host.exec(f"timeout 120 head -n {count} <>/run/reached").stdout.splitlines()


def shape(host: LabHost) -> str:
    """The state that `destroy` must restore."""
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
    else:  # the script finishes on the host, maybe while the next run waits for it
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


CHANGES = """
import pulumi
from components.gai.resource import AddressPreference
from components.config.inventory import stack_inventory
from components.updates.resource import AutomaticUpdates
config = pulumi.Config("stockade")
for name in config.require_object("groups"):  # what the engine makes before it asks the provider for anything
    pulumi.ComponentResource("test:index:Group", name)
for host in stack_inventory():
    AutomaticUpdates("updates", {"host": host, "rebootTime": config.require("time")})
    if config.get_bool("ipv4First"):
        AddressPreference("gai", {"host": host})
"""
PREFERRED = "grep -qx 'precedence ::ffff:0:0/96  100' /etc/gai.conf"
DROP_IN = "/etc/apt/apt.conf.d/99stockade-updates"


def kill_at(stack: Stack, host: LabHost, pattern: str, came_of_it: str, *options: str) -> None:
    """Kill an `up` whose `mv` is about to put a file in place; the host finishes it."""
    stop_at(host, {"mv": (pattern,)})
    with stack.running("up", *options) as run:
        reached(host, 1)
        run.kill()
    host.exec("rm /usr/local/sbin/mv; printf '\\n' >/run/gate; rm /run/gate /run/reached")
    host.exec(f"for i in $(seq 100); do {came_of_it} && exit 0; sleep 0.1; done; exit 1")
    if stack.environment["STOCKADE_ENGINE"] == "pulumi":
        stack.pulumi("cancel", "--yes")


@pytest.mark.parametrize("engine", ENGINES)
def test_what_a_killed_run_changed_is_not_believed_to_be_as_before(
    engine: str, host: LabHost, new_stack: Callable[..., Stack]
) -> None:
    """Meanwhile the config is reverted to what the state has, and the host is down for a run."""
    host.reset()
    host.exec("DEBIAN_FRONTEND=noninteractive apt-get install -qy unattended-upgrades </dev/null")
    before = shape(host)
    stack = new_stack(program=CHANGES)
    stack.environment = {"STOCKADE_ENGINE": engine, "STOCKADE_POLICIES": "off"}
    hosts = {host.name: entry(host, connectTimeout=1, perDialTimeout=1)}

    def declare(time: str = "04:30", *, first: bool = True, groups: Sequence[str] = ()) -> None:
        stack.configure(hosts=hosts, time=time, ipv4First=first, groups=[*groups])

    def as_declared() -> None:
        assert '"04:30"' in host.exec(f"cat {DROP_IN}").stdout
        host.exec(PREFERRED)
        stack.unchanged()

    declare()
    stack.up()
    as_declared()

    declare("05:30")
    kill_at(stack, host, f"* {DROP_IN}", f"grep -q 05:30 {DROP_IN}")
    declare(groups=["new"])
    assert "interrupted" in stack.preview()
    host.cut()
    failed = stack.up(check=False)
    host.mend()
    assert failed.status != 0
    stack.up()
    as_declared()

    declare("06:30")
    kill_at(stack, host, f"* {DROP_IN}", f"grep -q 06:30 {DROP_IN}", f"--replace={stack.urn('updates')}")
    declare()
    stack.up()
    as_declared()

    declare(first=False)
    kill_at(stack, host, "* /etc/gai.conf", f"! {PREFERRED}")
    declare()
    assert "interrupted" in stack.up()
    as_declared()

    stack.destroy()
    assert shape(host) == before

"""Listeners on a lab host: before and after the guide's purge, as drift, and with netstat if there is no ss."""

from collections.abc import Callable

import pytest

from components.listeners.settings import EXPECTED
from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.outside import listen
from tests.lab.stack import Stack

pytestmark = pytest.mark.usefixtures("pristine")

PROGRAM = """
import json, pulumi
from components.config.inventory import connection_props, connections
from components.listeners.resource import Listeners
from components.packages.resource import Packages
from components.packages.settings import UNNECESSARY
from components.timesync.settings import TimeSyncSettings
from components.timesync.resource import TimeSync
config = pulumi.Config("stockade")
(way,) = connections(config.require_object("hosts"), None).values()
wanted = config.require_object("wanted")
common = {"host": way.name, "connection": connection_props(way)}
before = []
if wanted.get("remove"):
    before = [Packages("gone", {**common, "absent": UNNECESSARY, "group": "removed"})]
if wanted.get("daemon"):
    present, absent = TimeSyncSettings(daemon=wanted["daemon"]).packages()
    packages = Packages("time", {**common, "present": present, "absent": absent, "group": "time"})
    props = {**common, "daemon": wanted["daemon"], "triggers": packages.triggers_for(wanted["daemon"])}
    TimeSync("time", props, pulumi.ResourceOptions(depends_on=[packages]))
Listeners("l", {**common, **wanted["listeners"]}, pulumi.ResourceOptions(depends_on=before))
"""


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("lis1")


@pytest.fixture
def stack(new_stack: Callable[..., Stack], host: LabHost) -> Stack:
    return new_stack(host, program=PROGRAM)


def want(stack: Stack, host: LabHost, listeners: dict[str, object] | None = None, **more: object) -> None:
    stack.configure(hosts={host.name: entry(host)}, wanted={"listeners": listeners or {}, **more})


def observed(stack: Stack) -> dict[str, list[str]]:
    resource = next(item for item in stack.state() if item["type"].endswith(":Listeners"))
    facts: dict[str, list[str]] = resource["outputs"]["observed"]
    return facts


def test_the_guides_purge_leaves_sshd_alone(host: LabHost, stack: Stack) -> None:
    host.exec("apt-get install -y --no-install-recommends rpcbind exim4-daemon-light </dev/null")
    want(stack, host, {"unexpected": "fail"})
    failed = stack.up(check=False)
    assert failed.status != 0
    assert "tcp 0.0.0.0:111 rpcbind (package rpcbind)" in failed
    assert "rpcbind:111/udp" in failed
    want(stack, host, {"unexpected": "fail"}, remove=True)
    stack.up()
    facts = observed(stack)
    assert facts["listening"] == [
        "tcp 0.0.0.0:22 sshd (package openssh-server)",
        "tcp [::]:22 sshd (package openssh-server)",
    ]
    assert facts["unexpected"] == facts["loopback"] == []
    stack.unchanged()
    stack.destroy()
    assert "rpcbind" in host.exec("ss -tlnp").stdout


def test_a_new_listener_is_drift(host: LabHost, stack: Stack) -> None:
    want(stack, host)
    assert "unexpected listeners" not in stack.up()
    listen(host, 8080)
    host.exec(["systemd-run", "-q", "--unit=lo", "nc", "-lk", "127.0.0.1", "9090"])
    stack.refresh()
    diff = stack.preview(check=False)
    assert "unexpectedListeners" in diff
    assert "tcp 0.0.0.0:8080 nc" in diff
    assert "expected:" not in diff
    assert "9090" not in diff
    # stopped by hand: as if it had never been there
    host.exec("systemctl stop listen4-8080 listen6-8080")
    stack.refresh()
    stack.unchanged()
    listen(host, 8080)
    stack.refresh()
    warned = stack.up()
    assert "unexpected listeners" in warned
    assert {line.split()[1].rpartition(":")[2] for line in observed(stack)["unexpected"]} == {"8080"}
    assert {line.split()[0] for line in observed(stack)["unexpected"]} == {"tcp"}
    assert [line.split()[1] for line in observed(stack)["loopback"]] == ["127.0.0.1:9090"]
    stack.refresh()
    stack.unchanged()
    # checked as well, on request
    want(stack, host, {"unexpected": "fail", "loopback": True, "expected": [*EXPECTED, ":8080"]})
    assert "127.0.0.1:9090" in stack.up(check=False)


def test_without_ss_and_netstat_net_tools_comes_and_goes(host: LabHost, stack: Stack) -> None:
    host.exec("mv /bin/ss /bin/ss.away")
    want(stack, host)
    stack.up()
    assert "tcp [::]:22 sshd (package openssh-server)" in observed(stack)["listening"]
    assert host.exec("netstat -tln").stdout
    stack.destroy()
    assert "net-tools" not in host.exec("dpkg -l").stdout


def test_another_time_daemon_in_the_place_of_ntpd(host: LabHost, stack: Stack) -> None:
    host.exec("apt-get install -y --no-install-recommends ntpsec </dev/null; echo '# mine' >>/etc/ntpsec/ntp.conf")
    before = host.exec("dpkg -l | awk '/^ii/ {print $2}'; cksum /etc/ntpsec/ntp.conf").stdout
    want(stack, host, daemon="openntpd")
    stack.up()
    packages = host.exec("dpkg -l").stdout
    assert "openntpd" in packages
    assert "ntpsec" not in packages
    stack.unchanged()
    host.exec("systemctl disable openntpd")
    stack.refresh()
    assert "running" in stack.preview(check=False)
    stack.up()
    assert host.exec("systemctl is-enabled openntpd").stdout == "enabled\n"
    want(stack, host, daemon="chrony")
    stack.up()
    assert "openntpd" not in host.exec("dpkg -l").stdout
    assert host.exec("systemctl is-enabled chrony").stdout == "enabled\n"
    stack.destroy()
    assert host.exec("dpkg -l | awk '/^ii/ {print $2}'; cksum /etc/ntpsec/ntp.conf").stdout == before

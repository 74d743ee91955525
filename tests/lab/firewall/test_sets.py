"""Sets used by rules: declared, created before the rules at boot, restored."""

from collections.abc import Callable
from typing import Any

import pytest

from local.lab.api import OUTSIDE_IPV4, OUTSIDE_IPV6, Lab, LabHost
from tests.lab.conftest import entry
from tests.lab.firewall.test_boot import INSTALL_IPSET, LOOKED
from tests.lab.outside import probe_ports
from tests.lab.stack import Stack

RULES = {
    "ipv4": {
        "commands": [
            "-I INPUT 1 -m set --match-set blocklist src -j REJECT",
            "-I INPUT 2 -m set --match-set watched src -j LOG",
        ]
    },
    "ipv6": {"commands": ["-I INPUT 4 -m set --match-set blocklist6 src -j REJECT"]},
}
SAVED = "ipset save | sed 's/ bucketsize.*//' | sort"
BANNED, FREE = {22: "refused"}, {22: "open"}


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("sets1")


def declared(host: LabHost, ipv4: list[str], ipv6: list[str]) -> dict[str, Any]:
    sets = {"blocklist": {"entries": ipv4}, "blocklist6": {"family": "inet6", "entries": ipv6}, "watched": {}}
    return {"hosts": {host.name: entry(host)}, "firewall": {**RULES, "sets": sets}}


def seen(lab: Lab, host: LabHost) -> tuple[dict[int, str], dict[int, str]]:
    answers = probe_ports(lab, host, [22])
    return answers["ipv4"], answers["ipv6"]


def test_sets_from_the_first_rule_to_the_last(lab: Lab, host: LabHost, new_stack: Callable[..., Stack]) -> None:
    host.exec(INSTALL_IPSET)
    host.exec("ipset create blocklist hash:net; ipset add blocklist 203.0.113.0/24; ipset create other hash:ip")
    prior = host.exec(SAVED).stdout
    stack = new_stack(host, firewall=RULES)
    refused = stack.preview(check=False)
    assert refused.status != 0
    assert "at boot there is no set blocklist" in refused
    assert "declare it under `sets`" in refused

    stack.configure(**declared(host, [OUTSIDE_IPV4, "192.0.2.0/24"], [OUTSIDE_IPV6]))
    stack.up()
    stack.unchanged()
    assert seen(lab, host) == (BANNED, BANNED)
    host.exec("ipset add watched 192.0.2.7")  # by whatever program fills it
    stack.refresh()
    stack.unchanged()
    host.reboot()
    host.exec(LOOKED)
    assert "STOCKADE" not in host.iptables_save(4)
    assert seen(lab, host) == (BANNED, BANNED)
    stack.refresh()
    stack.unchanged()

    # changed by hand, and corrected
    host.exec(f"ipset del blocklist {OUTSIDE_IPV4}; ipset add blocklist 192.0.2.128/25")
    assert seen(lab, host) == (FREE, BANNED)
    stack.refresh()
    diff = stack.preview(check=False)
    assert f"+ add blocklist {OUTSIDE_IPV4}" in " ".join(diff.output.split())
    assert "- add blocklist 192.0.2.128/25" in " ".join(diff.output.split())
    stack.up()
    assert seen(lab, host) == (BANNED, BANNED)

    # removed by hand from the next boot, and corrected
    kept = "/var/lib/stockade/boot/ipv4/sets"
    unit = "systemctl -q {} stockade-sets"
    for change, undo in (
        (f"cp -p {kept} /root/; sed -i '/^add blocklist/d' {kept}", f"cp -p /root/sets {kept}"),
        (unit.format("disable"), unit.format("enable")),
    ):
        host.exec(change)
        stack.refresh()
        assert "persistent" in stack.preview(check=False)
        host.exec(undo)
        stack.refresh()
        stack.unchanged()
    host.exec(f"rm {kept}; {unit.format('disable')}")
    stack.refresh()
    stack.up()
    stack.unchanged()
    assert f"add blocklist {OUTSIDE_IPV4}" in host.exec(f"cat {kept}").stdout
    assert host.exec("systemctl is-enabled stockade-sets").stdout == "enabled\n"

    # a set that locks the administrator out is rolled back
    stack.configure(**declared(host, ["198.51.100.1"], []))
    failed = stack.up(check=False)
    assert "the change was not kept" in failed
    assert seen(lab, host)[0] == BANNED
    assert "198.51.100.1\n" not in host.exec("ipset save").stdout
    stack.configure(**declared(host, ["192.0.2.1"], []))
    stack.up()
    assert seen(lab, host) == (FREE, FREE)
    stack.unchanged()

    # no set at boot: the host is closed, and reports it
    host.exec("rm /var/lib/stockade/boot/ipv4/sets; systemctl stop netfilter-persistent")
    host.reboot()
    host.exec(LOOKED)
    assert "CLOSED but for TCP port 22" in host.exec("journalctl -b -q --no-pager -t stockade").stdout
    assert "blocklist doesn't exist" in host.exec("cat /var/lib/stockade/boot/ipv4.closed").stdout
    stack.refresh()
    assert "closed at boot" in stack.preview(check=False)
    stack.up()
    stack.unchanged()
    assert sorted(host.exec("ipset list -n").stdout.split()) == ["blocklist", "blocklist6", "watched"]

    host.exec("ipset create other hash:ip")  # as before, although nobody restores it at boot
    stack.destroy()
    assert host.exec(SAVED).stdout == prior
    assert host.exec("find /etc /var/lib/stockade -name '*stockade-*' -o -name boot -path '*stockade*'").stdout == ""

"""Names in rules: changed addresses are drift."""

from collections.abc import Callable
from typing import Any

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.stack import Stack

pytestmark = pytest.mark.usefixtures("pristine")


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("names1")


def named(host: LabHost, *addresses: str) -> None:
    """Make longview.linode.com resolve to these addresses on the host."""
    lines = "".join(f"{address} longview.linode.com\\n" for address in addresses)
    host.exec(f"sed -i /longview/d /etc/hosts; printf '{lines}' >>/etc/hosts")


def sources(host: LabHost) -> list[str]:
    """The sources in rules in force, from the documentation range that names have here."""
    lines = host.exec("iptables -S INPUT").stdout.splitlines()
    return [line.split()[3] for line in lines if "-s 192.0.2." in line]


def test_addresses_that_change_are_drift_and_the_next_up_follows(
    host: LabHost, new_stack: Callable[..., Stack]
) -> None:
    named(host, "192.0.2.7", "192.0.2.8")
    stack = new_stack(host, firewall={"longview": True})
    stack.up()
    assert sources(host) == ["192.0.2.7/32", "192.0.2.8/32"]
    named(host, "192.0.2.8", "192.0.2.7")  # name servers rotate answers
    stack.refresh()
    stack.unchanged()
    named(host)  # no answer is no change of address
    stack.refresh()
    stack.unchanged()
    named(host, "192.0.2.9")
    stack.refresh()
    drift = stack.preview(check=False).output
    shown = [" ".join(line.split()) for line in drift.splitlines() if "192.0.2." in line or "longview" in line]
    rules = [line for line in shown if " -A " in line]
    assert [line.split()[0] + " " + line.split()[4] for line in rules] == [
        "- 192.0.2.7/32",
        "- 192.0.2.8/32",
        "+ longview.linode.com",
    ]
    stack.up()
    assert sources(host) == ["192.0.2.9/32"]
    assert "192.0.2.9" in host.exec("cat /etc/iptables/rules.v4").stdout
    stack.refresh()
    stack.unchanged()


def test_a_pasted_ruleset_that_ends_ipv6_brings_the_line_of_gai_conf_and_takes_it_along(
    host: LabHost, new_stack: Callable[..., Stack]
) -> None:
    def preferred() -> str:
        return host.exec("grep -c '^precedence ::ffff:0:0/96  *100' /etc/gai.conf || :").stdout.strip()

    rules = "".join(f"-A {chain} -j REJECT\n" for chain in ("INPUT", "FORWARD", "OUTPUT"))
    guide = f"*filter\n# Reject all IPv6 on all chains.\n{rules}COMMIT\n"
    rejected: dict[str, Any] = {"ipv6": {"rules": guide}}
    stack = new_stack(host, firewall=rejected)
    before = host.exec("cat /etc/gai.conf").stdout
    stack.up()
    assert preferred() == "1"
    stack.configure(hosts={host.name: entry(host)}, firewall={})
    stack.up()
    assert host.exec("cat /etc/gai.conf").stdout == before

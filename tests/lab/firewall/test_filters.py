"""Other firewalls on a host: found, named, taken over on request, restored; their reloads are reported as the cause."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from local.lab.api import Lab, LabHost
from tests.lab.conftest import entry
from tests.lab.outside import listen, probe_ports
from tests.lab.stack import Stack

pytestmark = pytest.mark.usefixtures("pristine")

TABLE = """table inet company {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		iif "lo" accept
		meta l4proto ipv6-icmp accept
		tcp dport 22 accept
	}
}
"""
TAKE_OVER = {"takeOver": True}


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("filters1")


def filters(host: LabHost) -> dict[str, str]:
    """All other firewalls, and what loads them."""
    units = "for u in nftables firewalld fail2ban; do systemctl is-enabled $u; systemctl is-active $u; done 2>&1"
    shown = {
        "tables": "nft -s list ruleset | grep -v '^#'",
        "legacy": "iptables-legacy-save; ip6tables-legacy-save",
        "units": units,
        "files": "cat /etc/nftables.conf; ls /etc/iptables /var/lib/stockade /run/systemd/system 2>&1",
    }
    texts = {name: host.exec(f"{{ {command}; }} || :").stdout for name, command in shown.items()}
    return {name: re.sub(r"(?m)^#.*\n|\[\d+:\d+\]", "", text) for name, text in texts.items()}


def nftables_conf(host: LabHost, text: str = f"flush ruleset\n{TABLE}") -> None:
    host.exec("cat >/etc/nftables.conf", input=f"#!/usr/sbin/nft -f\n{text}")


def test_nftables_service_is_named_taken_over_and_given_back(
    lab: Lab, host: LabHost, new_stack: Callable[..., Stack]
) -> None:
    listen(host, 80, 443)
    nftables_conf(host)
    host.exec("systemctl -q enable nftables")
    stack = new_stack(host, firewall={})
    assert "nftables.service starts at the next boot, and starts with `flush ruleset`" in stack.up(check=False)
    host.exec("systemctl start nftables")
    before = filters(host)
    refused = stack.up(check=False)
    assert refused.status != 0
    assert "nftables.service is active, and starts with `flush ruleset`" in refused
    assert "the nftables table inet company drops packets, too" in refused
    assert "takeOver: true" in refused
    assert {**filters(host), "files": ""} == {**before, "files": ""}  # except for the package

    stack.configure(hosts={host.name: entry(host)}, firewall=TAKE_OVER)
    stack.up()
    expected = {22: "open", 80: "open", 443: "open", 8080: "refused"}
    assert probe_ports(lab, host, expected) == {"ipv4": expected, "ipv6": expected}
    assert "company" not in filters(host)["tables"]
    stack.refresh()
    stack.unchanged()
    declared = filters(host)
    assert host.exec("systemctl restart nftables", check=False).returncode != 0  # it would flush our rules
    assert filters(host) == declared

    host.reboot()
    listen(host, 80)
    expected = {22: "open", 80: "open", 8080: "refused"}
    assert probe_ports(lab, host, expected) == {"ipv4": expected, "ipv6": expected}
    stack.refresh()
    stack.unchanged()
    stack.destroy()
    assert {**filters(host), "files": ""} == {**before, "files": ""}
    assert "rules.v" not in filters(host)["files"]


def test_a_table_of_another_tool_and_rules_of_iptables_legacy(
    lab: Lab, host: LabHost, new_stack: Callable[..., Stack]
) -> None:
    listen(host, 80)
    host.exec("nft -f -", input=TABLE)
    host.exec("iptables-legacy -A INPUT -p tcp --dport 80 -j DROP; ip6tables-legacy -P FORWARD DROP")
    host.exec(
        "iptables-legacy -N f2b-x; iptables-legacy -I INPUT -p tcp --dport 25 -j f2b-x"
    )  # only fail2ban uses this chain
    before = filters(host)
    stack = new_stack(host, firewall={})
    refused = stack.up(check=False)
    assert "the nftables table inet company drops packets, too" in refused
    assert "rules of iptables-legacy, too (`iptables-legacy-save` shows them)" in refused
    assert "or name it in `beside`" in refused

    beside = {"beside": ["inet company", "iptables-legacy"]}
    stack.configure(hosts={host.name: entry(host)}, firewall=beside)
    stack.up()
    told = (
        "possibly less than that: the nftables table inet company may deny more"  # the CLI shows only the first lines
    )
    assert {told in item["inputs"]["exposure"] for item in stack.state() if "Ruleset" in item["type"]} == {True}
    assert probe_ports(lab, host, [80])["ipv4"] == {80: "silent"}
    stack.refresh()
    stack.unchanged()

    stack.configure(hosts={host.name: entry(host)}, firewall=TAKE_OVER)
    stack.up()
    expected = {22: "open", 80: "open", 8080: "refused"}
    assert probe_ports(lab, host, expected) == {"ipv4": expected, "ipv6": expected}
    assert "-j f2b-x" in filters(host)["legacy"]
    stack.refresh()
    stack.unchanged()
    stack.destroy()
    assert filters(host) == before


def test_a_take_over_that_is_not_confirmed_goes_back(lab: Lab, host: LabHost, new_stack: Callable[..., Stack]) -> None:
    nftables_conf(host)
    host.exec("systemctl enable --now nftables; iptables-legacy -A INPUT -p tcp --dport 80 -j DROP")
    before = filters(host)
    closed: dict[str, Any] = {"ipv4": {"rules": "-P INPUT DROP"}, "acceptLockout": True, "confirmWithin": 5}
    stack = new_stack(host, firewall={**TAKE_OVER, **closed})
    failed = stack.up(check=False)
    assert "no new login worked" in failed
    after = filters(host)
    assert TABLE in after["tables"]
    assert "-A INPUT -j" not in host.iptables_save(4)
    assert {part: after[part] for part in ("legacy", "units")} == {part: before[part] for part in ("legacy", "units")}
    assert probe_ports(lab, host, [22, 8080])["ipv4"] == {22: "open", 8080: "silent"}


def test_a_reload_of_theirs_that_empties_our_rules_is_drift_by_its_cause(
    host: LabHost, new_stack: Callable[..., Stack]
) -> None:
    stack = new_stack(host, firewall={})
    stack.up()
    nftables_conf(host)
    host.exec("systemctl start nftables")
    stack.refresh()
    drift = stack.preview(check=False)
    assert "our rules were flushed: by nftables.service" in drift
    assert "not as declared: nftables.service is active, and starts with `flush ruleset`" in drift
    assert "nftables.service is active" in stack.up(check=False)
    stack.configure(hosts={host.name: entry(host)}, firewall=TAKE_OVER)
    stack.up()
    stack.refresh()
    stack.unchanged()
    host.exec("nft flush ruleset")
    stack.refresh()
    assert "our rules were flushed since they were loaded" in stack.preview(check=False)
    agent = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/sbin/nft flush ruleset\n"
    stack.up()
    host.exec("cat >/etc/systemd/system/cloud-agent.service; systemctl daemon-reload", input=agent)
    host.exec("systemctl start cloud-agent")
    stack.refresh()
    assert "our rules were flushed: by cloud-agent.service" in stack.preview(check=False)
    stack.up()
    stack.refresh()
    stack.unchanged()
    stack.destroy()
    assert host.exec("systemctl is-active nftables", check=False).stdout == "active\n"


def test_what_ends_with_firewalld_runs_again(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    install = "DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends firewalld </dev/null"
    partly = "[Unit]\nPartOf=firewalld.service\n[Service]\nExecStart=/usr/bin/sleep infinity\n"
    host.exec(f"{install}; cat >/etc/systemd/system/partly.service", input=partly)
    host.exec("firewall-cmd -q --permanent --add-service=http; firewall-cmd -q --reload; systemctl start partly")
    before = filters(host)
    stack = new_stack(host, firewall={}, fail2ban={})
    refused = stack.up(check=False)
    assert "firewalld is active" in refused, refused.output
    assert host.exec("systemctl is-active fail2ban").stdout == "active\n"
    stack.configure(hosts={host.name: entry(host)}, fail2ban={}, firewall=TAKE_OVER)
    stack.up()
    assert host.exec("systemctl is-active fail2ban partly").stdout == "active\nactive\n"
    assert host.exec("systemctl is-active firewalld", check=False).stdout == "inactive\n"
    assert "sshd" in host.exec("fail2ban-client status").stdout
    stack.refresh()
    stack.unchanged()
    assert "unchanged" in stack.up()
    stack.destroy()
    after = filters(host)
    assert after["units"] == before["units"]
    assert "http" in host.exec("firewall-cmd --list-services").stdout
    assert host.exec("systemctl is-active partly").stdout == "active\n"

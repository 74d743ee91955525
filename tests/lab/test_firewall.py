"""The firewall on a real host, from `up` to `destroy`, seen from outside."""

import re
from collections.abc import Callable, Iterator

import pytest

from local.lab.api import OUTSIDE_IPV4, Lab, LabHost
from tests.lab.outside import knock, listen, pings
from tests.lab.stack import Stack

OPEN = dict.fromkeys((22, 80, 443), "open") | {8080: "refused"}


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("firewall1")


@pytest.fixture(autouse=True)
def _pristine(host: LabHost) -> Iterator[None]:
    yield
    host.reset()


@pytest.fixture
def stack(new_stack: Callable[..., Stack], host: LabHost) -> Stack:
    return new_stack(host)


def saved(host: LabHost) -> tuple[str, str]:
    """Both rulesets as iptables-save prints them, without the date and the counters."""

    def plain(text: str) -> str:
        return re.sub(r"\[\d+:\d+\]", "", "\n".join(line for line in text.splitlines() if not line.startswith("#")))

    return plain(host.iptables_save(4)), plain(host.iptables_save(6))


def test_only_the_declared_services_can_be_reached_also_after_a_reboot(lab: Lab, host: LabHost, stack: Stack) -> None:
    listen(host, 80, 443, 8080)
    assert knock(lab, host, [8080]) == {"ipv4": {8080: "open"}, "ipv6": {8080: "open"}}
    stack.up()
    expected = {"ipv4": OPEN, "ipv6": OPEN}
    assert knock(lab, host, OPEN) == expected
    assert pings(lab, host) == {"ipv4": True, "ipv6": True}
    host.exec("ip -6 neigh flush all; ip -4 neigh flush all")
    lab.outside(["ip", "-6", "neigh", "flush", "all"])
    assert knock(lab, host, OPEN) == expected

    host.reboot()
    listen(host, 80, 443, 8080)
    assert knock(lab, host, OPEN) == expected
    assert pings(lab, host) == {"ipv4": True, "ipv6": True}
    stack.unchanged()


def test_a_second_up_changes_nothing_and_asks_no_host(host: LabHost, stack: Stack) -> None:
    stack.up()
    before = host.exec("journalctl -q -u ssh --no-pager | grep -c 'Accepted publickey'").stdout
    assert "unchanged" in stack.up()
    stack.unchanged()
    assert host.exec("journalctl -q -u ssh --no-pager | grep -c 'Accepted publickey'").stdout == before


def test_a_rule_added_by_hand_is_shown_and_taken_back(lab: Lab, host: LabHost, stack: Stack) -> None:
    listen(host, 8080)
    stack.up()
    declared = saved(host)
    host.exec("iptables -I INPUT 9 -p tcp --dport 8080 -j ACCEPT")
    assert knock(lab, host, [8080])["ipv4"] == {8080: "open"}
    refreshed = stack.refresh()
    assert "~ 1 updated" in refreshed or "1 to update" in refreshed or "updated" in refreshed
    diff = stack.preview(check=False)
    assert changed_lines(diff.output) == ["- -A INPUT -p tcp -m tcp --dport 8080 -j ACCEPT"]
    stack.up()
    assert saved(host) == declared
    assert knock(lab, host, [8080])["ipv4"] == {8080: "refused"}
    stack.refresh()
    stack.unchanged()


def test_fail2bans_chain_and_its_ban_survive(lab: Lab, host: LabHost, stack: Stack) -> None:
    host.exec(
        f"iptables -N f2b-sshd; iptables -A f2b-sshd -s {OUTSIDE_IPV4} -j REJECT; iptables -A f2b-sshd -j RETURN;"
        "iptables -I INPUT -p tcp -m multiport --dports 22 -j f2b-sshd"
    )
    banned = {22: "refused"}
    assert knock(lab, host, [22])["ipv4"] == banned
    stack.up()
    assert knock(lab, host, [22])["ipv4"] == banned
    host.exec("iptables -I f2b-sshd -s 192.0.2.7 -j REJECT")
    stack.refresh()
    stack.unchanged()
    host.exec("iptables -A INPUT -p tcp --dport 9999 -j ACCEPT")
    stack.refresh()
    stack.up()
    assert knock(lab, host, [22])["ipv4"] == banned
    rules = host.exec("iptables -S f2b-sshd").stdout
    assert rules.count("REJECT") == 2
    boot = host.exec("cat /etc/iptables/rules.v4").stdout
    assert "f2b" not in boot
    assert "--dport 22" in boot
    stack.destroy()
    assert knock(lab, host, [22])["ipv4"] == banned
    assert host.exec("iptables -S f2b-sshd").stdout == rules


@pytest.mark.parametrize("prior", ["", "rules"])
def test_destroy_gives_back_what_was_there(host: LabHost, stack: Stack, prior: str) -> None:
    if prior:
        host.exec(
            "iptables -P FORWARD DROP; iptables -A INPUT -s 198.51.100.7/32 -p udp -m udp --dport 53 -j DROP;"
            "iptables -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT;"
            "iptables -t nat -A POSTROUTING -o host0 -j MASQUERADE;"
            "ip6tables -A INPUT -p tcp -m tcp --dport 25 -j REJECT --reject-with tcp-reset"
        )
    before = saved(host)
    files = host.exec("ls -la /etc/iptables 2>&1 || :").stdout
    packages = host.exec("dpkg -l | awk '/^ii/ {print $2, $3}'").stdout
    stack.up()
    assert saved(host) != before
    stack.destroy()
    assert saved(host) == before
    assert host.exec("ls -la /etc/iptables 2>&1 || :").stdout == files
    assert host.exec("dpkg -l | awk '/^ii/ {print $2, $3}'").stdout == packages
    assert host.exec("ls /var/lib/stockade 2>&1 || :").stdout.strip().endswith("No such file or directory")


def test_one_edited_rule_is_one_changed_line_and_open_connections_carry_on(
    lab: Lab, host: LabHost, new_stack: Callable[..., Stack]
) -> None:
    stack = new_stack(host, firewall={"services": [{"name": "app", "ports": [8443], "sources": ["198.51.100.0/24"]}]})
    stack.up()
    stack.configure(
        hosts={host.name: stack_entry(stack, host)},
        firewall={"services": [{"name": "app", "ports": [8444], "sources": ["198.51.100.0/24"]}]},
    )
    diff = stack.preview()
    lines = changed_lines(diff.output)
    assert len(lines) == 2, diff.output
    assert [re.sub(r"844[34]", "PORT", line[2:]) for line in lines] == [lines[0][2:].replace("8443", "PORT")] * 2
    assert {line[0] for line in lines} == {"-", "+"}


def changed_lines(output: str) -> list[str]:
    """The removed and added lines of rules in a diff."""
    return [
        re.sub(r"^\s*([-+])\s*", r"\1 ", line) for line in output.splitlines() if re.match(r"\s*[-+]\s+-[AP] ", line)
    ]


def stack_entry(stack: Stack, host: LabHost) -> dict[str, object]:
    from tests.lab.conftest import entry

    return entry(host)

"""The firewall on a lab host, from `up` to `destroy`, probed from outside."""

import re
import subprocess
import threading
import time
from collections.abc import Callable

import pytest

from local.lab.api import OUTSIDE_IPV4, Lab, LabHost
from tests.lab.conftest import entry
from tests.lab.outside import listen, pings, probe_ports
from tests.lab.stack import Stack

pytestmark = pytest.mark.usefixtures("pristine")

OPEN = dict.fromkeys((22, 80, 443), "open") | {8080: "refused"}


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("firewall1")


@pytest.fixture
def stack(new_stack: Callable[..., Stack], host: LabHost) -> Stack:
    return new_stack(host, firewall={})


def saved(host: LabHost) -> tuple[str, str]:
    """Both rulesets as iptables-save prints them, without the date and the counters."""

    def plain(text: str) -> str:
        return re.sub(r"\[\d+:\d+\]", "", "\n".join(line for line in text.splitlines() if not line.startswith("#")))

    return plain(host.iptables_save(4)), plain(host.iptables_save(6))


def test_only_the_declared_services_can_be_reached_also_after_a_reboot(lab: Lab, host: LabHost, stack: Stack) -> None:
    listen(host, 80, 443, 8080)
    assert probe_ports(lab, host, [8080]) == {"ipv4": {8080: "open"}, "ipv6": {8080: "open"}}
    stack.up()
    expected = {"ipv4": OPEN, "ipv6": OPEN}
    assert probe_ports(lab, host, OPEN) == expected
    assert pings(lab, host) == {"ipv4": True, "ipv6": True}
    host.exec("ip -6 neigh flush all; ip -4 neigh flush all")
    lab.outside(["ip", "-6", "neigh", "flush", "all"])
    assert probe_ports(lab, host, OPEN) == expected

    host.reboot()
    listen(host, 80, 443, 8080)
    assert probe_ports(lab, host, OPEN) == expected
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
    assert probe_ports(lab, host, [8080])["ipv4"] == {8080: "open"}
    refreshed = stack.refresh()
    assert "~ 1 updated" in refreshed or "1 to update" in refreshed or "updated" in refreshed
    diff = stack.preview(check=False)
    assert changed_lines(diff.output) == ["- -A INPUT -p tcp -m tcp --dport 8080 -j ACCEPT"]
    stack.up()
    assert saved(host) == declared
    assert probe_ports(lab, host, [8080])["ipv4"] == {8080: "refused"}
    stack.refresh()
    stack.unchanged()


def test_fail2bans_chain_and_its_ban_survive(lab: Lab, host: LabHost, stack: Stack) -> None:
    host.exec(
        f"iptables -N f2b-sshd; iptables -A f2b-sshd -s {OUTSIDE_IPV4} -j REJECT; iptables -A f2b-sshd -j RETURN;"
        "iptables -I INPUT -p tcp -m multiport --dports 22 -j f2b-sshd"
    )
    banned = {22: "refused"}
    assert probe_ports(lab, host, [22])["ipv4"] == banned
    stack.up()
    assert probe_ports(lab, host, [22])["ipv4"] == banned
    host.exec("iptables -I f2b-sshd -s 192.0.2.7 -j REJECT")
    stack.refresh()
    stack.unchanged()
    host.exec("iptables -A INPUT -p tcp --dport 9999 -j ACCEPT")
    stack.refresh()
    stack.up()
    assert probe_ports(lab, host, [22])["ipv4"] == banned
    rules = host.exec("iptables -S f2b-sshd").stdout
    assert rules.count("REJECT") == 2
    boot = host.exec("cat /etc/iptables/rules.v4").stdout
    assert "f2b" not in boot
    assert "--dport 22" in boot
    stack.destroy()
    assert probe_ports(lab, host, [22])["ipv4"] == banned
    assert host.exec("iptables -S f2b-sshd").stdout == rules


BETWEEN = """#!/bin/sh
case "$*" in *--noflush*) if [ -f /root/meanwhile ]; then mv /root/meanwhile /root/done; sh /root/done; fi ;; esac
exec /usr/sbin/iptables-restore "$@"
"""


def test_a_jump_that_comes_or_goes_while_rules_are_loaded_moves_no_rule(
    host: LabHost, new_stack: Callable[..., Stack]
) -> None:
    """Such as fail2ban's, which it inserts at the head with its first ban, and removes when it stops."""
    host.exec("cat >/usr/local/sbin/iptables-restore; chmod 755 /usr/local/sbin/iptables-restore", input=BETWEEN)
    host.exec("iptables -N f2b-sshd")
    prior = saved(host)
    stack = new_stack(host, firewall=app_on(8443))
    stack.up()
    declared = saved(host)[0]
    host.exec("echo 'iptables -I INPUT -j f2b-sshd' >/root/meanwhile")
    stack.configure(hosts={host.name: entry(host)}, firewall=app_on(8444))
    stack.up()
    assert saved(host)[0] == declared.replace("8443", "8444").replace("-A INPUT", "-A INPUT -j f2b-sshd\n-A INPUT", 1)
    host.exec("ls /root/done && rm /root/done && echo 'iptables -D INPUT -j f2b-sshd' >/root/meanwhile")
    stack.destroy()
    host.exec("ls /root/done")
    assert saved(host) == prior


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


def app_on(port: int) -> dict[str, object]:
    return {"services": [{"name": "app", "ports": [port], "sources": ["198.51.100.0/24"]}]}


def test_one_edited_rule_is_one_changed_line_and_open_connections_carry_on(
    host: LabHost, new_stack: Callable[..., Stack]
) -> None:
    stack = new_stack(host, firewall=app_on(8443))
    stack.up()
    counters = host.exec("iptables -vxnL INPUT 1").stdout.split()[:2]
    stack.configure(hosts={host.name: entry(host)}, firewall=app_on(8444))
    rule = (
        "-A INPUT -s 198.51.100.0/24 -p tcp -m tcp --dport {} -m state --state NEW -m comment --comment app -j ACCEPT"
    )
    assert changed_lines(stack.preview().output) == [f"- {rule.format(8443)}", f"+ {rule.format(8444)}"]
    with Ticker(host) as ticker:
        stack.up()
        ticker.await_beats(5)
    assert ticker.longest_gap < 1
    assert [int(now) >= int(then) for now, then in zip(packets(host), counters, strict=True)] == [True, True]
    host.exec("ping -c 1 127.0.0.1")
    assert int(packets(host)[0]) > int(counters[0])
    assert "--dport 8444" in saved(host)[0]


def test_both_rulesets_are_proved_by_the_same_logins(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(host, firewall={"services": [{"name": "app", "ports": [8443]}]})
    stack.up()
    logins = "journalctl -q -u ssh --no-pager | grep -c 'Accepted publickey'"
    before = int(host.exec(logins).stdout)
    stack.configure(hosts={host.name: entry(host)}, firewall={"services": [{"name": "app", "ports": [8444]}]})
    stack.up()
    assert ["--dport 8444" in rules for rules in saved(host)] == [True, True]
    assert int(host.exec(logins).stdout) - before == 2  # the run's own login, and one proof for both


def packets(host: LabHost) -> list[str]:
    """Packet and byte counters of the first rule of INPUT; they start at 0 again if the table is reloaded."""
    return host.exec("iptables -vxnL INPUT 1").stdout.split()[:2]


class Ticker:
    """An SSH connection on which the host sends a line 20 times a second."""

    def __init__(self, host: LabHost) -> None:
        self._arrivals: list[float] = []
        self._more = threading.Condition()
        ssh = ["ssh", "-i", str(host.key_file), "-o", f"UserKnownHostsFile={host.known_hosts}", f"root@{host.ipv4}"]
        self._run = subprocess.Popen([*ssh, "while echo beat; do sleep 0.05; done"], stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read)

    def _read(self) -> None:
        assert self._run.stdout is not None
        for _line in self._run.stdout:
            with self._more:
                self._arrivals.append(time.monotonic())
                self._more.notify_all()

    def await_beats(self, count: int) -> None:
        """Wait for ``count`` more lines."""
        with self._more:
            wanted = len(self._arrivals) + count
            assert self._more.wait_for(lambda: len(self._arrivals) >= wanted, 30), "the connection is silent"

    @property
    def longest_gap(self) -> float:
        """The longest time between two lines, in seconds."""
        return max(b - a for a, b in zip(self._arrivals, self._arrivals[1:], strict=False))

    def __enter__(self) -> "Ticker":
        self._reader.start()
        self.await_beats(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._run.kill()
        self._run.wait(10)
        self._reader.join(10)


def test_docker_keeps_its_rules(host: LabHost, stack: Stack) -> None:
    docker = (
        "iptables -N DOCKER-USER; iptables -A DOCKER-USER -j RETURN; iptables -A FORWARD -j DOCKER-USER;"
        "iptables -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT;"
        "iptables -A FORWARD -i docker0 ! -o docker0 -j ACCEPT; iptables -t nat -N DOCKER;"
        "iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER"
    )
    host.exec(docker)
    theirs = [line for line in saved(host)[0].splitlines() if "-A " in line and "ocker" in line.lower()]
    before = saved(host)
    stack.up()
    forward = host.exec("iptables -S FORWARD").stdout.splitlines()
    assert [line for line in saved(host)[0].splitlines() if "ocker" in line.lower() and "-A " in line] == theirs
    assert forward[-1] == "-A FORWARD -j REJECT --reject-with icmp-port-unreachable"
    host.exec("iptables -I FORWARD -o br-1a2b -j ACCEPT; iptables -I DOCKER-USER -s 192.0.2.1 -j DROP")  # a new network
    stack.refresh()
    stack.unchanged()
    host.exec("iptables -D FORWARD 1; iptables -D DOCKER-USER 1")
    stack.destroy()
    assert saved(host) == before


def changed_lines(output: str) -> list[str]:
    """The removed and added lines of rules in a diff."""
    return [
        re.sub(r"^\s*([-+])\s*", r"\1 ", line) for line in output.splitlines() if re.match(r"\s*[-+]\s+-[AP] ", line)
    ]

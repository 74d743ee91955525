"""What nft writes into iptables' own tables, and iptables cannot print, is drift like any other."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import DEBIAN, entry
from tests.lab.stack import Stack

RULES = (
    "ct state new accept",
    "meta skuid 0 counter accept",
    "ip length 5 accept",
    "ip saddr @theirs drop",
    "tcp dport { 80, 443 } accept",
    "tcp dport vmap { 80 : accept, 81 : drop }",
    'log prefix "a @{ # handle 3"',
    "ip saddr 203.0.113.9 meta l4proto tcp reject with tcp reset",
    "udp dport 9 limit rate over 5/second drop",
    "meta mark set 5",
    "fib daddr type local accept",
    "jump native",
    "counter name theirs",
)
"""Rules as nft writes them: those that make iptables-save leave out the table, those with which it fails, and those
that it prints as if they matched more."""
LEFT_OUT = ("ip saddr 203.0.113.1-203.0.113.9 accept", "udp length 9 counter accept", "ip frag-off 5 counter accept")
"""Rules that iptables prints without a part of what they match."""
OLD = (
    "tcp dport 8080 accept",
    "ip saddr 203.0.113.7 tcp dport 22 counter accept",
    "icmp type echo-request counter accept",
    "meta mark 5 counter accept",
    "ip ttl 5 counter accept",
    "ether saddr 00:11:22:33:44:55 counter accept",
    "tcp flags syn counter accept",
)
"""Those that it prints without what they match before 1.8.8."""
CLOSED = "*filter\n:INPUT DROP\n-A INPUT -i lo -j ACCEPT\nCOMMIT\n"


OLD_IPTABLES = "debian-11"


@pytest.fixture(scope="module", params=dict.fromkeys((DEBIAN, OLD_IPTABLES)))
def host(bring_up: Callable[[str, str], LabHost], request: pytest.FixtureRequest) -> LabHost:
    return bring_up(f"native{1 + (request.param == OLD_IPTABLES)}", request.param)


@pytest.fixture(scope="module")
def stack(host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    stack = Stack(tmp_path_factory.mktemp("native") / "project")
    declare(stack, host, {"preset": "ssh"})
    stack.up()
    return stack


def declare(stack: Stack, host: LabHost, firewall: dict[str, object]) -> None:
    stack.configure(hosts={host.name: entry(host)}, firewall=firewall)


def rules_of(host: LabHost) -> list[str]:
    saved = host.exec("iptables-save; ip6tables-save").stdout.splitlines()
    return [line for line in saved if not line.startswith(("#", ":"))]


def nft(host: LabHost, *commands: str) -> None:
    host.exec(["nft", "; ".join(commands)])


def with_theirs(host: LabHost) -> None:
    nft(
        host,
        "add set ip filter theirs { type ipv4_addr; }",
        "add chain ip filter native",
        "add counter ip filter theirs",
    )


def taken_back(stack: Stack) -> None:
    """Refresh, see drift, apply, and see none."""
    stack.refresh()
    shown = stack.preview("--expect-no-changes", check=False)
    assert shown.status != 0
    assert "not as declared: nft has written" in shown
    stack.up()
    stack.unchanged()


def test_rules_of_nft_in_iptables_tables_are_shown_and_taken_back(stack: Stack, host: LabHost) -> None:
    before, dice = rules_of(host), random.Random(16)
    for _ in range(3):
        with_theirs(host)
        for rule in dice.sample(RULES, 4):
            nft(host, f"{dice.choice(('add', 'insert'))} rule ip filter {dice.choice(('INPUT', 'FORWARD'))} {rule}")
        taken_back(stack)
        assert [line for line in rules_of(host) if "-j native" not in line] == before
    host.exec("iptables -D INPUT -j native; iptables -D FORWARD -j native; iptables -X native", check=False)


def test_what_iptables_leaves_out_of_a_rule_is_noticed(stack: Stack, host: LabHost) -> None:
    before = rules_of(host)
    rules = (*LEFT_OUT, *(OLD if host.status().variant == OLD_IPTABLES else ()))
    nft(host, *(f"add rule ip filter INPUT {rule}" for rule in rules))
    stack.refresh()
    assert stack.preview("--diff").output.count("nft has written the rule") == len(rules)
    stack.up()
    stack.unchanged()
    assert rules_of(host) == before


WHOLE = {
    "instead": (
        "flush chain ip filter INPUT",
        "add rule ip filter INPUT ct state established,related accept",
        "add rule ip filter INPUT tcp dport 22 accept",
        "add rule ip filter INPUT drop",
    ),
    "a base chain": (
        "add chain ip filter early { type filter hook input priority -7; policy accept; }",
        "add rule ip filter early tcp dport 99 drop",
    ),
    "another priority": (
        "delete table ip filter",
        "add table ip filter",
        "add chain ip filter INPUT { type filter hook input priority -5; policy accept; }",
        "add rule ip filter INPUT ct state new accept",
    ),
    "a chain of theirs": ("add chain ip filter theirs", "add rule ip filter theirs ct mark 5 drop"),
    "IPv6": ("insert rule ip6 filter INPUT ct state new accept", "add rule ip6 filter FORWARD meta cpu 0 accept"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_whatever_else_nft_does_there(stack: Stack, host: LabHost, name: str) -> None:
    before = rules_of(host)
    nft(host, *WHOLE[name])
    taken_back(stack)
    assert rules_of(host) == before


def test_what_nft_wrote_is_in_force_again_after_a_change_that_locks_out(stack: Stack, host: LabHost) -> None:
    with_theirs(host)
    nft(
        host,
        "insert rule ip filter INPUT ct state new accept",
        "add rule ip filter INPUT ip saddr @theirs drop",
        "insert rule ip filter INPUT index 3 meta skuid 12345 counter drop",
        "add chain ip filter early { type filter hook input priority -7; policy accept; }",
        "add rule ip filter early tcp dport 99 drop",
    )
    listed = host.exec("nft -s list table ip filter").stdout
    stack.refresh()
    declare(stack, host, {"ipv4": {"rules": CLOSED}, "acceptLockout": True, "confirmWithin": 6})
    assert "was not kept" in stack.up(check=False)
    after = host.exec("nft -s list table ip filter").stdout
    assert sorted(after.splitlines()) == sorted(listed.splitlines())  # the order of chains may differ
    assert input_of(after) == input_of(listed)
    declare(stack, host, {"preset": "ssh"})
    stack.up()
    stack.unchanged()


def input_of(listed: str) -> str:
    return listed.partition("chain INPUT {")[2].partition("\t}")[0]


def test_destroy_puts_back_what_was_there_first(stack: Stack, host: LabHost, tmp_path: Path) -> None:
    del tmp_path
    nft(host, "insert rule ip filter INPUT ct state new accept", "add rule ip6 filter INPUT meta cpu 0 accept")
    stack.refresh()
    stack.destroy()
    assert not [line for line in rules_of(host) if line.startswith("-A")]


def test_what_nft_wrote_before_is_not_taken_over(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    host.exec("iptables -P INPUT ACCEPT; iptables -A INPUT -p tcp --dport 22 -j ACCEPT")
    nft(host, "add rule ip filter INPUT ct state new accept")
    listed = host.exec("nft -s list chain ip filter INPUT").stdout
    refused = new_stack(host, firewall={"preset": "ssh"}).up(check=False)
    assert refused.status != 0
    assert "nft has written the rule INPUT ct state new accept into iptables' table ip filter" in refused
    assert host.exec("nft -s list chain ip filter INPUT").stdout == listed

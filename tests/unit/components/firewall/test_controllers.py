"""Other firewalls: conflicts, messages, and how rules of the other iptables are removed and restored."""

import pytest

from components.firewall.controllers.others import (
    brings_rules,
    emptied,
    exposure_drift,
    exposure_notes,
    hidden_tables,
    in_the_way,
    in_words,
    native_refusal,
    natives,
    obstacle,
    plan_take_over,
    still_there,
)
from components.stack_config import ConfigError, parse
from rules.values.family import Family

LEGACY = """*filter
:INPUT DROP
:FORWARD DROP
:OUTPUT ACCEPT
:DOCKER -
:f2b-sshd -
-A INPUT -p tcp -m tcp --dport 22 -j f2b-sshd
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 -j ACCEPT
COMMIT
"""
DOCKERS = LEGACY.replace("INPUT DROP", "INPUT ACCEPT").replace("-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\n", "")


@pytest.mark.parametrize(
    ("lines", "other", "beside", "left"),
    [
        ("", "", (), ()),
        ("ufw\nbeside inet f2b-table", "", (), ("ufw",)),
        ("table inet company\ntable ip blocklist", "", ("* block*",), ("table inet company",)),
        ("nftables enabled active flush", "", ("inet company",), ("nftables enabled active flush",)),
        ("other legacy 1-2", LEGACY, (), ("other legacy 1-2",)),
        ("other legacy 1-2", LEGACY, ("iptables-legacy",), ()),
        ("other legacy 1-2", DOCKERS, (), ()),
        ("native ip filter rule INPUT ct x", "", (), ()),
    ],
)
def test_what_is_in_the_way(lines: str, other: str, beside: tuple[str, ...], left: tuple[str, ...]) -> None:
    assert in_the_way(lines, other, Family.IPV4, beside) == left


def test_the_other_iptables_loses_its_own_rules_alone_and_gets_them_back() -> None:
    take = plan_take_over(("other legacy 1-2",), LEGACY, Family.IPV4)
    assert take.other.splitlines()[-3:] == ["-D INPUT 2", "-P INPUT ACCEPT", "COMMIT"]
    again = ["-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT", "-P INPUT DROP", "COMMIT"]
    assert take.other_back.splitlines()[-3:] == again


def test_what_nft_has_written_into_our_tables_is_named() -> None:
    lines = "ufw\nnative ip filter rule INPUT ct x\nnative ip raw chain early type filter\nnative ip nat"
    assert natives(lines) == tuple(lines.splitlines()[1:])
    assert hidden_tables(lines) == {"filter", "raw", "nat"}
    assert [in_words(line) for line in natives(lines)] == [
        "nft has written the rule INPUT ct x into iptables' table ip filter",
        "nft has written the base chain early type filter into iptables' table ip raw",
        "nft has written something into iptables' table ip nat",
    ]
    assert native_refusal(natives(lines)).count("nft has written") == 3
    assert not brings_rules(lines.partition("\n")[2], "")


def test_what_is_said_names_the_way_on() -> None:
    assert "`takeOver: true`" in obstacle(("ufw",))
    assert "`beside`" not in obstacle(("ufw", "table inet company"))
    assert "`beside`" in obstacle(("table inet company",))
    assert "firewalld starts at the next boot" in obstacle(("firewalld enabled inactive",))


@pytest.mark.parametrize(
    ("lines", "saved", "brings"),
    [
        ("ufw", "", True),
        ("firewalld", "", False),
        ("firewalld enabled active", "-A INPUT -j INPUT_direct", True),
        ("nftables enabled active flush\ntable inet company", "", False),
        ("shorewall enabled active", "", True),
    ],
)
def test_who_brings_rules_of_iptables_along(lines: str, saved: str, brings: bool) -> None:
    assert brings_rules(lines, saved) is brings


def test_who_emptied_the_rules() -> None:
    rows = "emptied\n1 nftables.service 2026-11-30T06:37:34Z\n2 docker.service 2026-11-30T06:37:35Z"
    assert "by nftables.service (2026-11-30T06:37:34Z)" in emptied(rows)
    assert "docker" not in emptied(rows)
    assert "docker.service" in emptied("emptied\n2 docker.service 2026-11-30T06:37:35Z")
    assert "by hand" in emptied("emptied")


def test_beside_names_tables() -> None:
    values = {"hosts": {"web1": {"address": "192.0.2.1"}}, "firewall": {"beside": ["blocklist"]}}
    with pytest.raises(ConfigError, match=r"stockade:firewall\.beside: 'blocklist' is neither a table of nftables"):
        parse(values, "lab")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("table inet company", "the nftables table inet company drops packets, too"),
        ("beside inet f2b-table", "the nftables table inet f2b-table drops packets, too"),
        ("other legacy 1-2", "there are rules of iptables-legacy, too (`iptables-legacy-save` shows them)"),
        ("ufw-left", "ufw is gone, and its rules are still in force"),
        ("ufw", "ufw is active"),
        ("firewalld enabled active", "firewalld is active"),
        ("firewalld disabled activating", "firewalld is active"),
        ("firewalld enabled inactive", "firewalld starts at the next boot"),
        ("nftables enabled active flush", "nftables.service is active, and starts with `flush ruleset`"),
        (
            "nftables enabled inactive flush",
            "nftables.service starts at the next boot, and starts with `flush ruleset`",
        ),
    ],
)
def test_what_another_firewall_does_is_said(line: str, words: str) -> None:
    assert in_words(line) == words
    assert [*exposure_drift((line,), "")] == [f"not as declared: {words}"]


def test_what_is_declared_to_filter_beside_is_in_the_exposure() -> None:
    assert exposure_notes(("inet company", "iptables-legacy")) == (
        "possibly less than that: the nftables table inet company may deny more",
        "possibly less than that: the rules of iptables-legacy may deny more",
    )


@pytest.mark.parametrize(
    ("then", "now", "there"),
    [
        ("ufw\n", "ufw\n", True),
        ("ufw\n", "", False),
        ("ufw\n", "firewalld enabled active\n", False),
        ("table inet a\n", "table inet a\n", False),  # brings no rules of iptables
    ],
)
def test_a_program_with_rules_of_its_own_is_still_there(then: str, now: str, there: bool) -> None:
    assert still_there(then, now) is there

"""Other firewalls: conflicts, messages, and how rules of the other iptables are removed and restored."""

import pytest

from components.firewall.controllers.others import brings_rules, emptied, in_the_way, obstacle, plan_take_over
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
    ],
)
def test_what_is_in_the_way(lines: str, other: str, beside: tuple[str, ...], left: tuple[str, ...]) -> None:
    assert in_the_way(lines, other, Family.IPV4, beside) == left


def test_the_other_iptables_loses_its_own_rules_alone_and_gets_them_back() -> None:
    take = plan_take_over(("other legacy 1-2",), LEGACY, Family.IPV4)
    assert take.other.splitlines()[-3:] == ["-D INPUT 2", "-P INPUT ACCEPT", "COMMIT"]
    again = ["-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT", "-P INPUT DROP", "COMMIT"]
    assert take.other_back.splitlines()[-3:] == again


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

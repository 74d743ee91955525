"""Who can reach what through all tables."""

from __future__ import annotations

import time

import pytest

from rules.analysis.reachability import Analysis
from rules.language.parse import parse, parse_saved
from rules.model import Ruleset
from rules.path.answers import PathAnswers
from rules.path.layers import layers
from rules.path.network import HostNetwork
from rules.path.nftables.listing import read_listing
from rules.path.sets import read_sets
from rules.values.family import Family
from tests.unit.rules.path.hosts import docker, docker_text, network

BY = ", forwarded to 172.17.0.2:5432 by nat DOCKER 2 and filter DOCKER 1"


def _lines(ruleset: Ruleset, known: HostNetwork | None = None, **more: object) -> list[str]:
    found = PathAnswers(Family.IPV4, layers(ruleset), known or network(), **more)  # type: ignore[arg-type]
    return list(map(str, found.lines()))


def _one(rules: str, *, policy: str = "DROP") -> list[str]:
    text = f"*filter\n:INPUT {policy}\n:FORWARD DROP\n-A INPUT -p tcp --dport 8080 -j ACCEPT\nCOMMIT\n"
    return _lines(parse(f"*nat\n{rules}COMMIT\n{text}", Family.IPV4))


def test_what_docker_publishes_is_reached_with_the_rules_that_do_it() -> None:
    assert _lines(docker()) == ["tcp/22 from anywhere", f"tcp/5432 from anywhere{BY}"]
    assert _lines(docker(port=15432)) == ["tcp/22 from anywhere", f"tcp/15432 from anywhere{BY}"]


@pytest.mark.parametrize(
    ("user", "mangle", "line"),
    [
        (
            "-p tcp -s 10.0.0.0/8 -m conntrack --ctorigdst 128.0.0.0/1 --ctorigdstport 5433 -j DROP",
            "",
            "tcp/5433 from anywhere but 10.0.0.0/8",
        ),
        ("-p tcp -m conntrack --ctorigdstport 5432 -j DROP", "", "tcp/5433 from anywhere"),
        ("-s 10.0.0.0/8 -m conntrack --ctstate DNAT -j DROP", "", "tcp/5433 from anywhere but 10.0.0.0/8"),
        ("-m mark --mark 0x7 -j DROP", "-s 10.0.0.0/8 -j MARK --set-mark 0x7", "tcp/5433 from anywhere but 10.0.0.0/8"),
        (
            "-m mark --mark 0x2/0x2 -j DROP",
            "-s 10.0.0.0/8 -j MARK --or-mark 0x3",
            "tcp/5433 from anywhere but 10.0.0.0/8",
        ),
        ("-m mark --mark 0x7 -j DROP", "", "tcp/5433 from anywhere"),
        ("-m helper --helper ftp -j DROP", "", "tcp/5433 from anywhere"),
        ("-m connmark --mark 0x1 -j DROP", "", "tcp/5433 from anywhere"),
        ("! -s 192.0.2.0/24 -j DROP", "", "tcp/5433 from 192.0.2.0/24"),
    ],
)
def test_what_is_asked_in_filter_is_what_was_made_before(user: str, mangle: str, line: str) -> None:
    (found,) = [one for one in _lines(docker(user, mangle, 5433)) if "/22 " not in one]
    assert found.partition(",")[0] == line


def test_what_is_not_understood_makes_it_possibly_by_name() -> None:
    found = _lines(docker("-m u32 --u32 0x0=0x0 -j DROP"))
    assert found[1] == (
        'possibly tcp/5432 from anywhere (filter DOCKER-USER 1: -m u32 --u32 "0x0=0x0"), '
        "forwarded to 172.17.0.2:5432 by nat DOCKER 2"
    )
    kept = _lines(docker("-m connmark --mark 0x1 -j DROP", "-j CONNMARK --set-mark 0x1"))
    assert kept[1].startswith("possibly tcp/5432 from anywhere (filter DOCKER-USER 1: -m connmark")


def test_without_addresses_both_are_possible() -> None:
    found = _lines(docker(), HostNetwork(Family.IPV4))
    assert [line.split(" (")[0] for line in found] == ["tcp/22 from anywhere", "possibly tcp/5432 from anywhere"]


def test_a_host_that_does_not_forward_publishes_nothing() -> None:
    still = HostNetwork(Family.IPV4, network().addresses, network().routes, forwards=False)
    assert _lines(docker(), still) == ["tcp/22 from anywhere"]


def test_redirect_and_netmap() -> None:
    assert sorted(_one("-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080\n")) == [
        "tcp/80 from anywhere, by nat PREROUTING 1 and filter INPUT 1",
        "tcp/8080 from anywhere",
    ]
    assert _one("-A PREROUTING -d 203.0.113.5 -j NETMAP --to 172.17.0.2\n") == ["tcp/8080 from anywhere"]
    assert _one("-A PREROUTING -p tcp --dport 80 -j DNAT --to 127.0.0.1:8080\n")[-1].startswith("possibly tcp/80")


@pytest.mark.parametrize(
    ("other", "accepted", "denies"),
    [
        ("*nat\n-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080", "-m conntrack --ctstate DNAT", True),
        ("*mangle\n-A PREROUTING -p tcp --dport 80 -j MARK --set-mark 1", "-m mark --mark 1", True),
        ("*mangle\n-A PREROUTING -p tcp --dport 80 -j MARK --set-mark 1", "-m mark ! --mark 1", False),
        ("*mangle\n-A PREROUTING -p tcp --dport 80 -j MARK --set-mark 1", "-m set ! --match-set list src", False),
        ("*mangle\n-A PREROUTING -p tcp --dport 80 -j MARK --set-mark 1", "-m set --match-set list src", None),
        ("*mangle\n:PREROUTING DROP", "-s 0.0.0.0/0", True),
    ],
)
def test_default_deny_is_of_what_gets_through_all_tables(other: str, accepted: str, denies: bool | None) -> None:
    text = f"{other}\nCOMMIT\n*filter\n:INPUT DROP\n-A INPUT {accepted} -j ACCEPT\nCOMMIT\n"
    for known in (network(), None):
        assert PathAnswers(Family.IPV4, layers(parse(text, Family.IPV4)), known).default_deny() is denies


def test_what_untracked_packets_do_is_not_translated() -> None:
    text = docker_text().replace("*mangle", "*raw\n-A PREROUTING -p tcp --dport 5432 -j NOTRACK\nCOMMIT\n*mangle")
    assert _lines(parse_saved(text, Family.IPV4)) == ["tcp/22 from anywhere"]


def test_a_database_published_under_one_address_says_so() -> None:
    text = docker_text().replace("-A DOCKER ! -i docker0", "-A DOCKER -d 203.0.113.5 ! -i docker0")
    assert "at 203.0.113.5 forwarded to 172.17.0.2:5432" in _lines(parse_saved(text, Family.IPV4))[1]


def test_beyond_what_is_declared() -> None:
    declared = docker().table("filter")
    assert declared is not None
    answers = PathAnswers(Family.IPV4, layers(docker()), network())
    own = Analysis(Ruleset(Family.IPV4, (declared,)), compiler=answers.compiler)
    assert [str(line) for line in answers.lines(own)] == [f"tcp/5432 from anywhere{BY}"]


def test_tables_that_drop_narrow_and_sets_have_members() -> None:
    listing = read_listing(
        """{"nftables": [{"table": {"family": "inet", "name": "company"}},
        {"set": {"family": "inet", "table": "company", "name": "bad", "type": "ipv4_addr", "flags": ["interval"],
                 "elem": [{"prefix": {"addr": "10.0.0.0", "len": 8}}, "192.0.2.7"]}},
        {"chain": {"family": "inet", "table": "company", "name": "all", "type": "filter", "hook": "prerouting",
                   "prio": -10, "policy": "accept"}},
        {"rule": {"family": "inet", "table": "company", "chain": "all", "expr": [
          {"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@bad"}},
          {"drop": null}]}}]}""",
        Family.IPV4,
    )
    found = PathAnswers(Family.IPV4, (*layers(docker()), *listing.layers), network(), listing.sets)
    assert str(found.lines()[0]) == "tcp/22 from anywhere but 10.0.0.0/8, 192.0.2.7"
    sets = read_sets("create bad hash:ip family inet\nadd bad 10.0.0.1\n")
    lines = _lines(docker("-m set --match-set bad src -j DROP"), sets=sets)
    assert lines[1].startswith("tcp/5432 from anywhere but 10.0.0.1,")


def test_a_hundred_published_ports_take_a_second() -> None:
    rules = "".join(
        f"-A DOCKER ! -i docker0 -p tcp -m tcp --dport {10000 + number} -j DNAT --to-destination 172.17.1.{number}:80\n"
        for number in range(100)
    )
    text = docker_text().replace("-A DOCKER -i docker0 -j RETURN\n", f"-A DOCKER -i docker0 -j RETURN\n{rules}")
    begun = time.process_time()
    found = _lines(parse_saved(text.replace(":FORWARD DROP", ":FORWARD ACCEPT"), Family.IPV4))
    assert len(found) == 102
    assert time.process_time() - begun < 3

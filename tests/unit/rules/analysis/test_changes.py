"""Dead and redundant rules, differences, and mutations of good rulesets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from random import Random

import pytest
from hypothesis import settings

from rules.analysis.reachability import analyse, difference
from rules.language.parse import parse
from rules.model import Chain, Rule, Ruleset, Table
from rules.packets.packet import Packet
from rules.presets import guide as presets
from rules.values.family import Family

V4 = Family.IPV4
_SOURCES = ("8.8.8.8", "10.1.2.3", "192.0.2.7", "192.0.2.200")
_PORTS = (0, 21, 22, 23, 79, 80, 81, 443, 444, 5999, 6000, 6010, 6011, 65535)


def _drop(*rules: str) -> Ruleset:
    return parse("\n".join(["-P INPUT DROP", *rules]), V4)


# -- dead and redundant rules


@pytest.mark.parametrize(
    ("rules", "dead"),
    [
        (["-A INPUT -p tcp -j ACCEPT", "-A INPUT -p tcp --dport 80 -j DROP"], {"INPUT 2": ["INPUT 1"]}),
        (["-A INPUT -p tcp --dport 80 -j DROP", "-A INPUT -p tcp -j ACCEPT"], {}),
        (
            ["-A INPUT -p tcp --dport :99 -j DROP", "-A INPUT -p tcp --dport 100: -j DROP", "-A INPUT -p tcp -j DROP"],
            {},  # later fragments have no ports
        ),
        (
            ["-A INPUT -s 0.0.0.0/1 -j DROP", "-A INPUT -s 128.0.0.0/1 -j DROP", "-A INPUT -s 1.2.3.4/0 -j ACCEPT"],
            {},  # nor is a name an address
        ),
        (
            ["-A INPUT -s 10.0.0.0/9 -j DROP", "-A INPUT -s 10.128.0.0/9 -j DROP", "-A INPUT -s 10.0.0.0/8 -j ACCEPT"],
            {"INPUT 3": ["INPUT 1", "INPUT 2"]},
        ),
        (
            [
                *("-A INPUT -s 10.0.0.0/9 -j DROP", "-A INPUT -s 10.128.0.0/9 -j DROP"),
                *("-A INPUT -s 10.0.0.0/8 -j ACCEPT", "-A INPUT -s 10.0.0.0/8 -j LOG"),
            ],
            {"INPUT 3": ["INPUT 1", "INPUT 2"], "INPUT 4": ["INPUT 1", "INPUT 2"]},  # a dead rule decides nothing
        ),
        (["-A INPUT -m limit --limit 1/min -j ACCEPT", "-A INPUT -p tcp -j DROP"], {}),
        (["-A INPUT -m mark --mark 1 -j ACCEPT", "-A INPUT -p tcp -j DROP"], {}),
        (["-A INPUT -j LOG", "-A INPUT -p tcp -j DROP"], {}),
        (["-N a", "-A a -p udp -j DROP", "-A INPUT -p tcp -j a"], {"a 1": []}),
        (["-N a", "-A a -p udp -j DROP"], {"a 1": []}),
        (["-N a", "-A a -j RETURN", "-A a -j DROP", "-A INPUT -j a", "-A INPUT -j ACCEPT"], {"a 2": ["a 1"]}),
        (["-N a", "-A a -j DROP", "-A INPUT -p tcp -j a", "-A INPUT -p tcp -j ACCEPT"], {"INPUT 2": ["INPUT 1"]}),
        (["-N a", "-A INPUT -g a", "-A INPUT -j ACCEPT"], {"INPUT 2": ["INPUT 1"]}),
        (["-A INPUT -p tcp -m state --state NEW -m state --state ESTABLISHED -j ACCEPT"], {"INPUT 1": []}),
    ],
)
def test_dead_rules(rules: list[str], dead: dict[str, list[str]]) -> None:
    found = analyse(_drop(*rules)).shadowed()
    assert {str(one.placed.place): [str(by.place) for by in one.shadowed_by] for one in found} == dead


@pytest.mark.parametrize(
    ("rules", "redundant"),
    [
        (["-A INPUT -p tcp --dport 80 -j ACCEPT", "-A INPUT -p tcp -j ACCEPT"], ["INPUT 1"]),
        (["-A INPUT -p tcp --dport 80 -j DROP", "-A INPUT -p tcp -j ACCEPT"], []),
        (["-A INPUT -p tcp -j ACCEPT", "-A INPUT -j DROP"], ["INPUT 2"]),
        (["-A INPUT -p tcp -j ACCEPT", "-A INPUT -j REJECT"], []),
        (["-A INPUT -p tcp -j ACCEPT", "-A INPUT -p tcp -j ACCEPT"], []),
        (["-N a", "-A a -p tcp -j DROP", "-A INPUT -j a", "-A INPUT -p udp -j ACCEPT"], ["a 1"]),
        (["-N a", "-A a -p tcp -j DROP", "-A INPUT -j a", "-A INPUT -j ACCEPT"], []),
        # Both calls have the same effect, which is lost without the rule.
        (["-N a", "-A a -p tcp -j DROP", "-A INPUT -j a", "-A INPUT -j a", "-A INPUT -j ACCEPT"], []),
        (["-N a", "-A a -p tcp -j DROP", "-A INPUT -j a", "-A INPUT -j a", "-A INPUT -p udp -j ACCEPT"], ["a 1"]),
        (["-N a", "-A a -j RETURN", "-A a -p tcp -j DROP", "-A INPUT -j a", "-A INPUT -j ACCEPT"], []),
        (["-N a", "-A a -p tcp -j RETURN", "-A a -j DROP", "-A INPUT -j a", "-A INPUT -j ACCEPT"], []),
        (["-N a", "-A a -p tcp -j RETURN", "-A a -j DROP", "-A INPUT -j a", "-A INPUT -p tcp -j ACCEPT"], ["a 2"]),
        (["-N a", "-A a -p tcp -j DROP", "-A INPUT -g a", "-A INPUT -j ACCEPT"], ["a 1"]),
        (
            [
                "-N a",
                "-A a -p tcp -j DROP",
                "-A INPUT -s 10.0.0.0/8 -j a",
                "-A INPUT -s 11.0.0.0/8 -j a",
                "-A INPUT -s 11.0.0.0/8 -j ACCEPT",
            ],
            [],
        ),
    ],
)
def test_redundant_rules(rules: list[str], redundant: list[str]) -> None:
    assert [str(placed.place) for placed in analyse(_drop(*rules)).redundant()] == redundant


# -- differences


def test_what_is_opened_and_closed_is_told() -> None:
    before = presets.web(V4, ssh_sources=("192.0.2.0/24",))
    after = presets.web(V4, ssh_sources=("192.0.2.0/25",), extra=(presets.Service("app", (8080,)),))
    assert difference(before, after) == (
        "no longer reachable: tcp/22 from 192.0.2.128/25",
        "now also reachable: tcp/8080 from anywhere",
    )
    assert difference(before, before) == ()


def test_a_doubt_that_is_removed_is_told() -> None:
    rule = "-A INPUT -p tcp --dport 22 {} -j ACCEPT"
    doubtful, sure, closed = _drop(rule.format("-m mark --mark 1")), _drop(rule.format("")), _drop()
    assert difference(closed, doubtful) == (
        "now also reachable: possibly tcp/22 from anywhere (rule 1: -m mark --mark 0x1)",
    )
    assert difference(doubtful, sure) == ("now also reachable: tcp/22 from anywhere",)
    assert difference(sure, doubtful) == ("no longer reachable: tcp/22 from anywhere",)


def test_two_families_are_not_compared() -> None:
    with pytest.raises(ValueError, match="two families"):
        difference(presets.web(V4), presets.web(Family.IPV6))


# -- mutations


def _good() -> Ruleset:
    services = (
        presets.Service("x", ("6000:6010",), sources=("192.0.2.0/24",)),
        presets.Service("dns", (443,), "udp"),
        presets.Service("block", (80,), sources=("192.0.2.128/25",), action="DROP", position=1),
        presets.Service("again", (80,), sources=("10.0.0.0/8",)),
    )
    return presets.web(V4, extra=services)


def _with(ruleset: Ruleset, rules: tuple[Rule, ...]) -> Ruleset:
    return ruleset.with_table(Table("filter", (Chain("INPUT", "ACCEPT", rules),)))


def _mutations(ruleset: Ruleset) -> Iterator[Ruleset]:
    """One rule removed, two swapped, or one match of a rule removed."""
    chain = ruleset.chain("filter", "INPUT")
    assert chain is not None
    rules = chain.rules
    for index, rule in enumerate(rules):
        yield _with(ruleset, (*rules[:index], *rules[index + 1 :]))
        for other in range(index + 1, len(rules)):
            swapped = list(rules)
            swapped[index], swapped[other] = rules[other], rule
            yield _with(ruleset, tuple(swapped))
        for place in range(len(rule.matches)):
            matches = (*rule.matches[:place], *rule.matches[place + 1 :])
            ports = any(match.name in ("tcp", "udp", "multiport", "icmp") for match in matches)
            if not (ports and rule.matches[place].name == "protocol"):
                yield _with(ruleset, (*rules[:index], replace(rule, matches=matches), *rules[index + 1 :]))


def _reached(ruleset: Ruleset) -> frozenset[tuple[int, int, str]]:
    """The reachable packets, among all kinds of packets that the rules distinguish."""
    analysis = analyse(ruleset)
    found = set()
    kinds = [(6, port, None) for port in _PORTS] + [(17, port, None) for port in _PORTS]
    kinds += [(1, 0, (8, 0)), (1, 0, (13, 0)), (1, 0, (3, 1)), (47, 0, None)]
    for (protocol, port, icmp), source in product(kinds, _SOURCES):
        state = "INVALID" if icmp == (3, 1) else "NEW"
        packet = Packet(V4, source, "198.51.100.2", protocol, port, icmp=icmp, state=state)
        if analysis.verdict(packet).verdict == "ACCEPT":
            found.add((protocol, port if icmp is None else icmp[0], source))
    return frozenset(found)


def test_each_mutation_that_changes_what_is_reachable_is_told_and_no_other() -> None:
    good = _good()
    reached = _reached(good)
    told = {True: 0, False: 0}
    mutations = list(_mutations(good))
    for mutated in Random(1).sample(mutations, min(4 * settings().max_examples, len(mutations))):
        changed = _reached(mutated) != reached
        assert bool(difference(good, mutated)) == changed
        told[changed] += 1
    assert min(told.values()) >= 8

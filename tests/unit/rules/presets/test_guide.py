"""The guide's rulesets and commands as printed (`data/guide`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.language.naming import names, resolve
from rules.language.parse import parse
from rules.language.render import render, render_rule
from rules.model import Ruleset
from rules.presets import guide as presets
from rules.values.family import Family

GUIDE = Path(__file__).parents[1] / "data" / "guide"


def _guide(name: str) -> str:
    return (GUIDE / f"{name}.txt").read_text()


def _input(ruleset: Ruleset) -> list[str]:
    chain = ruleset.chain("filter", "INPUT")
    assert chain is not None
    return [render_rule(rule, ruleset.family) for rule in chain.rules]


def test_ipv4_is_the_preset() -> None:
    assert parse(_guide("v4"), Family.IPV4) == presets.web(Family.IPV4)


def test_ipv4_in_canonical_form() -> None:
    assert _input(parse(_guide("v4"), Family.IPV4)) == [
        "-A INPUT -i lo -j ACCEPT",
        "-A INPUT -s 127.0.0.0/8 ! -i lo -j REJECT --reject-with icmp-port-unreachable",
        "-A INPUT -p icmp -m state --state NEW -m icmp --icmp-type 8 -j ACCEPT",
        "-A INPUT -p tcp -m tcp --dport 22 -m state --state NEW -j ACCEPT",
        "-A INPUT -p tcp -m tcp --dport 80 -m state --state NEW -j ACCEPT",
        "-A INPUT -p tcp -m tcp --dport 443 -m state --state NEW -j ACCEPT",
        "-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT",
        '-A INPUT -m limit --limit 5/min -j LOG --log-prefix "iptables_INPUT_denied: " --log-level 7',
        "-A INPUT -j REJECT --reject-with icmp-port-unreachable",
    ]


def test_ipv6_as_printed_is_read_and_differs_from_the_preset_only_where_it_is_wrong() -> None:
    printed = set(render(parse(_guide("v6"), Family.IPV6)).splitlines())
    preset = set(render(presets.web(Family.IPV6)).splitlines())
    assert printed - preset == {"-A INPUT -p ipv6-icmp -m state --state NEW -j ACCEPT"}
    assert "-A INPUT -p tcp -m tcp --dport 22 -m state --state NEW -j ACCEPT" in preset - printed


def test_rejecting_ipv6_keeps_the_loopback_only() -> None:
    printed = set(render(parse(_guide("v6-reject"), Family.IPV6)).splitlines())
    preset = set(render(presets.reject_all(Family.IPV6)).splitlines())
    assert preset - printed == {"-A INPUT -i lo -j ACCEPT", "-A OUTPUT -o lo -j ACCEPT"}
    assert printed <= preset


def test_linode_rules_follow_the_web_ports() -> None:
    linode = [line for line in _guide("linode").splitlines() if line.startswith("-A")]
    lines = _guide("v4").splitlines()
    place = lines.index("# Allow inbound traffic from established connections.")
    text = "\n".join([*lines[:place], *linode, *lines[place:]])
    assert parse(text, Family.IPV4) == presets.web(Family.IPV4, longview=True, nodebalancer=True)


def test_commands_act_on_what_precedes_them() -> None:
    commands = _guide("commands").splitlines()
    # The guide's listing has three ICMP rules, but its ruleset has one: two more make the rule numbers match.
    more = [f"-I INPUT 3 -p icmp --icmp-type {kind} -j ACCEPT" for kind in (3, 11)]
    before = _input(parse("\n".join([_guide("v4"), *more]), Family.IPV4))
    inserted = _input(parse("\n".join([_guide("v4"), *more, commands[0]]), Family.IPV4))
    assert inserted == [*before[:8], "-A INPUT -p tcp -m tcp --dport 8080 -j ACCEPT", *before[8:]]
    replaced = _input(parse("\n".join([_guide("v4"), *more, *commands[:2]]), Family.IPV4))
    assert replaced == [line.replace("5/min", "3/min") for line in inserted]
    deleted = _input(parse("\n".join([_guide("v4"), *more, *commands]), Family.IPV4))
    assert deleted == [line.replace("5/min", "3/min") for line in before]


def test_names_are_kept_until_they_are_resolved() -> None:
    ruleset = presets.web(Family.IPV4, longview=True)
    assert names(ruleset) == ("longview.linode.com",)
    found = resolve(ruleset, {"longview.linode.com": ("203.0.113.9", "2001:db8::1", "203.0.113.10", "203.0.113.9")})
    assert names(found) == ()
    assert [line for line in _input(found) if "203.0.113" in line] == [
        "-A INPUT -s 203.0.113.9/32 -m state --state NEW -j ACCEPT",
        "-A INPUT -s 203.0.113.10/32 -m state --state NEW -j ACCEPT",
    ]


def test_pairs_of_names_become_every_pair_of_addresses() -> None:
    ruleset = parse("-A INPUT -s a.example -d b.example -j ACCEPT", Family.IPV6)
    addresses = {"a.example": ("2001:db8::2", "2001:db8::1"), "b.example": ("2001:db8::b", "2001:db8::a")}
    assert _input(resolve(ruleset, addresses)) == [
        f"-A INPUT -s 2001:db8::{source}/128 -d 2001:db8::{destination}/128 -j ACCEPT"
        for source in (1, 2)
        for destination in ("a", "b")
    ]


def test_a_name_without_an_address_of_the_family_is_refused() -> None:
    ruleset = parse("-A INPUT -s a.example -j ACCEPT", Family.IPV6)
    with pytest.raises(ValueError, match=r"a\.example has no IPv6 address"):
        resolve(ruleset, {"a.example": ("203.0.113.9",)})


def test_a_negated_name_cannot_stand_for_several_addresses() -> None:
    ruleset = parse("-A INPUT ! -s a.example -j DROP", Family.IPV4)
    assert _input(resolve(ruleset, {"a.example": ("203.0.113.9",)})) == ["-A INPUT ! -s 203.0.113.9/32 -j DROP"]
    with pytest.raises(ValueError, match="negated"):
        resolve(ruleset, {"a.example": ("203.0.113.9", "203.0.113.10")})

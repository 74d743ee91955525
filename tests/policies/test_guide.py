"""The guide's rulesets and commands, checked by the policies on firewalls."""

from __future__ import annotations

from .analyzer import Pack, only, ruleset
from .cases import GUIDE

FIREWALL = {
    *("default-deny-ipv4", "default-deny-ipv6", "forwarding-denied", "exposure-allowed", "way-in"),
    *("loopback-spoofing-refused", "replies-accepted", "icmpv6-accepted", "denied-logged", "no-dead-rules"),
}


def _guide(name: str) -> str:
    return (GUIDE / f"{name}.txt").read_text()


def test_the_guides_ipv4_ruleset_passes(pack: Pack) -> None:
    rules = ruleset(_guide("v4"), connection={"host": "198.51.100.7"})
    assert only([*pack.analyze(rules), *pack.analyze_stack(rules)], *FIREWALL) == []


def test_the_guides_ipv6_ruleset_fails_on_neighbour_discovery_and_on_the_administrator(pack: Pack) -> None:
    rules = ruleset(_guide("v6"), "ipv6", connection={"host": "2001:db8::7"})
    told = only([*pack.analyze(rules), *pack.analyze_stack(rules)], *FIREWALL)
    assert [one.policy for one in told] == ["exposure-allowed", "icmpv6-accepted", "way-in"]
    assert "neighbour-solicitation (135)" in told[1].message
    assert told[0].message.startswith("web1: icmpv6/139 from anywhere can be reached")


def test_the_guides_alternative_passes(pack: Pack) -> None:
    rules = ruleset(_guide("v6-reject"), "ipv6", connection={"host": "198.51.100.7"})
    assert only([*pack.analyze(rules), *pack.analyze_stack(ruleset(_guide("v4")), rules)], *FIREWALL) == []


def test_the_guides_commands_open_a_port_that_is_caught(pack: Pack) -> None:
    opened, *_ = _guide("commands").splitlines()
    more = [f"-I INPUT 3 -p icmp --icmp-type {kind} -j ACCEPT" for kind in (3, 11)]
    told = only(pack.analyze(ruleset("\n".join([_guide("v4"), *more, opened]))), *FIREWALL)
    assert [one.policy for one in told] == ["exposure-allowed"]
    assert told[0].message.startswith(
        "web1: tcp/8080 from anywhere, icmp/destination-unreachable from anywhere, icmp/time-exceeded from anywhere"
    )

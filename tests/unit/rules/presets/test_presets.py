"""The guide's rulesets as presets, services, and insertions."""

from __future__ import annotations

from typing import Any

import pytest

from rules.errors import RuleSyntaxError
from rules.language.parse import parse, parse_rule
from rules.language.render import render, render_rule
from rules.model import Ruleset
from rules.presets import guide as presets
from rules.presets.guide import Service, insert, service_rules
from rules.values.family import Family

V4, V6 = Family.IPV4, Family.IPV6


def _chain(ruleset: Ruleset, chain: str = "INPUT") -> list[str]:
    found = ruleset.chain("filter", chain)
    assert found is not None
    return [render_rule(rule, ruleset.family) for rule in found.rules]


def _service(service: Service, family: Family = V4) -> list[str]:
    return [render_rule(rule, family) for rule in service_rules(service, family)]


@pytest.mark.parametrize("family", list(Family))
def test_presets_are_canonical(family: Family) -> None:
    for ruleset in (presets.web(family, extra=(Service("dns", ("domain",), "udp"),)), presets.reject_all(family)):
        assert parse(render(ruleset), family) == ruleset


def test_rule_numbers_are_those_of_the_other_family() -> None:
    """So that a position in a stack config is valid for both."""
    four, six = (_chain(presets.web(family)) for family in (V4, V6))
    assert [line.split("-j ")[1].split()[0] for line in four[:6]] == ["ACCEPT", "REJECT", *["ACCEPT"] * 4]
    assert four[3:6] == six[3:6]


def test_ipv6_lives() -> None:
    ruleset = presets.web(V6)
    icmp = _chain(ruleset, presets.ICMPV6_CHAIN)
    assert "-A INPUT -p ipv6-icmp -j icmpv6" in _chain(ruleset)
    assert "state" not in " ".join(icmp)
    for kind in (133, 134, 135, 136):
        assert f"-A icmpv6 -p ipv6-icmp -m icmp6 --icmpv6-type {kind} -m hl --hl-eq 255 -j ACCEPT" in icmp
    for kind in (1, 2, 3, 4, 128):
        assert f"-A icmpv6 -p ipv6-icmp -m icmp6 --icmpv6-type {kind} -j ACCEPT" in icmp
    assert not any("--icmpv6-type 137" in line or "--icmpv6-type 139" in line for line in icmp)


def test_answers_to_our_dhcpv6_client_are_accepted_unless_not_wanted() -> None:
    rule = "-A INPUT -s fe80::/10 -p udp -m udp --dport 546 -j ACCEPT"
    assert rule in _chain(presets.web(V6))
    assert rule not in _chain(presets.web(V6, dhcpv6=False))


def test_ssh_port_and_sources() -> None:
    sources = ("192.0.2.0/24", "2001:db8::/32", "admin.example")
    lines = {family: _chain(presets.web(family, ssh_port=2222, ssh_sources=sources)) for family in Family}
    tail = "-p tcp -m tcp --dport 2222 -m state --state NEW -j ACCEPT"
    assert [line for line in lines[V4] if "2222" in line] == [
        f"-A INPUT -s 192.0.2.0/24 {tail}",
        f"-A INPUT -s admin.example {tail}",
    ]
    assert [line for line in lines[V6] if "2222" in line] == [
        f"-A INPUT -s 2001:db8::/32 {tail}",
        f"-A INPUT -s admin.example {tail}",
    ]


def test_without_log_and_without_web() -> None:
    text = render(presets.web(V4, log=False, http=False))
    assert "LOG" not in text
    assert "--dport 80" not in text
    assert text.count("-j REJECT") == 3


def test_linode_is_ipv4_only() -> None:
    text = render(presets.web(V6, longview=True, nodebalancer=True))
    assert "linode" not in text
    assert "192.168" not in text


def test_services_follow_the_web_ports_or_stand_where_they_are_put() -> None:
    plain = _chain(presets.web(V4))
    extra = (Service("app", (8080,)), Service("first", (8081,), position=1), Service("more", (1, "2:3"), position=2))
    lines = _chain(presets.web(V4, extra=extra))
    assert "--dport 8081 " in lines[0]
    assert "--dports 1,2:3 " in lines[1]
    assert lines[2:8] == plain[:6]
    assert "--dport 8080 " in lines[8]
    assert lines[9:] == plain[6:]


def test_a_service_in_full() -> None:
    service = Service("db", (5432, "6000:6010", "https"), "tcp", ("10.0.0.0/8", "2001:db8::/32"), 'the "db"')
    assert _service(service) == [
        "-A INPUT -s 10.0.0.0/8 -p tcp -m multiport --dports 5432,6000:6010,443 -m state --state NEW "
        '-m comment --comment "the \\"db\\"" -j ACCEPT'
    ]
    assert len(_service(service, V6)) == 1


def test_sources_of_the_other_family_give_no_rule() -> None:
    assert _service(Service("db", (5432,), sources=("2001:db8::/32",))) == []
    assert _service(Service("db", (5432,), sources=("192.0.2.0/24",)), V6) == []


def test_a_source_that_is_no_network_is_refused_in_its_own_family() -> None:
    for source, family in (("2001:db8::/129", V6), ("192.0.2.0/33", V4), ("192.0.2.0/33", V6)):
        with pytest.raises(ValueError, match=source):
            _service(Service("db", (5432,), sources=(source,)), family)
    assert _service(Service("db", (5432,), sources=("2001:db8::/129",)), V4) == []


def test_more_ports_than_multiport_takes_are_more_rules() -> None:
    lines = _service(Service(ports=(*range(1, 15), "20:30", 40)))
    assert [line.split("--dports ")[1].split()[0] for line in lines] == ["1,2,3,4,5,6,7,8,9,10,11,12,13,14", "20:30,40"]


@pytest.mark.parametrize(
    ("service", "family", "line"),
    [
        (Service("ping", protocol="icmp"), V4, "-A INPUT -p icmp -j ACCEPT"),
        (Service("ping", protocol="icmp"), V6, "-A INPUT -p ipv6-icmp -j ACCEPT"),
        (Service("vpn", protocol="gre"), V4, "-A INPUT -p gre -m state --state NEW -j ACCEPT"),
        (Service("no", (25,), action="DROP"), V4, "-A INPUT -p tcp -m tcp --dport 25 -m state --state NEW -j DROP"),
    ],
)
def test_other_protocols_and_actions(service: Service, family: Family, line: str) -> None:
    assert _service(service, family) == [line]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"ports": ()}, "needs ports"),
        ({"ports": (1,), "protocol": "gre"}, "has no ports"),
        ({"ports": (1,), "action": "MAYBE"}, "none of"),
        ({"ports": (1,), "position": 0}, "count from 1"),
    ],
)
def test_services_that_make_no_sense(fields: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Service(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "service",
    [
        Service(ports=(70000,)),
        Service(ports=("htpps",)),
        Service(ports=(22,), sources=("10.0.0.0/40",)),
        Service(ports=(22,), sources=("10.0.0.1 -j DROP",)),
        Service(ports=("22 -j DROP",)),
        Service(protocol="nonsense"),
    ],
)
def test_values_of_services_are_checked_and_never_become_options(service: Service) -> None:
    with pytest.raises(RuleSyntaxError):
        service_rules(service, V4)


def test_insert_at_a_position() -> None:
    rule = parse_rule("-A FORWARD -j DROP", V4)
    ruleset = presets.web(V4)
    count = len(_chain(ruleset))
    assert _chain(insert(ruleset, "filter", "INPUT", 1, rule))[0] == "-A INPUT -j DROP"
    assert _chain(insert(ruleset, "filter", "INPUT", count + 1, rule))[-1] == "-A INPUT -j DROP"
    for position in (0, count + 2):
        with pytest.raises(ValueError, match=f"position {position}"):
            insert(ruleset, "filter", "INPUT", position, rule)
    with pytest.raises(ValueError, match="no chain"):
        insert(ruleset, "filter", "NOWHERE", 1, rule)


def test_icmp_as_the_guide_prints_it_or_as_its_listing_shows_it() -> None:
    state = [line for line in _chain(presets.web(V4)) if "icmp-type" in line]
    assert state == ["-A INPUT -p icmp -m state --state NEW -m icmp --icmp-type 8 -j ACCEPT"]
    lines = _chain(presets.web(V4, icmp="listed"))
    assert lines[2:5] == [f"-A INPUT -p icmp -m icmp --icmp-type {kind} -j ACCEPT" for kind in (3, 8, 11)]
    assert presets.web(V6, icmp="listed") == presets.web(V6)


@pytest.mark.parametrize(
    ("protocol", "types", "four", "six"),
    [
        ("icmp", ("echo-request", "time-exceeded"), [8, 11], [128, 3]),
        ("icmp", (8, "3/4", "packet-too-big"), [8, "3/4"], [2]),
        ("icmp", ("timestamp-request",), [13], []),
        ("icmpv6", ("echo-request", 137), [], [128, 137]),
    ],
)
def test_icmp_types_are_those_of_the_family(
    protocol: str, types: tuple[int | str, ...], four: list[int | str], six: list[int | str]
) -> None:
    service = Service("ping", protocol=protocol, types=types)
    assert _service(service) == [f"-A INPUT -p icmp -m icmp --icmp-type {kind} -j ACCEPT" for kind in four]
    assert _service(service, V6) == [f"-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type {kind} -j ACCEPT" for kind in six]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"protocol": "icmp", "ports": (8,)}, "icmp has no ports; its types are `types`"),
        ({"ports": (8,), "types": (8,)}, "tcp has no types, icmp has"),
        ({"protocol": "icmp", "types": ("echo-requst",)}, "did you mean echo-request"),
        ({"protocol": "icmpv6", "types": (300,)}, "a service: type 300: 300 is out of range"),
    ],
)
def test_icmp_types_that_are_none_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Service(**fields)

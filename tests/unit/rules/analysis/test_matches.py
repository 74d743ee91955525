"""Each part of the rule language in the bounds on the packets that a chain accepts (lower and upper)."""

from __future__ import annotations

from typing import Any

import pytest

from rules.analysis.reachability import Analysis, Bounds, analyse
from rules.language.parse import parse
from rules.packets.outcomes import Outcome
from rules.packets.packet import Packet
from rules.values.family import Family

V4, V6 = Family.IPV4, Family.IPV6
_ENDS = {V4: ("192.0.2.7", "198.51.100.2"), V6: ("2001:db8:9::7", "2001:db8::2")}


def _analysis(*rules: str, policy: str = "DROP", family: Family = V4) -> Analysis:
    return analyse(parse("\n".join([f"-P INPUT {policy}", *rules]), family))


def _packet(family: Family = V4, **fields: Any) -> Packet:
    source, destination = _ENDS[family]
    return Packet(family, fields.pop("source", source), fields.pop("destination", destination), **fields)


def _accepts(analysis: Analysis, packet: Packet) -> bool:
    """Whether INPUT accepts a packet; the set, the single outcome and the rule-by-rule walk must agree."""
    bounds = analysis.accepted()
    assert bounds.exact
    accepted = packet in bounds.lower
    assert (analysis.verdict(packet).verdict == "ACCEPT") == accepted
    return accepted


# A match, packets that it matches, packets that it does not.
_MATCHES: list[tuple[str, list[dict[str, Any]], list[dict[str, Any]]]] = [
    ("-s 192.0.2.0/24", [{}], [{"source": "192.0.3.7"}]),
    ("! -s 192.0.2.0/24", [{"source": "192.0.3.7"}], [{}]),
    ("-d 198.51.100.2", [{}], [{"destination": "198.51.100.3"}]),
    ("! -d 198.51.100.2", [{"destination": "198.51.100.3"}], [{}]),
    ("-s 192.0.2.7/255.0.255.255", [{}, {"source": "192.9.2.7"}], [{"source": "192.9.2.8"}]),
    ("-i eth0", [{}], [{"in_interface": "eth1"}, {"in_interface": "eth01"}]),
    ("-i eth+", [{}, {"in_interface": "eth01"}, {"in_interface": "eth"}], [{"in_interface": "wlan0"}]),
    ("! -i eth+", [{"in_interface": "wlan0"}], [{}]),
    ("-p udp", [{"protocol": 17}], [{}]),
    ("! -p udp", [{}, {"protocol": 47}], [{"protocol": 17}]),
    ("-p tcp --dport 80:90", [{"port": 80}, {"port": 90}], [{"port": 79}, {"port": 91}, {"port": 80, "protocol": 17}]),
    ("-p tcp ! --dport 80:90", [{"port": 79}, {"port": 91}], [{"port": 80}, {"port": 79, "protocol": 17}]),
    ("-p tcp --dport :90", [{"port": 0}, {"port": 90}], [{"port": 91}]),
    ("-p tcp --dport 1024:", [{"port": 1024}, {"port": 65535}], [{"port": 1023}]),
    ("-p tcp --sport 20 ", [{"source_port": 20}], [{}]),
    ("-p tcp -m multiport --dports 22,80:90", [{"port": 22}, {"port": 85}], [{"port": 23}, {"port": 91}]),
    ("-p tcp -m multiport ! --dports 22,80:90", [{"port": 23}, {"port": 91}], [{"port": 22}, {"port": 85}]),
    ("-p tcp -m multiport --sports 20,21", [{"source_port": 21}], [{"port": 21}]),
    ("-p tcp -m multiport --ports 20", [{"source_port": 20}, {"port": 20}], [{"port": 21}]),
    ("-p tcp -m multiport ! --ports 20", [{"port": 21}], [{"source_port": 20}, {"port": 20}]),
    (
        "-m iprange --src-range 192.0.2.6-192.0.2.9",
        [{}, {"source": "192.0.2.6"}, {"source": "192.0.2.9"}],
        [{"source": "192.0.2.5"}, {"source": "192.0.2.10"}],
    ),
    ("-m iprange ! --src-range 192.0.2.6-192.0.2.9", [{"source": "192.0.2.10"}], [{}]),
    ("-m iprange --dst-range 198.51.100.1-198.51.100.2", [{}], [{"destination": "198.51.100.3"}]),
    ("-m state --state NEW", [{}], [{"state": "ESTABLISHED"}, {"state": "INVALID"}, {"state": "UNTRACKED"}]),
    ("-m state ! --state NEW", [{"state": "ESTABLISHED"}, {"state": "UNTRACKED"}], [{}]),
    ("-m conntrack --ctstate ESTABLISHED,RELATED", [{"state": "ESTABLISHED"}, {"state": "RELATED"}], [{}]),
    ("-m conntrack ! --ctstate INVALID", [{}, {"state": "UNTRACKED"}], [{"state": "INVALID"}]),
    ("-m conntrack --ctstate DNAT", [{"dnat": True}], [{}, {"snat": True}]),
    (
        "-m conntrack --ctdir REPLY",
        [{"state": "ESTABLISHED", "reply": True}],
        [{"state": "ESTABLISHED"}, {"state": "INVALID"}],
    ),
    ("-p tcp --syn", [{}], [{"flags": ("SYN", "ACK")}, {"flags": ()}]),
    ("-p tcp ! --syn", [{"flags": ("SYN", "ACK")}, {"flags": ()}], [{}]),
    ("-p tcp --tcp-flags FIN,SYN FIN,SYN", [{"flags": ("FIN", "SYN", "ACK")}], [{}, {"flags": ("FIN",)}]),
    ("-p tcp --tcp-flags ALL NONE", [{"flags": ()}], [{}]),
    ("-p icmp --icmp-type 8", [{"protocol": 1, "icmp": (8, 0)}], [{"protocol": 1, "icmp": (0, 0)}, {}]),
    ("-p icmp ! --icmp-type 8", [{"protocol": 1, "icmp": (0, 0)}], [{"protocol": 1, "icmp": (8, 0)}, {}]),
    ("-p icmp --icmp-type 3/4", [{"protocol": 1, "icmp": (3, 4)}], [{"protocol": 1, "icmp": (3, 3)}]),
    ("-p icmp --icmp-type any", [{"protocol": 1, "icmp": (42, 7)}], [{"protocol": 17}]),
    ("-f", [{"fragment": True}], [{}]),
    ("! -f", [{}], [{"fragment": True}]),
    ("-p tcp --dport 0:65535", [{}], [{"fragment": True}]),
    ("-m ttl --ttl-gt 64", [{"hops": 65}], [{}]),
    ("-m length --length 60:70", [{}], [{"length": 71}]),
    ("-m pkttype --pkt-type broadcast", [{"packet_type": 1}], [{}]),
    ("-m addrtype --dst-type LOCAL", [{}], [{"destination_type": 3}]),
    ("-m dscp --dscp 0x2e", [{"tos": 0xB8}, {"tos": 0xB9}], [{}]),
]


@pytest.mark.parametrize(("match", "matched", "others"), _MATCHES, ids=[match for match, _, _ in _MATCHES])
def test_a_match_matches_these_and_not_those(
    match: str, matched: list[dict[str, Any]], others: list[dict[str, Any]]
) -> None:
    accepting = _analysis(f"-A INPUT {match} -j ACCEPT")
    refusing = _analysis(f"-A INPUT {match} -j DROP", policy="ACCEPT")
    for fields in matched:
        assert _accepts(accepting, _packet(**fields))
        assert not _accepts(refusing, _packet(**fields))
    for fields in others:
        assert not _accepts(accepting, _packet(**fields))
        assert _accepts(refusing, _packet(**fields))


def test_ipv6_has_types_and_hop_limits_of_its_own() -> None:
    analysis = _analysis("-A INPUT -p icmpv6 --icmpv6-type 135 -m hl --hl-eq 255 -j ACCEPT", family=V6)
    asked = {"protocol": 58, "icmp": (135, 0), "state": "UNTRACKED"}
    assert _accepts(analysis, _packet(V6, **asked, hops=255))
    assert not _accepts(analysis, _packet(V6, **asked, hops=254))
    assert not _accepts(analysis, _packet(V6, **{**asked, "icmp": (136, 0)}, hops=255))


# -- chains, targets, policy


@pytest.mark.parametrize(
    ("rules", "ports"),
    [
        (["-N a", "-A a -p tcp --dport 1 -j ACCEPT", "-A INPUT -j a", "-A INPUT -p tcp --dport 2 -j ACCEPT"], {1, 2}),
        (["-N a", "-A a -p tcp --dport 1 -j ACCEPT", "-A INPUT -g a", "-A INPUT -p tcp --dport 2 -j ACCEPT"], {1}),
        (["-N a", "-A a -p tcp --dport 1 -j RETURN", "-A a -p tcp -j ACCEPT", "-A INPUT -j a"], {2, 3}),
        (["-A INPUT -p tcp --dport 1 -j RETURN", "-A INPUT -p tcp -j ACCEPT"], {2, 3}),
        # after goto, RETURN continues in the caller of the chain with the goto
        (
            [
                "-N a",
                "-N b",
                "-A INPUT -j a",
                "-A INPUT -p tcp --dport 3 -j ACCEPT",
                "-A a -g b",
                "-A a -p tcp --dport 2 -j ACCEPT",
                "-A b -p tcp --dport 1 -j ACCEPT",
            ],
            {1, 3},
        ),
        (["-A INPUT -p tcp --dport 1 -j LOG", "-A INPUT -p tcp --dport 1:2 -j ACCEPT"], {1, 2}),
        (["-A INPUT -p tcp --dport 1", "-A INPUT -p tcp --dport 1:2 -j ACCEPT"], {1, 2}),
        (["-A INPUT -p tcp --dport 1 -j REJECT --reject-with tcp-reset", "-A INPUT -p tcp -j ACCEPT"], {2, 3}),
        (["-N a", "-A INPUT -p tcp --dport 1 -j a", "-A INPUT -p tcp --dport 1 -j ACCEPT"], {1}),
        (["-N a", "-A a -p tcp --dport 1 -j ACCEPT"], set()),
    ],
)
def test_chains_and_targets(rules: list[str], ports: set[int]) -> None:
    analysis = _analysis(*rules)
    assert {port for port in (1, 2, 3) if _accepts(analysis, _packet(port=port))} == ports
    opened = _analysis(*(rule.replace("-j ACCEPT", "-j DROP") for rule in rules), policy="ACCEPT")
    # With all verdicts inverted, so is the answer, except that REJECT still refuses.
    if not any("REJECT" in rule for rule in rules):
        assert {port for port in (1, 2, 3) if not _accepts(opened, _packet(port=port))} == ports


def test_the_policy_decides_on_the_rest_and_no_rule_is_named() -> None:
    for policy, accepted in (("ACCEPT", True), ("DROP", False)):
        analysis = _analysis("-A INPUT -p udp -j REJECT", policy=policy)
        assert _accepts(analysis, _packet()) is accepted
        assert analysis.verdict(_packet()).decided_by is None


def test_a_limit_does_not_decide() -> None:
    """Below the limit, the rule decides, above it the next ones: both verdicts are possible."""
    analysis = _analysis("-A INPUT -p tcp -m limit --limit 5/min -j ACCEPT", "-A INPUT -p tcp --dport 1 -j REJECT")
    outcome = analysis.outcome(_packet(port=1))
    assert outcome == Outcome(frozenset([1 | 4]))
    assert analysis.accepted().exact
    assert _packet(port=2) in analysis.accepted().lower
    assert analysis.unknown_matches() == ()
    refusing = _analysis("-A INPUT -m limit --limit 5/min -j DROP", policy="ACCEPT")
    assert _packet() in refusing.accepted().lower


@pytest.mark.parametrize("jump", ["-j", "-g"])
@pytest.mark.parametrize(
    ("inner", "decided", "place"),
    [
        ("-A a -p udp -j ACCEPT", None, ""),  # nothing within decides: it is as if nobody had jumped
        ("-A a -p tcp -j ACCEPT", None, "INPUT 1"),
        ("-A a -p tcp -j RETURN", None, ""),
    ],
)
def test_a_jump_that_may_be_taken_does_not_decide(jump: str, inner: str, decided: None, place: str) -> None:
    limited = _analysis("-N a", inner, f"-A INPUT -p tcp -m limit --limit 5/min {jump} a", "-A INPUT -j ACCEPT")
    outcome = limited.verdict(_packet())
    if jump == "-g" or place:  # the rest of INPUT is skipped if it is taken, and not if it is not
        assert (outcome.verdict, str(outcome.decided_by and outcome.decided_by.place)) == (decided, "INPUT 1")
    else:
        assert outcome.verdict == "ACCEPT"
    certain = _analysis("-N a", inner, f"-A INPUT -p tcp {jump} a", "-A INPUT -j ACCEPT")
    assert certain.verdict(_packet()).verdict == ("DROP" if jump == "-g" and not place else "ACCEPT")


# -- unsupported matches


def _bounds(*rules: str, policy: str = "DROP") -> Bounds:
    return _analysis(*rules, policy=policy).accepted()


def test_an_unknown_match_gives_bounds() -> None:
    accepting = _bounds("-A INPUT -p tcp -m set --match-set friends src -j ACCEPT")
    assert not accepting.exact
    assert not accepting.lower
    assert _packet() in accepting.upper
    assert _packet(protocol=17) not in accepting.upper
    refusing = _bounds("-A INPUT -p tcp -m set --match-set enemies src -j DROP", policy="ACCEPT")
    assert not refusing.exact
    assert _packet() not in refusing.lower
    assert _packet() in refusing.upper
    assert _packet(protocol=17) in refusing.lower


@pytest.mark.parametrize(
    ("match", "family"),
    [
        *((match, V4) for match in ("-m socket", "-p ipcomp -m ipcomp")),
        *(
            (f"-m {match}", V6)
            for match in ("dst", "hbh", "rt", "frag", "srh", "eui64", "ah", "ipv6header --header dst")
        ),
    ],
)
def test_a_match_without_options_is_no_rule_for_everything(match: str, family: Family) -> None:
    bounds = _analysis(f"-A INPUT {match} -j ACCEPT", family=family).accepted()
    assert not bounds.exact
    assert not bounds.lower


def test_an_unknown_match_that_changes_nothing_leaves_no_doubt() -> None:
    assert _bounds("-A INPUT -m set --match-set a src -j ACCEPT", policy="ACCEPT").exact
    assert _bounds("-A INPUT -m set --match-set a src -j LOG").exact
    twice = _bounds("-A INPUT -m set --match-set a src -p tcp -j ACCEPT", "-A INPUT -p tcp -j ACCEPT")
    assert twice.exact
    assert _packet() in twice.lower


def test_the_rule_with_the_unknown_match_is_named() -> None:
    analysis = _analysis(
        "-N web",
        "-A INPUT -p tcp -j web",
        "-A web -p tcp --dport 80 -m string --string x --algo bm -j ACCEPT",
        "-A INPUT -p udp -m set ! --match-set a src -j ACCEPT",
    )
    assert list(map(str, analysis.unknown_matches())) == [
        "rule 2: -m set ! --match-set a src",
        'rule 1 of web: -m string --string "x" --algo bm',
    ]
    assert analysis.exposure() == (
        'possibly tcp/80 from anywhere (rule 1 of web: -m string --string "x" --algo bm)',
        "possibly udp from anywhere (rule 2: -m set ! --match-set a src)",
    )
    decision = analysis.verdict(_packet(port=80))
    assert decision.verdict is None
    assert str(decision.decided_by and decision.decided_by.place) == "web 1"


def test_a_target_that_nobody_knows_is_a_doubt() -> None:
    analysis = _analysis("-A INPUT -p tcp --dport 1 -j NFQUEUE --queue-num 1")
    assert not analysis.accepted().exact
    assert _packet(port=1) in analysis.accepted().upper
    assert _packet(port=2) not in analysis.accepted().upper


# -- regions


def test_regions_are_disjoint_and_together_the_set() -> None:
    analysis = _analysis(
        "-A INPUT -s 192.0.2.0/24 -p tcp --dport 20:30 -j ACCEPT",
        "-A INPUT -s 192.0.2.128/25 -j DROP",
        "-A INPUT -s 192.0.2.0/24 -p tcp --dport 25:40 -j ACCEPT",
        "-A INPUT -p udp --dport 53 -j ACCEPT",
    )
    accepted = analysis.accepted().lower
    regions = list(accepted)
    fields = [dict(region.fields) for region in regions]
    for packet in (
        _packet(source=source, port=port, protocol=protocol)
        for source in ("192.0.2.1", "192.0.2.200", "192.0.3.1")
        for port in (19, 20, 25, 31, 40, 41, 53)
        for protocol in (6, 17)
    ):
        point = packet.point()
        inside = [
            all(any(low <= point[field] <= high for low, high in spans) for field, spans in box.items())
            for box in fields
        ]
        assert sum(inside) == int(packet in accepted)

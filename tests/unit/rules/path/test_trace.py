"""The path of one packet through all tables."""

from __future__ import annotations

import pytest

from rules.errors import ExpectedError
from rules.packets.packet import Field
from rules.path.described import followed, read_packet, trace_lines
from rules.path.layers import Layer, layers
from rules.path.network import HostNetwork, OwnAddress, Route, read_network
from rules.path.nftables.listing import read_listing
from rules.path.sets import Members, read_sets
from rules.path.trace import Trace, Tracer
from rules.values.family import Family
from tests.unit.rules.path.hosts import ADDRESSES, docker, network

PUBLISHED = "tcp 198.51.100.7:40000 > 203.0.113.5:5432"


def _traced(
    packet: str,
    user: str = "",
    mangle: str = "",
    known: HostNetwork | None = None,
    more: tuple[Layer, ...] = (),
    sets: dict[str, Members] | None = None,
) -> Trace:
    found = (*layers(docker(user, mangle)), *more)
    return followed(Tracer(Family.IPV4, found, known or network(), sets or {}), read_packet(packet))


def _end(trace: Trace) -> tuple[str, str, int]:
    (end,) = trace.ends
    return end.verdict, end.where, end.packet[Field.SERVICE]


def test_what_docker_publishes_is_forwarded_past_input() -> None:
    trace = _traced(PUBLISHED)
    assert _end(trace) == ("ACCEPT", "forwarded", 5432)
    lines = list(trace_lines(trace, Family.IPV4))
    assert "nat DOCKER 2: " in lines[1]
    assert lines[-1] == "= forwarded: tcp 198.51.100.7:40000 > 172.17.0.2:5432 out docker0"
    assert any(line.startswith("filter DOCKER 1: ") for line in lines)
    assert _end(_traced("tcp 198.51.100.7:40000 > 203.0.113.5:5433"))[:2] == ("DROP", "host")
    assert _end(_traced("tcp 198.51.100.7:40000 > 203.0.113.5:22"))[:2] == ("ACCEPT", "host")


@pytest.mark.parametrize(
    ("user", "mangle", "dropped"),
    [
        ("-m conntrack --ctorigdst 203.0.113.5/32 --ctorigdstport 5432 -p tcp -j DROP", "", True),
        ("-p tcp -m conntrack --ctorigdst 203.0.113.6/32 -j DROP", "", False),
        ("-p tcp -m conntrack --ctorigdstport 5433 -j DROP", "", False),
        ("-m conntrack --ctstate DNAT -j DROP", "", True),
        ("-m conntrack ! --ctstate DNAT -j DROP", "", False),
        ("-m mark --mark 0x7 -j DROP", "-p tcp --dport 5432 -j MARK --set-mark 0x7", True),
        ("-m mark --mark 0x7 -j DROP", "-p tcp --dport 5433 -j MARK --set-mark 0x7", False),
        ("-m mark --mark 0x2/0x2 -j DROP", "-s 198.51.100.0/24 -j MARK --or-mark 0x3", True),
        ("-m helper --helper ftp -j DROP", "", False),
        ("-m connmark ! --mark 0x0 -j DROP", "-j CONNMARK --set-mark 0x1", True),
    ],
)
def test_what_is_asked_in_filter_is_what_was_made_before(user: str, mangle: str, dropped: bool) -> None:
    assert _end(_traced(PUBLISHED, user, mangle))[0] == ("DROP" if dropped else "ACCEPT")


def test_what_is_not_known_is_followed_both_ways() -> None:
    trace = _traced(PUBLISHED, "-m u32 --u32 0x0=0x0 -j DROP")
    assert trace.verdict is None
    assert sorted(end.verdict for end in trace.ends) == ["ACCEPT", "DROP"]
    assert any("(possibly)" in line for line in trace_lines(trace, Family.IPV4))
    without = _traced(PUBLISHED, known=HostNetwork(Family.IPV4))
    assert {end.where for end in without.ends} == {"host", "forwarded"}


def test_sets_with_members_decide() -> None:
    sets = read_sets("create bad hash:net family inet hashsize 1024 maxelem 65536\nadd bad 198.51.100.0/24\n")
    rule = "-m set --match-set bad src -j DROP"
    assert _end(_traced(PUBLISHED, rule, sets=sets))[0] == "DROP"
    assert _traced(PUBLISHED, rule).verdict is None


def test_a_table_of_nftables_that_drops_comes_in_between() -> None:
    listing = """{"nftables": [{"table": {"family": "inet", "name": "company"}},
      {"chain": {"family": "inet", "table": "company", "name": "forward", "type": "filter", "hook": "forward",
                 "prio": -10, "policy": "accept"}},
      {"rule": {"family": "inet", "table": "company", "chain": "forward", "expr": [
        {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": %s}}, %s
        {"drop": null}]}}]}"""
    for port, more, verdict in (("5432", "", "DROP"), ('{"set": [80, 5432]}', "", "DROP"), ("80", "", "ACCEPT")):
        found = read_listing(listing % (port, more), Family.IPV4)
        assert _end(_traced(PUBLISHED, more=found.layers, sets=dict(found.sets)))[0] == verdict, port
    found = read_listing(listing % ("5432", '{"osf": {"key": "name"}},'), Family.IPV4)
    assert _traced(PUBLISHED, more=found.layers).verdict is None


@pytest.mark.parametrize(
    ("table", "followed_layers", "doubt"),
    [
        ('"family": "inet"', 1, ""),
        ('"family": "inet", "flags": "owner"', 1, ""),
        ('"family": "inet", "flags": ["dormant"]', 0, ""),
        ('"family": "inet", "flags": "dormant"', 0, ""),
        ('"family": "inet", "flags": "t"', 0, "the nftables table inet t, which may be dormant,"),
        ('"family": "bridge"', 0, "the nftables table bridge t"),
        ('"family": "arp"', 0, ""),
    ],
)
def test_tables_that_may_not_filter(table: str, followed_layers: int, doubt: str) -> None:
    family = table.split('"')[3]
    listing = f"""{{"nftables": [{{"table": {{{table}, "name": "t"}}}},
      {{"chain": {{"family": "{family}", "table": "t", "name": "i", "type": "filter", "hook": "input", "prio": 0,
                 "policy": "drop"}}}}]}}"""
    found = read_listing(listing, Family.IPV4)
    assert (len(found.layers), found.doubts) == (followed_layers, (doubt,) if doubt else ())


@pytest.mark.parametrize(
    ("op", "key", "right", "verdict"),
    [
        ("==", "pkttype", '"multicast"', "ACCEPT"),
        ("==", "pkttype", '{"set": ["broadcast", "multicast"]}', "ACCEPT"),
        ("!=", "pkttype", '{"set": ["broadcast", "multicast"]}', "DROP"),
        ("==", "pkttype", '"other"', None),
        ("==", "nfproto", '"ipv6"', "ACCEPT"),
        ("==", "nfproto", '{"set": ["ipv4", "ipv6"]}', "DROP"),
        ("!=", "nfproto", '{"set": ["ipv4", "ipv6"]}', "ACCEPT"),
        ("!=", "protocol", '"ip6"', "DROP"),
        ("==", "protocol", '"arp"', "ACCEPT"),
        ("==", "mark", "{}", None),
        ("in", "l4proto", "[[]]", None),
    ],
)
def test_what_nft_asks_of_the_kind_of_a_packet(op: str, key: str, right: str, verdict: str | None) -> None:
    listing = """{"nftables": [{"table": {"family": "inet", "name": "t"}},
      {"chain": {"family": "inet", "table": "t", "name": "i", "type": "filter", "hook": "input", "prio": 0,
                 "policy": "accept"}},
      {"rule": {"family": "inet", "table": "t", "chain": "i", "expr": [
        {"match": {"op": "%s", "left": {"meta": {"key": "%s"}}, "right": %s}}, {"drop": null}]}}]}"""
    found = read_listing(listing % (op, key, right), Family.IPV4)
    assert _traced("tcp 198.51.100.7:40000 > 203.0.113.5:22", more=found.layers).verdict == verdict


def test_a_type_of_icmp_that_nft_alone_knows_is_not_understood() -> None:
    listing = """{"nftables": [{"table": {"family": "inet", "name": "company"}},
      {"chain": {"family": "inet", "table": "company", "name": "in", "type": "filter", "hook": "input",
                 "prio": 0, "policy": "accept"}},
      {"rule": {"family": "inet", "table": "company", "chain": "in", "expr": [
        {"match": {"op": "==", "left": {"payload": {"protocol": "icmpv6", "field": "type"}},
                   "right": "mld-listener-reduction"}}, {"drop": null}]}}]}"""
    assert read_listing(listing, Family.IPV6).layers


def test_addresses_and_routes_are_read_as_text_and_as_json() -> None:
    plain = network()
    assert OwnAddress("docker0", 0xAC110001, 16) in plain.addresses
    assert Route(0xAC110000, 16, "docker0") in plain.routes
    assert [plain.way_out(number) for number in (0xAC110002, 0x08080808, 0xC6120001)] == ["docker0", "eth0", ""]
    json_ = '[{"ifname": "eth0", "addr_info": [{"family": "inet", "local": "203.0.113.5", "prefixlen": 24}]}]'
    routes = (
        '[{"dst": "default", "gateway": "203.0.113.1", "dev": "eth0"}, {"type": "blackhole", "dst": "198.18.0.0/15"}]'
    )
    found = read_network(Family.IPV4, json_, routes)
    assert found.addresses == (OwnAddress("eth0", 0xCB007105, 24),)
    assert [found.way_out(number) for number in (0x08080808, 0xC6120001)] == ["eth0", ""]
    several = "default proto static\n\tnexthop via 203.0.113.1 dev eth0\n\tnexthop via 198.51.100.1 dev eth1\n"
    hops = '[{"dst": "default", "nexthops": [{"dev": "eth0"}, {"dev": "eth1"}]}]'
    assert [read_network(Family.IPV4, json_, text).way_out(0x08080808) for text in (several, hops)] == [None, None]
    one = several.replace("eth1", "eth0")
    assert read_network(Family.IPV4, json_, one).way_out(0x08080808) == "eth0"
    assert read_network(Family.IPV4, "[nonsense", "{}") == HostNetwork(Family.IPV4)
    assert read_network(Family.IPV6, ADDRESSES) == HostNetwork(Family.IPV6)


def test_what_the_host_sends() -> None:
    trace = _traced("tcp 203.0.113.5:40000 > 198.51.100.7:80")
    assert _end(trace)[:2] == ("ACCEPT", "sent")


@pytest.mark.parametrize(
    "text",
    [
        "tcp 1.2.3.4:1",
        "tcp 1.2.3.4:1 > x:2",
        "tpc 1.2.3.4 > 1.2.3.5",
        "tcp 1.2.3.4 > 1.2.3.5 by x",
        "tcp 1.2.3.4 > 1.2.3.5 in a in b",
        "tcp 1.2.3.4 > 1.2.3.5 in eth+",
        "tcp 1.2.3.4 > 1.2.3.5 out interface-of-17-b",
        "tcp 1.2.3.4 > ::1",
        "tcp 010.2.3.4 > 1.2.3.5",
        "tcp [::1:1 > [::2]:2",
        "tcp [::1]1 > [::2]:2",
    ],
)
def test_what_is_no_packet_is_refused(text: str) -> None:
    with pytest.raises(ExpectedError):
        read_packet(text)

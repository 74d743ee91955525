"""The path of one packet through all tables."""

from __future__ import annotations

import pytest

from rules.errors import ExpectedError
from rules.language.parse import parse_saved
from rules.packets.packet import Field
from rules.path.described import followed, read_packet, trace_lines
from rules.path.layers import Layer, at, layers
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
        ("-m ttl --ttl-eq 5 -j DROP", "-j TTL --ttl-set 6", True),  # one less, as it is forwarded
        ("-m ttl --ttl-eq 7 -j DROP", "-j TTL --ttl-set 6", False),
        ("-m ttl --ttl-lt 3 -j DROP", "-j TTL --ttl-dec 255", True),
        ("-m ttl --ttl-gt 253 -j DROP", "-j TTL --ttl-inc 255", True),
        ("-m tos --tos 0x10/0xff -j DROP", "-j TOS --set-tos 0x10", True),
        ("-m tos --tos 0x10/0xff -j DROP", "-j TOS --set-tos 0x08", False),
        ("-m tos --tos 0x1c/0xff -j DROP", "-j TOS --or-tos 0x1c", True),
        ("-m tos --tos 0x00/0xff -j DROP", "-j TOS --and-tos 0x00", True),
        ("-m dscp --dscp 0x2e -j DROP", "-j DSCP --set-dscp 0x2e", True),
        ("-m tos --tos 0xb8/0xff -j DROP", "-j DSCP --set-dscp 0x2e", True),
        ("-m dscp --dscp 0x2e -j DROP", "-j DSCP --set-dscp 0x2f", False),
        ("-m mark --mark 0x5 -j DROP", "-j CONNMARK --set-mark 0x5", False),
        ("-m mark --mark 0x0 -j DROP", "-j CONNMARK --restore-mark", True),
        ("-m connmark --mark 0x0 -j DROP", "-j CONNMARK --save-mark", True),
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


@pytest.mark.parametrize(
    ("asked", "verdicts"),
    [
        ("--dst-type LOCAL", {"DROP"}),
        ("! --dst-type LOCAL", {"ACCEPT"}),
        ("--src-type LOCAL", {"ACCEPT"}),
        ("--dst-type ANYCAST", {"DROP", "ACCEPT"}),
        ("--dst-type LOCAL,ANYCAST", {"DROP", "ACCEPT"}),
        ("--dst-type LOCAL --limit-iface-in", {"DROP", "ACCEPT"}),
    ],
)
def test_an_address_of_ipv6_may_have_several_types_of_which_only_local_is_known(asked: str, verdicts: set[str]) -> None:
    rules = parse_saved(f"*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -m addrtype {asked} -j DROP\nCOMMIT\n", Family.IPV6)
    known = read_network(
        Family.IPV6, "2: eth0    inet6 2001:db8::5/64 scope global\n", "default via fe80::1 dev eth0\n"
    )
    trace = followed(
        Tracer(Family.IPV6, layers(rules), known, {}), read_packet("tcp 2001:db8:1::7:4 > [2001:db8::5]:22 in eth0")
    )
    assert {end.verdict for end in trace.ends} == verdicts


def test_an_icmp_packet_of_any_type_has_the_first_one() -> None:
    assert read_packet("icmp 198.51.100.7 > 203.0.113.5 type any").packet.icmp == (0, 0)
    assert read_packet("icmp 198.51.100.7 > 203.0.113.5").packet.icmp == (8, 0)


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


_ASKED = """{"nftables": [{"table": {"family": "inet", "name": "t"}},
  {"chain": {"family": "inet", "table": "t", "name": "i", "type": "filter", "hook": "input", "prio": 0,
             "policy": "accept"}},
  {"map": {"family": "inet", "table": "t", "name": "m", "elem": [[22, {"drop": null}], [23, {"accept": null}]]}},
  {"set": {"family": "inet", "table": "t", "name": "s", "elem": [22, {"elem": {"val": 24}}]}},
  {"rule": {"family": "inet", "table": "t", "chain": "i", "expr": [STATEMENTS]}}]}"""


def _verdict(statements: str) -> str | None:
    found = read_listing(_ASKED.replace("STATEMENTS", statements), Family.IPV4)
    packet = "tcp 198.51.100.7:40000 > 203.0.113.5:22 in eth0"
    return _traced(packet, more=found.layers, sets=dict(found.sets)).verdict


SOURCE, TARGET = (f'{{"payload": {{"protocol": "ip", "field": "{field}"}}}}' for field in ("saddr", "daddr"))
PORT, FROM = (f'{{"payload": {{"protocol": "tcp", "field": "{field}"}}}}' for field in ("dport", "sport"))
DROP, PASS = "DROP", "ACCEPT"


@pytest.mark.parametrize(
    ("left", "op", "right", "verdict"),
    [
        (SOURCE, "==", '"198.51.100.7"', DROP),
        (SOURCE, "!=", '"198.51.100.7"', PASS),
        (SOURCE, "==", '{"prefix": {"addr": "198.51.100.0", "len": 24}}', DROP),
        (SOURCE, "==", '{"prefix": {"addr": "198.51.101.0", "len": 24}}', PASS),
        (SOURCE, "==", '{"range": ["198.51.100.1", "198.51.100.9"]}', DROP),
        (SOURCE, "==", '{"set": ["192.0.2.1", "198.51.100.7"]}', DROP),
        (SOURCE, "!=", '{"set": ["192.0.2.1", "198.51.100.7"]}', PASS),
        (TARGET, "==", '"198.51.100.7"', PASS),
        (TARGET, "==", '"203.0.113.5"', DROP),
        ('{"payload": {"protocol": "ip6", "field": "saddr"}}', "==", '"2001:db8::1"', PASS),
        ('{"payload": {"protocol": "ip", "field": "protocol"}}', "==", '"tcp"', DROP),
        ('{"payload": {"protocol": "ip", "field": "protocol"}}', "!=", '"tcp"', PASS),
        ('{"payload": {"protocol": "ip", "field": "length"}}', "==", "40", None),
        (PORT, "==", "22", DROP),
        (PORT, "!=", "22", PASS),
        (PORT, "==", '{"range": [20, 23]}', DROP),
        (PORT, "==", '"@s"', DROP),
        (PORT, "==", '{"set": [80, {"range": [100, 200]}]}', PASS),
        (FROM, "==", "40000", DROP),
        (FROM, "==", "22", PASS),
        ('{"payload": {"protocol": "th", "field": "dport"}}', "==", "22", DROP),
        ('{"payload": {"protocol": "udp", "field": "dport"}}', "==", "22", PASS),
        ('{"payload": {"protocol": "icmp", "field": "type"}}', "==", '"echo-request"', PASS),
        ('{"payload": {"protocol": "icmpv6", "field": "type"}}', "==", '"echo-request"', PASS),
        ('{"meta": {"key": "iifname"}}', "==", '"eth0"', DROP),
        ('{"meta": {"key": "iifname"}}', "==", '"et*"', DROP),
        ('{"meta": {"key": "iifname"}}', "!=", '{"set": ["lo", "eth0"]}', PASS),
        ('{"meta": {"key": "iifname"}}', "==", '"lo"', PASS),
        ('{"meta": {"key": "l4proto"}}', "==", '{"set": ["udp", "tcp"]}', DROP),
        ('{"meta": {"key": "l4proto"}}', "!=", '"tcp"', PASS),
        ('{"meta": {"key": "mark"}}', "==", "0", DROP),
        ('{"meta": {"key": "mark"}}', "==", "1", PASS),
        ('{"&": [{"meta": {"key": "mark"}}, 1]}', "==", "0", DROP),
        ('{"&": [{"meta": {"key": "mark"}}, 1]}', "!=", "0", PASS),
        ('{"ct": {"key": "state"}}', "in", '"new"', DROP),
        ('{"ct": {"key": "state"}}', "in", '{"set": ["established", "related"]}', PASS),
        ('{"ct": {"key": "state"}}', "!=", '"established"', DROP),
        ('{"ct": {"key": "status"}}', "in", '"dnat"', PASS),
        ('{"ct": {"key": "direction"}}', "==", '"original"', DROP),
        ('{"ct": {"key": "direction"}}', "==", '"reply"', PASS),
        ('{"ct": {"key": "helper"}}', "==", '"ftp"', None),
        ('{"fib": {"result": "type", "flags": ["daddr"]}}', "==", '"local"', DROP),
        ('{"fib": {"result": "type", "flags": ["saddr"]}}', "==", '"local"', PASS),
        ('{"fib": {"result": "oif", "flags": ["saddr"]}}', "==", '"lo"', None),
        ('{"unheard": {}}', "==", "1", None),
        (PORT, "<", "80", None),
    ],
)
def test_what_nft_compares(left: str, op: str, right: str, verdict: str | None) -> None:
    compared = f'{{"match": {{"op": "{op}", "left": {left}, "right": {right}}}}}'
    assert _verdict(f'{compared}, {{"drop": null}}') == verdict


@pytest.mark.parametrize(
    ("statement", "verdict"),
    [
        ('{"vmap": {"key": PORT, "data": {"set": [[22, {"drop": null}], [23, {"accept": null}]]}}}', DROP),
        ('{"vmap": {"key": PORT, "data": {"set": [[23, {"drop": null}], [22, {"accept": null}]]}}}', PASS),
        ('{"vmap": {"key": PORT, "data": {"set": [[80, {"drop": null}]]}}}', PASS),
        ('{"vmap": {"key": PORT, "data": "@m"}}', DROP),
        ('{"vmap": {"key": PORT, "data": {"set": [22]}}}', None),
        ('{"vmap": {"key": {"concat": [{"meta": {"key": "l4proto"}}, PORT]}, "data": {"set": [["x", null]]}}}', None),
        ('{"reject": null}', "REJECT"),
        ('{"accept": null}', PASS),
        ('{"counter": null}, {"log": null}, {"drop": null}', DROP),
        ('{"limit": {"rate": 1, "per": "second"}}, {"drop": null}', None),
        ('{"return": null}, {"drop": null}', PASS),
    ],
)
def test_what_nft_does(statement: str, verdict: str | None) -> None:
    assert _verdict(statement.replace("PORT", PORT)) == verdict


ORDER = {
    "PREROUTING": (("raw", -300), ("mangle", -150), ("nat", -100)),
    "INPUT": (("mangle", -150), ("filter", 0), ("security", 50), ("nat", 100)),
    "FORWARD": (("mangle", -150), ("filter", 0), ("security", 50)),
    "OUTPUT": (("raw", -300), ("mangle", -150), ("nat", -100), ("filter", 0), ("security", 50)),
    "POSTROUTING": (("mangle", -150), ("nat", 100)),
}
"""The priorities of iptables' tables at each hook (netfilter_ipv4.h)."""


@pytest.mark.parametrize("hook", ORDER)
def test_tables_are_traversed_in_the_order_of_their_priorities(hook: str) -> None:
    tables = "".join(f"*{table}\nCOMMIT\n" for table in ("security", "filter", "nat", "mangle", "raw"))
    theirs = layers(parse_saved(tables, Family.IPV4))
    chains = [
        f"""{{"chain": {{"family": "ip", "table": "t", "name": "{name}", "type": "filter", "hook": "{hook.lower()}",
            "prio": {priority + more}, "policy": "accept"}}}}"""
        for name, priority in ORDER[hook]
        for name, more in ((f"before_{name}", -1), (f"after_{name}", 1))
    ]
    listing = f'{{"nftables": [{{"table": {{"family": "ip", "name": "t"}}}}, {", ".join(chains)}]}}'
    found = read_listing(listing, Family.IPV4).layers
    order = [one.chain if layer not in theirs else layer.name for layer, one in at(hook, (*theirs, *found))]
    assert order == [word for name, _ in ORDER[hook] for word in (f"before_{name}", name, f"after_{name}")]

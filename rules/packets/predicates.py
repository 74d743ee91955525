"""What a rule matches, as boxes of packets; which of its matches are unknown; whether it has a limit.

Each reader below returns, for one option, the values of the fields that it matches (man 8 iptables-extensions; the
kernel's net/netfilter/xt_*.c where that is silent). An option without a reader is unknown and decides nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product

from rules.model import Match, Rule
from rules.options.normalise import ADDRESS_TYPES
from rules.packets.packet import Field, flag_bits, host_name, icmp_service, interface, is_reply, states, tops, tracked
from rules.values.family import Family
from rules.values.intervals import Intervals, common, complement, contains, masked, normal, numbers
from rules.values.typed import (
    AddressRange,
    HostName,
    IcmpType,
    KeywordList,
    Network,
    PortList,
    Protocol,
    Range,
    TcpFlags,
    Value,
)

Box = dict[int, Intervals]
# The most pieces of a netmask with holes; with more, it counts as unknown.
_PIECES = 4096
_TYPES = tuple(ADDRESS_TYPES.split())
# Packets for other hosts reach no chain.
_PACKET_TYPES = ("unicast", "broadcast", "multicast")
# Matches that read the ports or the ICMP type, which later fragments lack.
_TRANSPORT = ("tcp", "udp", "sctp", "dccp", "multiport", "icmp", "icmp6")
# Matches that, without options, only test the protocol. Others test more: a header, a socket, a path.
_VOID = ("tcp", "udp", "sctp", "dccp", "esp", "ah", "mh")
# Matches that do not decide: of all packets that fit, some match and some do not, depending on the time.
_RATES = ("limit", "hashlimit", "statistic", "recent", "connlimit")


@dataclass(frozen=True, slots=True)
class Predicate:
    """``boxes``: the packets that may match, as a union. ``unknown``: matches that were not understood.

    ``limited``: one of the matches lets some of these packets through and others not, depending on the time.
    """

    boxes: tuple[Box, ...]
    unknown: tuple[Match, ...] = ()
    limited: bool = False

    def fits(self, point: tuple[int, ...]) -> bool:
        """Whether a packet is in one of the boxes."""
        return any(all(contains(intervals, point[field]) for field, intervals in box.items()) for box in self.boxes)


Known = Callable[[Match, Family], "tuple[list[Box], bool] | None"]


def predicate(rule: Rule, family: Family, known: Known | None = None) -> Predicate:
    """What a rule matches. ``known``: tried first for each match; it knows more than the table alone tells."""
    boxes: list[Box] = [{}]
    unknown: list[Match] = []
    limited = False
    for match in rule.matches:
        if match.name == "comment":
            continue
        if is_rate(match):
            limited = True
            continue
        found, complete = (known and known(match, family)) or match_boxes(match, family)
        if not complete:
            unknown.append(match)
        boxes = [both for one, other in product(boxes, found) if (both := _both(one, other)) is not None]
    return Predicate(tuple(boxes), tuple(unknown), limited)


def _both(one: Box, other: Mapping[int, Intervals]) -> Box | None:
    box = dict(one)
    for field, intervals in other.items():
        box[field] = common(box[field], intervals) if field in box else intervals
        if not box[field]:
            return None
    return box


def is_rate(match: Match) -> bool:
    """Whether a match depends only on how often packets come.

    A limit that always gives the same result does decide, and is left unknown.
    """
    if match.opaque or match.name not in _RATES:
        return False
    if match.name == "recent":
        hits = match.option("hitcount")
        return hits is not None and isinstance(hits.value, int) and hits.value > 1 and not match.negated
    if match.name == "statistic":
        chance, every = match.option("probability"), match.option("every")
        sometimes = chance is None or chance.value not in ("0.00000000000", "1.00000000000")
        return sometimes and (every is None or every.value not in (0, 1))
    if match.name == "connlimit":
        return all(
            option.value != 0 for option in match.options if option.name in ("connlimit-upto", "connlimit-above")
        )
    return True


def match_boxes(match: Match, family: Family) -> tuple[list[Box], bool]:
    """The boxes of one match, and whether they describe it completely."""
    if match.opaque:
        return [{}], False
    if match.name == "conntrack":
        return _conntrack(match)
    boxes: list[Box] = [{int(Field.FRAGMENT): ((0, 0),)}] if match.name in _TRANSPORT else [{}]
    # In IPv6, `ah` searches for its header, wherever it is.
    complete = bool(match.options) or (match.name in _VOID and (match.name, family) != ("ah", Family.IPV6))
    for option in match.options:
        reader = _READERS.get((match.name, option.name))
        found = reader(option.value, option.negated, family) if reader is not None else None
        if found is None:
            complete = False
        else:
            boxes = [both for one, other in product(boxes, found) if (both := _both(one, other)) is not None]
    return boxes, complete


Reader = Callable[[Value, bool, Family], list[Box] | None]


def _one(field: Field, intervals: Intervals, negated: bool, family: Family) -> list[Box]:
    allowed = complement(intervals, tops(family)[field]) if negated else intervals
    return [{int(field): allowed}]


def _address(field: Field) -> Reader:
    def read(value: Value, negated: bool, family: Family) -> list[Box] | None:
        if isinstance(value, HostName):
            return _one(field, (host_name(value.name, family),), negated, family)
        if isinstance(value, AddressRange):
            return _one(field, ((value.first, value.last),), negated, family)
        if not isinstance(value, Network):
            return None
        pieces = masked(value.address, value.mask, family.bits, _PIECES)
        return None if pieces is None else _one(field, pieces, negated, family)

    return read


def _interface(field: Field) -> Reader:
    def read(value: Value, negated: bool, family: Family) -> list[Box] | None:
        return _one(field, (interface(value),), negated, family) if isinstance(value, str) else None

    return read


def _protocol(value: Value, negated: bool, family: Family) -> list[Box] | None:
    return _one(Field.PROTOCOL, numbers([value.number]), negated, family) if isinstance(value, Protocol) else None


def _range(field: Field) -> Reader:
    def read(value: Value, negated: bool, family: Family) -> list[Box] | None:
        return _one(field, ((value.first, value.last),), negated, family) if isinstance(value, Range) else None

    return read


def _port_list(*fields: Field) -> Reader:
    """multiport: the ports of the list in any of these fields."""

    def read(value: Value, negated: bool, family: Family) -> list[Box] | None:
        if not isinstance(value, PortList):
            return None
        listed = normal((part.first, part.last) for part in value.ranges)
        if negated:
            return [{int(field): complement(listed, 65535) for field in fields}]
        return [box for field in fields for box in _one(field, listed, False, family)]

    return read


def _icmp(value: Value, negated: bool, family: Family) -> list[Box] | None:
    if not isinstance(value, IcmpType):
        return None
    kinds: Intervals = ((0, 65535),) if value.type is None else icmp_service(value.type, value.code)
    return _one(Field.SERVICE, kinds, negated, family)


def _flags(value: Value, negated: bool, family: Family) -> list[Box] | None:
    if not isinstance(value, TcpFlags):
        return None
    mask, comp = flag_bits(value.mask), flag_bits(value.comp)
    return _one(Field.FLAGS, numbers(bits for bits in range(64) if bits & mask == comp), negated, family)


def _states(value: Value, negated: bool, family: Family) -> list[Box] | None:
    return _one(Field.STATE, numbers(states(value.words)), negated, family) if isinstance(value, KeywordList) else None


def _conntrack(match: Match) -> tuple[list[Box], bool]:
    """``-m conntrack``.

    For a packet without a connection, only ``--ctstate`` counts, whatever other options there are.
    """
    every = set(range(40))
    state, way = match.option("ctstate"), match.option("ctdir")
    fits, others = set(every), [option for option in match.options if option.name not in ("ctstate", "ctdir")]
    if state is not None and isinstance(state.value, KeywordList):
        found = set(states(state.value.words))
        fits = every - found if state.negated else found
    else:
        fits = {number for number in every if tracked(number)}
    if way is not None:
        fits = {number for number in fits if not tracked(number) or is_reply(number) == (way.value == "REPLY")}
    return [{int(Field.STATE): numbers(fits)}] if fits else [], not others


def _fragment(_value: Value, negated: bool, family: Family) -> list[Box]:
    return _one(Field.FRAGMENT, ((1, 1),), negated, family)


def _number(field: Field, change: Callable[[int], tuple[int, int]]) -> Reader:
    def read(value: Value, negated: bool, family: Family) -> list[Box] | None:
        if not isinstance(value, int):
            return None
        first, last = change(value)
        return _one(field, ((first, last),) if first <= last else (), negated, family)

    return read


def _words(field: Field, known: tuple[str, ...]) -> Reader:
    def read(value: Value, negated: bool, family: Family) -> list[Box] | None:
        chosen = value.words if isinstance(value, KeywordList) else (str(value),)
        return _one(field, numbers(known.index(word) for word in chosen if word in known), negated, family)

    return read


def _address_type(field: Field) -> Reader:
    read_words = _words(field, _TYPES)

    def read(value: Value, negated: bool, family: Family) -> list[Box] | None:
        # In IPv6, an address has several types at once.
        return read_words(value, negated, family) if family is Family.IPV4 else None

    return read


def _dscp(value: Value, negated: bool, family: Family) -> list[Box]:
    code = int(str(value), 16)
    return _one(Field.TOS, ((code << 2, (code << 2) + 3),), negated, family)


def _tos(value: Value, negated: bool, family: Family) -> list[Box]:
    wanted, mask = (int(part, 16) for part in str(value).split("/"))
    return _one(Field.TOS, numbers(tos for tos in range(256) if tos & mask == wanted), negated, family)


_PORTS: dict[tuple[str, str], Reader] = {
    (name, option): _range(field)
    for name in ("tcp", "udp", "sctp", "dccp")
    for option, field in (("sport", Field.SOURCE_PORT), ("dport", Field.SERVICE))
}
_HOPS: dict[tuple[str, str], Reader] = {
    (name, f"{name}-{how}"): _number(Field.HOPS, change)
    for name in ("ttl", "hl")
    for how, change in (
        ("eq", lambda hops: (hops, hops)),
        ("lt", lambda hops: (0, hops - 1)),
        ("gt", lambda hops: (hops + 1, 255)),
    )
}
_READERS: dict[tuple[str, str], Reader] = {
    ("source", "source"): _address(Field.SOURCE),
    ("destination", "destination"): _address(Field.DESTINATION),
    ("in-interface", "in-interface"): _interface(Field.IN),
    ("out-interface", "out-interface"): _interface(Field.OUT),
    ("protocol", "protocol"): _protocol,
    ("fragment", "fragment"): _fragment,
    **_PORTS,
    **_HOPS,
    ("tcp", "tcp-flags"): _flags,
    ("multiport", "sports"): _port_list(Field.SOURCE_PORT),
    ("multiport", "dports"): _port_list(Field.SERVICE),
    ("multiport", "ports"): _port_list(Field.SOURCE_PORT, Field.SERVICE),
    ("icmp", "icmp-type"): _icmp,
    ("icmp6", "icmpv6-type"): _icmp,
    ("iprange", "src-range"): _address(Field.SOURCE),
    ("iprange", "dst-range"): _address(Field.DESTINATION),
    ("state", "state"): _states,
    ("length", "length"): _range(Field.LENGTH),
    ("pkttype", "pkt-type"): _words(Field.PACKET_TYPE, _PACKET_TYPES),
    ("addrtype", "src-type"): _address_type(Field.SOURCE_TYPE),
    ("addrtype", "dst-type"): _address_type(Field.DESTINATION_TYPE),
    ("dscp", "dscp"): _dscp,
    ("tos", "tos"): _tos,
    ("recent", "set"): lambda _value, negated, _family: [] if negated else [{}],
    **{("recent", name): lambda _value, _negated, _family: [{}] for name in ("name", "mask", "rsource", "rdest")},
}

"""One packet as people write it, ``tcp 198.51.100.7:40000 > 203.0.113.5:443 in eth0``, and its path in lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from rules.errors import ExpectedError
from rules.language.render import render_rule
from rules.packets.packet import PORT_PROTOCOLS, STATES, Field, Packet, interface, interface_text, state_number
from rules.path.carried import Carried, TraceStep
from rules.path.network import LOCAL, HostNetwork
from rules.path.trace import End, Trace, Tracer
from rules.values.family import Family
from rules.values.icmp import read_icmp_type
from rules.values.numerals import refuse_two_readings
from rules.values.octets import octets
from rules.values.ports import read_number, read_port
from rules.values.protocols import ICMP, ICMPV6, TCP, protocol_name, protocol_number
from rules.values.typed import TCP_FLAGS, format_address

USAGE = "a packet as `tcp 198.51.100.7:40000 > 203.0.113.5:443`, behind it what else is known: "
_MORE = ("in", "out", "state", "flags", "type", "ttl", "tos", "length")


@dataclass(frozen=True, slots=True)
class Described:
    """A packet, its unspecified fields, and the state that conntrack gives it."""

    packet: Packet
    unknown: tuple[Field, ...] = ()
    state: int | None = None


def read_packet(text: str) -> Described:
    """Parse a packet. Raises :class:`rules.errors.ExpectedError` if the text is invalid."""
    words = text.replace(">", " > ").split()
    if len(words) < 4 or words[2] != ">" or len(words) % 2:
        raise ExpectedError(f"{USAGE}{', '.join(_MORE)}", f'"{text}" is no packet')
    more = dict(zip(words[4::2], words[5::2], strict=True))
    for word in words[4::2]:
        if word not in _MORE:
            raise ExpectedError(f"one of {', '.join(_MORE)}", f'"{word}" says nothing of a packet')
        if words[4::2].count(word) > 1:
            raise ExpectedError("each of them once", f'"{word}" is said twice')
    for word in (more[way] for way in ("in", "out") if way in more):
        if not 1 <= len(octets(word)) <= 15 or "+" in word:
            raise ExpectedError("the name of one interface", f'"{word}" is not an interface name')
    family, other = (Family.IPV6 if _is_ipv6(word) else Family.IPV4 for word in (words[1], words[3]))
    if family is not other:
        raise ExpectedError("two addresses of one family", f"{words[1]} is {family.label} and {words[3]} {other.label}")
    number = protocol_number(words[0])
    number = ICMPV6 if number == ICMP and family is Family.IPV6 else number
    (source, source_port), (destination, port) = (_end(word, family) for word in (words[1], words[3]))
    unknown = [] if "in" in more else [Field.IN]
    ported = number in PORT_PROTOCOLS
    unknown += [Field.SOURCE_PORT] * (ported and source_port is None) + [Field.SERVICE] * (ported and port is None)
    icmp = None
    if number in (ICMP, ICMPV6):
        kind = read_icmp_type(more.get("type", "echo-request"), family)
        icmp = (kind.type or 0, kind.code or 0)
    packet = Packet(
        family,
        source,
        destination,
        protocol=number,
        port=port or 0,
        source_port=source_port or 0,
        icmp=icmp,
        in_interface=more.get("in", ""),
        out_interface=more.get("out", ""),
        flags=_flags(more.get("flags", "SYN")) if number == TCP else (),
        hops=read_number(more.get("ttl", "64"), 255),
        tos=read_number(more.get("tos", "0"), 255),
        length=read_number(more.get("length", "60"), 65535),
    )
    packet.point()
    return Described(packet, tuple(unknown), _state(more["state"]) if "state" in more else None)


def _is_ipv6(word: str) -> bool:
    return word.startswith("[") or word.count(":") > 1


def _end(word: str, family: Family) -> tuple[str, int | None]:
    if word.startswith("["):
        found = re.fullmatch(r"\[([^\]]*)\](?::(.*))?", word)
        if found is None:
            raise ExpectedError("[2001:db8::7]:443", f'"{word}" is no address with a port')
        address, port = found[1], found[2] or ""
    elif family is Family.IPV4:
        address, _, port = word.partition(":")
    else:
        address, port = word, ""
    refuse_two_readings(address)
    return address, read_port(port) if port else None


def _flags(word: str) -> tuple[str, ...]:
    chosen = {flag.upper() for flag in word.split(",")}
    if not chosen <= {*TCP_FLAGS, "NONE"}:
        raise ExpectedError(f"some of {', '.join(TCP_FLAGS)}", f'"{word}" are no TCP flags')
    return tuple(flag for flag in TCP_FLAGS if flag in chosen)


def _state(word: str) -> int:
    if word.upper() not in STATES:
        raise ExpectedError(f"one of {', '.join(STATES)}", f'"{word}" is no state of a connection')
    return state_number(word.upper())


def followed(tracer: Tracer, asked: Described) -> Trace:
    """The path of a described packet; if the source is one of the host's addresses, the host sends it."""
    packet, unknown, host = asked.packet, asked.unknown, tracer.host
    source, destination = packet.point()[Field.SOURCE], packet.point()[Field.DESTINATION]
    if host.kind(source) == LOCAL and packet.in_interface in ("", "lo"):
        way = packet.out_interface or ("lo" if host.kind(destination) == LOCAL else host.way_out(destination))
        open_fields = tuple(one for one in unknown if one is not Field.IN) + ((Field.OUT,) if not way else ())
        return tracer.sent(replace(packet, in_interface="", out_interface=way or ""), open_fields, state=asked.state)
    if Field.IN in unknown and (name := host.way_out(source)):
        packet, unknown = replace(packet, in_interface=name), tuple(one for one in unknown if one is not Field.IN)
    return tracer.trace(packet, unknown, state=asked.state)


def trace_lines(trace: Trace, family: Family) -> Iterator[str]:
    """The path in lines: all possible paths, one after the other."""
    if trace.cut:
        yield "more ways than can be followed; some of them:"
    for number, end in enumerate(trace.ends, 1):
        if len(trace.ends) > 1:
            yield f"possibly, {number} of {len(trace.ends)}:"
        indent = "  " if len(trace.ends) > 1 else ""
        yield from (f"{indent}{step_text(step, family)}" for step in end.packet.steps)
        yield f"{indent}{end_text(end, family)}"


def step_text(step: TraceStep, family: Family) -> str:
    """A rule with its position and what it did, or what the kernel did."""
    if step.place is None:
        return f"-> {step.text}"
    if step.rule is None:
        return f"{step.table} {step.place.chain}: {step.text}"
    text = f"{step.table} {step.place}: {render_rule(step.rule, family)}"
    text += f" -> {step.text}" if step.text else ""
    return text if step.sure else f"{text} (possibly)"


_WHERE = {"host": "received by this host", "forwarded": "forwarded", "sent": "sent", "": "accepted"}
_REFUSED = {"DROP": "dropped", "REJECT": "refused"}


def end_text(end: End, family: Family) -> str:
    """What happened to a packet in the end, in words."""
    if end.verdict != "ACCEPT":
        return f"= {_REFUSED.get(end.verdict, end.verdict)}"
    return f"= {_WHERE[end.where]}: {packet_text(end.packet, family)}"


def packet_text(packet: Carried, family: Family) -> str:
    """A packet in the form that :func:`read_packet` parses, without unknown fields."""
    ends = []
    for address, port in ((Field.SOURCE, Field.SOURCE_PORT), (Field.DESTINATION, Field.SERVICE)):
        shown = "?" if address in packet.open else format_address(family, packet[address])
        if packet.has_ports and port not in packet.open:
            shown = f"[{shown}]:{packet[port]}" if family is Family.IPV6 else f"{shown}:{packet[port]}"
        ends.append(shown)
    text = f"{protocol_name(packet[Field.PROTOCOL])} {ends[0]} > {ends[1]}"
    if packet[Field.OUT] != interface("")[0] and Field.OUT not in packet.open:
        text += f" out {interface_text(packet[Field.OUT])}"
    return text + (f" mark {packet.mark:#x}" if packet.mark else "")


def unknown_network(network: HostNetwork | None) -> str:
    """What cannot be determined without a host's addresses and routes, in words."""
    if network is not None and network.known:
        return ""
    return "the host's addresses and routes are not given: what is for the host and what is forwarded is not known"

"""Packets for a ruleset: random ones, on the boundaries of its rules, and in real connections."""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace
from random import Random

from rules.model import Ruleset
from rules.packets.packet import Field, Packet, interface_text
from rules.packets.predicates import Box, predicate
from rules.values.family import Family
from rules.values.intervals import contains
from rules.values.typed import format_address
from tests.kernel.namespaces import ADDRESSES, CABLES, PEERS, UNTRACKED, Wires
from tests.kernel.rulesets import FLAGS, MULTICAST, PORTS
from tests.kernel.wire import Frame, datagram, length

_PROTOCOLS = (6, 6, 6, 17, 17, 1, 1, 132, 33, 136, 47, 50, 89)
_TYPES = {Family.IPV4: (8, 0, 3, 11, 13, 30), Family.IPV6: (128, 129, 1, 2, 133, 135, 136, 143, 200)}
_BROADCASTS = ("255.255.255.255", "198.51.100.255", "203.0.113.255")
_ICMP = {Family.IPV4: 1, Family.IPV6: 58}


@dataclass(frozen=True)
class Flow:
    """A connection, described by its packets to the host."""

    family: Family
    protocol: int
    source: str
    source_port: int
    destination: str
    port: int


def connect(wires: Wires) -> list[Flow]:
    """Open real connections over both families, from either side. TCP connections stay open."""
    flows = []
    for family, kind in ((Family.IPV4, socket.AF_INET), (Family.IPV6, socket.AF_INET6)):
        host, peer = ADDRESSES[family][0], PEERS[family][0]
        for server, client, by_peer in ((host, peer, True), (peer, host, False)):
            names = (wires.host, wires.peer) if by_peer else (wires.peer, wires.host)
            listener = wires.inside(names[0], lambda k=kind, s=server: socket.create_server((s, 0), family=k))
            dialer = wires.inside(names[1], lambda k=kind: socket.socket(k, socket.SOCK_STREAM))
            datagrams = [wires.inside(name, lambda k=kind: socket.socket(k, socket.SOCK_DGRAM)) for name in names]
            wires.keep(listener, dialer, *datagrams)
            dialer.settimeout(5)
            dialer.bind((client, 0))
            dialer.connect(listener.getsockname()[:2])
            wires.keep(listener.accept()[0])
            for sock, address in zip(datagrams, (server, client), strict=True):
                sock.bind((address, 0))
                sock.settimeout(5)
            answering, asking = datagrams
            asking.sendto(b"?", answering.getsockname()[:2])
            answering.sendto(b"!", answering.recvfrom(9)[1][:2])
            asking.recv(9)
            for protocol, near, far in ((6, listener, dialer), (17, answering, asking)):
                ends = (far, near) if by_peer else (near, far)
                (source, source_port), (destination, port) = (end.getsockname()[:2] for end in ends)
                flows.append(Flow(family, protocol, source, source_port, destination, port))
    return flows


class Sender:
    """Generates packets for one ruleset."""

    def __init__(self, ruleset: Ruleset, random: Random, flows: list[Flow]) -> None:
        self.family = ruleset.family
        self.random = random
        self.flows = [flow for flow in flows if flow.family is self.family]
        found = (predicate(rule, self.family) for _, rule in ruleset.rules())
        self.boxes = [box for one in found for box in one.boxes if box]

    def frames(self, count: int) -> list[Frame]:
        """``count`` packets, numbered from 1."""
        return [self._frame(number) for number in range(1, count + 1)]

    def _frame(self, number: int) -> Frame:
        kind = self.random.randrange(12)
        packet, inside = self._random(), b""
        if kind < 7 and self.boxes:
            packet = self._moved(packet, self.random.choice(self.boxes))
        elif kind < 9:
            packet = self._in_flow(packet)
        elif kind < 10:
            packet, inside = self._error(packet)
        packet = replace(packet, source_type=self._source_type(packet))
        return Frame(replace(packet, length=length(packet, inside)), number, inside)

    def _random(self) -> Packet:
        four = self.family is Family.IPV4
        name = self.random.choice((*CABLES, *CABLES, "lo"))
        destination, kind, local = self.random.choice(ADDRESSES[self.family]), 0, 2
        if name != "lo" and self.random.randrange(6) == 0:
            destination, kind, local = MULTICAST[self.family], 2, 5
            if four and self.random.randrange(2):
                destination, kind, local = self.random.choice(_BROADCASTS), 1, 3
                name = CABLES[1] if destination.startswith("203") else CABLES[0]
        protocol = self.random.choice(_PROTOCOLS)
        icmp = (self.random.choice(_TYPES[self.family]), self.random.choice((0, 0, 1, 4))) if protocol == 1 else None
        return Packet(
            self.family,
            self._source(name),
            destination,
            protocol=_ICMP[self.family] if protocol == 1 else protocol,
            port=self._port(),
            source_port=self._port(),
            icmp=icmp,
            in_interface=name,
            flags=self._flags(),
            hops=self.random.choice((1, 63, 64, 65, 255, self.random.randint(1, 255))),
            tos=self.random.choice((0, 0, 4, 0xB8, 0x10, self.random.randrange(256))),
            length=self.random.choice((0, 60, self.random.randint(20, 420))),
            packet_type=kind,
            destination_type=local,
        )

    def _source(self, name: str) -> str:
        pools = {
            Family.IPV4: ("192.0.2.7", "10.1.2.3", "172.16.5.9", UNTRACKED, PEERS[Family.IPV4][0], "8.8.8.8"),
            Family.IPV6: ("2001:db8:9::7", "fd00::3", "fe80::9", PEERS[Family.IPV6][0], "2620:fe::9"),
        }
        if name == "lo" and self.random.randrange(2):
            return "127.0.0.1" if self.family is Family.IPV4 else "::1"
        return self.random.choice(pools[self.family])

    def _port(self) -> int:
        port = self.random.choice((*PORTS, self.random.randrange(65536)))
        return min(max(port + self.random.choice((0, 0, 0, -1, 1)), 0), 65535)

    def _flags(self) -> tuple[str, ...]:
        chosen = self.random.choice((["SYN"], ["SYN"], ["ACK"], self.random.sample(FLAGS, self.random.randrange(7))))
        return tuple(flag for flag in FLAGS if flag in chosen)

    def _moved(self, packet: Packet, box: Box) -> Packet:
        """The packet moved to a corner of a rule's box, or just outside it."""
        for field, intervals in box.items():
            first, last = self.random.choice(intervals)
            value = self.random.choice((first, last, self.random.randint(first, last)))
            if self.random.randrange(12) == 0:
                value = self.random.choice((first - 1, last + 1))
            packet = self._with(packet, Field(field), value)
        return packet

    def _with(self, packet: Packet, field: Field, value: int) -> Packet:
        if field is Field.PROTOCOL and value in _PROTOCOLS and value not in (1, 58):
            return replace(packet, protocol=value, icmp=None)
        if field is Field.PROTOCOL and value == _ICMP[self.family]:
            return replace(packet, protocol=value, icmp=packet.icmp or (self.random.choice(_TYPES[self.family]), 0))
        if field is Field.SERVICE and 0 <= value <= 65535:
            return replace(packet, icmp=divmod(value, 256)) if packet.icmp else replace(packet, port=value)
        if field is Field.SOURCE and self._may_send(value, packet.in_interface):
            return replace(packet, source=format_address(self.family, value))
        if field is Field.SOURCE_PORT and 0 <= value <= 65535:
            return replace(packet, source_port=value)
        if field is Field.IN and 0 <= value < 1 << 128 and interface_text(value) in CABLES and packet.packet_type != 1:
            return replace(packet, in_interface=interface_text(value))
        if field is Field.FLAGS and 0 <= value < 64:
            return replace(packet, flags=tuple(flag for bit, flag in enumerate(FLAGS) if value >> bit & 1))
        if field is Field.HOPS and 1 <= value <= 255:
            return replace(packet, hops=value)
        if field is Field.TOS and 0 <= value <= 255:
            return replace(packet, tos=value)
        return replace(packet, length=value) if field is Field.LENGTH and 20 <= value <= 1400 else packet

    def _may_send(self, value: int, name: str) -> bool:
        """Whether the host accepts packets from that address: loopback only on lo, no multicast or reserved ones."""
        if self.family is Family.IPV4:
            usual = (
                (0x01000000, 0x7EFFFFFF),
                (0x80000000, 0xDFFFFFFF),
                *(((0x7F000000, 0x7FFFFFFF),) * (name == "lo")),
            )
            return contains(usual, value) and format_address(self.family, value) not in _BROADCASTS
        return contains(((2 << 124, (4 << 124) - 1), (0xFD << 120, (0xFE << 120) - 1)), value)

    def _source_type(self, packet: Packet) -> int:
        own = packet.source in ADDRESSES[self.family] or packet.source.startswith("127.")
        return 2 if own else 1

    def _in_flow(self, packet: Packet) -> Packet:
        flow = self.random.choice(self.flows)
        return replace(
            packet,
            source=flow.source,
            destination=flow.destination,
            protocol=flow.protocol,
            port=flow.port,
            source_port=flow.source_port,
            icmp=None,
            in_interface=CABLES[0],
            flags=self.random.choice((("ACK",), ("PSH", "ACK"))),
            packet_type=0,
            destination_type=2,
        )

    def _error(self, packet: Packet) -> tuple[Packet, bytes]:
        """An ICMP error about a packet that the host sent in a connection."""
        flow = self.random.choice(self.flows)
        sent = Packet(self.family, flow.destination, flow.source, flow.protocol, flow.source_port, flow.port)
        kind = (3, self.random.choice((1, 3, 4))) if self.family is Family.IPV4 else (1, self.random.choice((0, 4)))
        error = replace(
            packet,
            source=flow.source,
            destination=flow.destination,
            protocol=_ICMP[self.family],
            icmp=kind,
            in_interface=CABLES[0],
            packet_type=0,
            destination_type=2,
            length=0,
        )
        return error, datagram(Frame(sent, 1))

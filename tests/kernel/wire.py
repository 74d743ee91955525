"""Packets as bytes: Ethernet frames with IPv4 or IPv6, TCP, UDP, ICMP or anything else, with checksums."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

from rules.packets.packet import Packet, flag_bits
from rules.values.family import Family

_ETHERTYPE = {Family.IPV4: 0x0800, Family.IPV6: 0x86DD}
BROADCAST = b"\xff" * 6


@dataclass(frozen=True)
class Frame:
    """A packet to send. ``number``: 1 to 65535, carried as the IPv4 identification or the IPv6 flow label.

    ``inside``: data after the ICMP header, such as the packet that an error is about.
    """

    packet: Packet
    number: int
    inside: bytes = b""


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ethernet(frame: Frame, destination: bytes, source: bytes) -> bytes:
    """The whole frame, as broadcast or multicast if the packet is."""
    kinds = {1: BROADCAST, 2: b"\x01\x00\x5e\x00\x00\x01"}
    to = kinds.get(frame.packet.packet_type, destination)
    return to + source + struct.pack("!H", _ETHERTYPE[frame.packet.family]) + datagram(frame)


def datagram(frame: Frame) -> bytes:
    """The IP packet, of the declared length if its headers fit."""
    packet = frame.packet
    source, destination = (ipaddress.ip_address(text).packed for text in (packet.source, packet.destination))
    head = 20 if packet.family is Family.IPV4 else 40
    body = _transport(frame, source, destination, max(packet.length - head, 0))
    if packet.family is Family.IPV4:
        start = struct.pack("!BBHHHBB", 0x45, packet.tos, 20 + len(body), frame.number, 0, packet.hops, packet.protocol)
        whole = start + b"\0\0" + source + destination
        return start + struct.pack("!H", checksum(whole)) + source + destination + body
    word = 6 << 28 | packet.tos << 20 | frame.number
    return struct.pack("!IHBB", word, len(body), packet.protocol, packet.hops) + source + destination + body


def length(packet: Packet, inside: bytes = b"") -> int:
    """The length of a packet on the wire."""
    return len(datagram(Frame(packet, 1, inside)))


def _transport(frame: Frame, source: bytes, destination: bytes, room: int) -> bytes:
    packet = frame.packet
    ports = struct.pack("!HH", packet.source_port, packet.port)
    if packet.protocol == 6:
        head = ports + struct.pack("!IIBBHHH", 1, 1, 5 << 4, flag_bits(packet.flags), 1000, 0, 0)
        return _summed(frame, source, destination, head.ljust(room, b"x"), 16)
    if packet.protocol in (17, 136):
        size = max(room, 8)
        return _summed(frame, source, destination, (ports + struct.pack("!HH", size, 0)).ljust(size, b"x"), 6)
    if packet.icmp is not None and packet.protocol in (1, 58):
        head = struct.pack("!BBHHH", *packet.icmp, 0, 1, 1) + frame.inside
        return _summed(frame, source, destination, head.ljust(room, b"x"), 2)
    if packet.protocol in (33, 132):
        return (ports + bytes(8)).ljust(max(room, 16), b"x")
    return b"".ljust(max(room, 8), b"x")


def _summed(frame: Frame, source: bytes, destination: bytes, data: bytes, place: int) -> bytes:
    """The data with its checksum, which except for ICMP's covers the addresses (RFC 9293, 768, 8200)."""
    protocol = frame.packet.protocol
    pseudo = b"" if protocol == 1 else source + destination + struct.pack("!IxxxB", len(data), protocol)
    found = checksum(pseudo + data) or 0xFFFF
    return data[:place] + struct.pack("!H", found) + data[place + 2 :]

"""What the analysis sees of a packet: its fields, their numbers, and one packet with all of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from rules.packets.layout import Layout
from rules.values.addresses import read_address
from rules.values.family import Family
from rules.values.intervals import Intervals
from rules.values.octets import octets
from rules.values.protocols import ICMP, ICMPV6, TCP
from rules.values.typed import TCP_FLAGS, format_address

# Protocols whose packets begin with a source and a destination port: TCP, UDP, DCCP, SCTP, UDP-Lite.
PORT_PROTOCOLS = (6, 17, 33, 132, 136)
STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED")
_SNAT, _DNAT, _REPLY = 5, 10, 20
# Host names are numbered above all addresses; the longest has 255 bytes (RFC 1035).
_NAME_BITS = 8 * 255
# Bits per digit of an address in diagrams: short digits share more, long ones need fewer nodes.
_DIGIT = {Family.IPV4: 4, Family.IPV6: 8}
# The same for a port; the first digit of an ICMP service is its type.
_PORT = (8, 0)


class Field(IntEnum):
    """The fields in the order in which diagrams test them; those that describe a service and its users come first.

    An address is next to its interface: thousands of rules with one pair of them each then make small diagrams.
    """

    PROTOCOL = 0
    SERVICE = 1  # destination port; for ICMP 256 * type + code
    SOURCE = 2
    IN = 3
    DESTINATION = 4
    OUT = 5
    SOURCE_PORT = 6
    STATE = 7
    FLAGS = 8
    FRAGMENT = 9  # 1: a later fragment, which has no ports
    HOPS = 10
    TOS = 11
    LENGTH = 12
    PACKET_TYPE = 13
    SOURCE_TYPE = 14
    DESTINATION_TYPE = 15


def tops(family: Family) -> tuple[int, ...]:
    """The highest value of each field."""
    address = (1 << (_NAME_BITS + family.bits)) - 1
    name = (1 << 128) - 1
    return (255, 65535, address, name, address, name, 65535, 39, 63, 1, 255, 255, 65535, 2, 11, 11)


def layouts(family: Family) -> tuple[Layout, ...]:
    """How diagrams test the fields: addresses and ports digit by digit."""
    digits = tuple(range(family.bits - _DIGIT[family], -1, -_DIGIT[family]))
    shifts = {Field.SOURCE: digits, Field.DESTINATION: digits, Field.SERVICE: _PORT, Field.SOURCE_PORT: _PORT}
    return tuple(Layout(top, shifts.get(field, (0,))) for field, top in zip(Field, tops(family), strict=True))


def host_name(name: str, family: Family) -> tuple[int, int]:
    """The numbers that represent the addresses of a name, which are known only when the rule is loaded."""
    shift = family.bits - _DIGIT[family]
    first = (1 << family.bits) + (int.from_bytes(octets(name)[:250], "big") << shift)
    return first, first + (1 << shift) - 1


def address_text(number: int, family: Family) -> str:
    """An address, or the host name that :func:`host_name` turned into a number."""
    if number < 1 << family.bits:
        return format_address(family, number)
    rest = (number - (1 << family.bits)) >> (family.bits - _DIGIT[family])
    return rest.to_bytes((rest.bit_length() + 7) // 8, "big").decode(errors="replace")


def interface(pattern: str) -> tuple[int, int]:
    """First and last number of the interface names that match a pattern; a ``+`` at the end stands for any suffix."""
    name = octets(pattern.removesuffix("+"))[:16]
    first = int.from_bytes(name.ljust(16, b"\0"), "big")
    return first, first + ((1 << 8 * (16 - len(name))) - 1 if pattern.endswith("+") else 0)


def interface_text(number: int) -> str:
    """The interface name for a number; empty for no interface."""
    return number.to_bytes(16, "big").rstrip(b"\0").decode(errors="replace")


def state_number(state: str, *, snat: bool = False, dnat: bool = False, reply: bool = False) -> int:
    """The number of a connection state; ``state`` as in conntrack's ``--ctstate``."""
    return STATES.index(state) + _SNAT * snat + _DNAT * dnat + _REPLY * reply


def states(words: tuple[str, ...]) -> list[int]:
    """The numbers of all states that ``--ctstate`` matches with these words."""
    return [number for number in range(40) if _state_fits(number, words)]


def _state_fits(number: int, words: tuple[str, ...]) -> bool:
    natted = ("SNAT" in words and number // _SNAT % 2) or ("DNAT" in words and number // _DNAT % 2)
    return STATES[number % 5] in words or (bool(natted) and tracked(number))


def tracked(number: int) -> bool:
    """Whether a packet in this state belongs to a connection."""
    return STATES[number % 5] not in ("INVALID", "UNTRACKED")


def is_reply(number: int) -> bool:
    """Whether a packet in this state travels in the reply direction."""
    return number >= _REPLY


def flag_bits(flags: tuple[str, ...]) -> int:
    """TCP flags as bits, FIN being the lowest."""
    return sum(1 << TCP_FLAGS.index(flag) for flag in flags)


def icmp_service(kind: int, code: int | None) -> Intervals:
    """The services that a type, or a type with a code, stands for."""
    return ((kind * 256 + (code or 0), kind * 256 + (255 if code is None else code)),)


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet as a chain sees it. The defaults are those of a first packet from outside.

    ``source``, ``destination``: addresses. ``port``: destination port, ``icmp``: type and code; whichever the protocol
    has. ``state``: as in ``--ctstate``. ``flags``: TCP flags. ``tos``: the whole byte. ``length``: the whole packet, in
    bytes. ``packet_type``: unicast 0, broadcast 1, multicast 2. ``*_type``: the kernel's address types (RTN_*).
    """

    family: Family
    source: str
    destination: str
    protocol: int = TCP
    port: int = 0
    source_port: int = 40000
    icmp: tuple[int, int] | None = None
    in_interface: str = "eth0"
    out_interface: str = ""
    state: str = "NEW"
    snat: bool = False
    dnat: bool = False
    reply: bool = False
    flags: tuple[str, ...] = ("SYN",)
    fragment: bool = False
    hops: int = 64
    tos: int = 0
    length: int = 60
    packet_type: int = 0
    source_type: int = 1
    destination_type: int = 2

    def point(self) -> tuple[int, ...]:
        """The number of every field. Raises :class:`ValueError` for an invalid address or state."""
        service = self.port if self.protocol in PORT_PROTOCOLS else 0
        if self.icmp is not None and self.protocol in (ICMP, ICMPV6):
            service = self.icmp[0] * 256 + self.icmp[1]
        return (
            self.protocol,
            service,
            read_address(self.source, self.family),
            interface(self.in_interface)[0],
            read_address(self.destination, self.family),
            interface(self.out_interface)[0],
            self.source_port if self.protocol in PORT_PROTOCOLS else 0,
            state_number(self.state, snat=self.snat, dnat=self.dnat, reply=self.reply),
            flag_bits(self.flags) if self.protocol == TCP else 0,
            int(self.fragment),
            self.hops,
            self.tos,
            self.length,
            self.packet_type,
            self.source_type,
            self.destination_type,
        )

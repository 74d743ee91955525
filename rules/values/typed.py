"""Typed values of rule options; ``str()`` of each is what iptables-save prints."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from rules.values.family import Family
from rules.values.protocols import protocol_name

TCP_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")


def format_address(family: Family, address: int) -> str:
    """An address as glibc's ``inet_ntop`` writes it, and so as iptables-save prints it."""
    if family is Family.IPV4:
        return str(ipaddress.IPv4Address(address))
    high, low = divmod(address, 1 << 32)
    dotted = ipaddress.IPv4Address(low)
    if high == 0xFFFF:
        return f"::ffff:{dotted}"
    if high == 0 and low >> 16:
        return f"::{dotted}"
    return str(ipaddress.IPv6Address(address))


def prefix_of(mask: int, bits: int) -> int | None:
    """Prefix length of a netmask; None if the mask is not contiguous."""
    length = mask.bit_count()
    full = (1 << bits) - 1
    return length if mask == (full << (bits - length)) & full else None


@dataclass(frozen=True, slots=True)
class Network:
    """An address and its mask; host bits are always cleared. The mask may have holes."""

    family: Family
    address: int
    mask: int

    @property
    def prefix(self) -> int | None:
        """Prefix length, or None for a mask with holes."""
        return prefix_of(self.mask, self.family.bits)

    @property
    def everything(self) -> bool:
        """Whether every address of the family belongs to it."""
        return self.mask == 0

    def __str__(self) -> str:
        mask = format_address(self.family, self.mask) if self.prefix is None else str(self.prefix)
        return f"{format_address(self.family, self.address)}/{mask}"


@dataclass(frozen=True, slots=True)
class HostName:
    """A name instead of an address; iptables resolves it when the rule is loaded."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class HostAddress:
    """An address or a network; a full prefix length is not printed (conntrack's style)."""

    network: Network

    def __str__(self) -> str:
        if self.network.prefix == self.network.family.bits:
            return format_address(self.network.family, self.network.address)
        return str(self.network)


@dataclass(frozen=True, slots=True)
class AddressRange:
    """``first-last``, inclusive."""

    family: Family
    first: int
    last: int

    def __str__(self) -> str:
        return f"{format_address(self.family, self.first)}-{format_address(self.family, self.last)}"


@dataclass(frozen=True, slots=True)
class Protocol:
    """An IP protocol number, 0 to 255."""

    number: int

    def __str__(self) -> str:
        return protocol_name(self.number)


@dataclass(frozen=True, slots=True)
class Range:
    """``first:last``, inclusive; printed as one number if they are equal. Ports, lengths, SPIs."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}:{self.last}"

    def __contains__(self, number: int) -> bool:
        return self.first <= number <= self.last


@dataclass(frozen=True, slots=True)
class PortList:
    """multiport's list; a range counts twice towards the limit of 15."""

    ranges: tuple[Range, ...]

    def __str__(self) -> str:
        return ",".join(map(str, self.ranges))


@dataclass(frozen=True, slots=True)
class IcmpType:
    """An ICMP or ICMPv6 type. ``type`` None is any type; ``code`` None is any code of the type."""

    type: int | None
    code: int | None = None

    def __str__(self) -> str:
        if self.type is None:
            return "any"
        return str(self.type) if self.code is None else f"{self.type}/{self.code}"


@dataclass(frozen=True, slots=True)
class KeywordList:
    """A comma-separated list of keywords in the kernel's order: states, address types, hash modes."""

    words: tuple[str, ...]

    def __str__(self) -> str:
        return ",".join(self.words)


@dataclass(frozen=True, slots=True)
class TcpFlags:
    """``mask comp``: of the flags in ``mask``, exactly those in ``comp`` are set."""

    mask: tuple[str, ...]
    comp: tuple[str, ...]

    @staticmethod
    def _list(flags: tuple[str, ...]) -> str:
        return ",".join(flags) or "NONE"

    def __str__(self) -> str:
        return f"{self._list(self.mask)} {self._list(self.comp)}"


@dataclass(frozen=True, slots=True)
class Rate:
    """``amount`` packets per ``unit`` (sec, min, hour, day)."""

    amount: int
    unit: str

    @property
    def seconds(self) -> int:
        """Length of the unit in seconds."""
        return {"sec": 1, "min": 60, "hour": 3600, "day": 86400}[self.unit]

    def __str__(self) -> str:
        return f"{self.amount}/{self.unit}"


@dataclass(frozen=True, slots=True)
class Masked:
    """A 32-bit value under a mask: packet marks, realms. The mask is printed unless it is full."""

    value: int
    mask: int = 0xFFFFFFFF

    def __str__(self) -> str:
        return f"{self.value:#x}" if self.mask == 0xFFFFFFFF else f"{self.value:#x}/{self.mask:#x}"


@dataclass(frozen=True, slots=True)
class MarkChange:
    """What MARK and CONNMARK do: clear the bits of ``mask``, then XOR with ``value``."""

    value: int
    mask: int

    def __str__(self) -> str:
        return f"{self.value:#x}/{self.mask:#x}"


@dataclass(frozen=True, slots=True)
class Pattern:
    """Bytes that the string match looks for; printed in hex when they are not printable ASCII."""

    data: bytes

    @property
    def printable(self) -> bool:
        """Whether ``--string`` can represent it; otherwise it needs ``--hex-string``."""
        return all(0x20 <= byte < 0x7F for byte in self.data) and not self.data.endswith(b"\\")

    def __str__(self) -> str:
        return self.data.decode("ascii") if self.printable else f"|{self.data.hex()}|"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two words of one option: ``--match-set NAME src,dst``."""

    first: str
    second: str

    def __str__(self) -> str:
        return f"{self.first} {self.second}"


Value = (
    Network
    | HostName
    | HostAddress
    | AddressRange
    | Protocol
    | Range
    | PortList
    | IcmpType
    | KeywordList
    | TcpFlags
    | Rate
    | Masked
    | MarkChange
    | Pattern
    | Pair
    | str
    | int
    | None
)

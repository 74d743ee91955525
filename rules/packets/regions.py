"""Sets of packets in a form for people and programs: disjoint regions, each a box over the fields of a packet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rules.packets.diagrams import Diagrams, Node
from rules.packets.packet import STATES, Field, Packet, address_text, interface_text, tops
from rules.values.family import Family
from rules.values.intervals import Intervals, complement
from rules.values.protocols import protocol_name

_NAMES = {
    Field.SERVICE: "service",
    Field.SOURCE: "from",
    Field.DESTINATION: "to",
    Field.SOURCE_PORT: "source port",
    Field.IN: "in by",
    Field.OUT: "out by",
    Field.STATE: "state",
    Field.FLAGS: "TCP flags",
    Field.FRAGMENT: "fragment",
    Field.HOPS: "hop limit",
    Field.TOS: "TOS",
    Field.LENGTH: "length",
    Field.PACKET_TYPE: "packet type",
    Field.SOURCE_TYPE: "source type",
    Field.DESTINATION_TYPE: "destination type",
}
# Fields whose values have no names of their own; sets of nearly all values are described by the missing ones.
_OPEN = (Field.SOURCE, Field.DESTINATION, Field.IN, Field.OUT)


@dataclass(frozen=True)
class Region:
    """One box: the constrained fields with their intervals; every other field may have any value."""

    family: Family
    fields: tuple[tuple[Field, Intervals], ...]

    def __str__(self) -> str:
        return ", ".join(self._field(field, intervals) for field, intervals in self.fields) or "every packet"

    def _field(self, field: Field, intervals: Intervals) -> str:
        if field is Field.PROTOCOL:
            return "|".join(_span(protocol_name(first), protocol_name(last)) for first, last in intervals)
        if field is Field.STATE:
            found = {STATES[number % 5] for first, last in intervals for number in range(first, last + 1)}
            return f"state {'|'.join(name for name in STATES if name in found)}"
        top = tops(self.family)[field]
        negated = field in _OPEN and intervals[-1][1] == top
        shown = complement(intervals, top) if negated else intervals
        values = "|".join(self._span(field, first, last) for first, last in shown)
        return f"{'not ' if negated else ''}{_NAMES[field]} {values}"

    def _span(self, field: Field, first: int, last: int) -> str:
        if field in (Field.SOURCE, Field.DESTINATION):
            return _span(address_text(first, self.family), address_text(last, self.family))
        if field in (Field.IN, Field.OUT):
            name = interface_text(first)
            return (name or "none") if first == last else f"{name}+"
        return _span(str(first), str(last))


def _span(first: str, last: str) -> str:
    return first if first == last else f"{first}-{last}"


@dataclass(frozen=True)
class PacketSet:
    """A set of packets.

    Sets from the same analysis, or from analyses that share a compiler, can be compared and combined.
    """

    family: Family
    store: Diagrams
    node: Node

    def __iter__(self) -> Iterator[Region]:
        """Disjoint regions that together make up the set."""
        for box, _ in self.store.boxes(self.node):
            yield Region(self.family, tuple((Field(field), intervals) for field, intervals in sorted(box.items())))

    def __contains__(self, packet: Packet) -> bool:
        return self.store.at(self.node, self.store.digits(packet.point())) is True

    def __bool__(self) -> bool:
        return self.node != self.store.none

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PacketSet) and self.store is other.store and self.node == other.node

    def __hash__(self) -> int:
        return hash(self.node)

    def __sub__(self, other: PacketSet) -> PacketSet:
        return PacketSet(self.family, self.store, self.store.minus(self.node, other.node))

    def __and__(self, other: PacketSet) -> PacketSet:
        return PacketSet(self.family, self.store, self.store.both(self.node, other.node))

    def __or__(self, other: PacketSet) -> PacketSet:
        return PacketSet(self.family, self.store, self.store.either(self.node, other.node))


@dataclass(frozen=True)
class Bounds:
    """``lower``: accepted whatever unknown matches do; ``upper``: accepted if they let in as much as possible."""

    lower: PacketSet
    upper: PacketSet

    @property
    def exact(self) -> bool:
        """Whether both are equal, so that the answer is certain."""
        return self.lower == self.upper

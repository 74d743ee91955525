"""IP sets as a host has them (``ipset save``), with their members."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from rules.packets.packet import Field
from rules.values.family import Family
from rules.values.intervals import Intervals, contains, normal

# Types whose members are only addresses or networks.
_OF_ADDRESSES = ("hash:ip", "hash:net", "bitmap:ip")


@dataclass(frozen=True, slots=True)
class Members:
    """A set: its type, and its members if they are only addresses.

    ``rest``: why its members alone do not tell what matches (other kinds of members, ``nomatch``, or a timeout).
    """

    name: str
    kind: str
    family: Family
    addresses: Intervals = field(default=())
    rest: str = ""

    @property
    def known(self) -> bool:
        """Whether its members determine which packets match."""
        return self.kind in _OF_ADDRESSES and not self.rest

    def box(self, way: str, family: Family) -> tuple[int, Intervals] | None:
        """The field that rules test with ``src`` or ``dst``, and its values in the set."""
        chosen = {"src": Field.SOURCE, "dst": Field.DESTINATION}.get(way)
        if chosen is None or not self.known or family is not self.family:
            return None
        return int(chosen), self.addresses

    def holds(self, way: str, point: tuple[int, ...], family: Family) -> bool | None:
        """Whether a packet's address is a member; None if unknown."""
        found = self.box(way, family)
        return None if found is None else contains(found[1], point[found[0]])


def read_sets(text: str) -> dict[str, Members]:
    """Parse the output of ``ipset save``. A line that cannot be parsed makes its set unknown."""
    made: dict[str, tuple[str, Family]] = {}
    ranges: dict[str, list[tuple[int, int]]] = {}
    rest: dict[str, str] = {}
    for line in text.split("\n"):
        words = line.split()
        if words[:1] == ["create"] and len(words) > 2:
            made[words[1]] = words[2], Family.IPV6 if "inet6" in words else Family.IPV4
            ranges[words[1]] = []
        elif words[:1] == ["add"] and len(words) > 2 and words[1] in made:
            if words[3:] and "nomatch" in words:
                rest[words[1]] = "members with nomatch"
            try:
                ranges[words[1]] += _ranges(words[2])
            except ValueError:
                rest[words[1]] = f"members as {words[2]}"
    return {
        name: Members(name, kind, family, normal(ranges[name]), rest.get(name, ""))
        for name, (kind, family) in made.items()
    }


def _ranges(text: str) -> Iterator[tuple[int, int]]:
    first, dash, last = text.partition("-")
    if dash:
        yield int(ip_address(first)), int(ip_address(last))
        return
    network = ip_network(text, strict=False)
    yield int(network[0]), int(network[-1])

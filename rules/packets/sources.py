"""Sets of sources in words: networks, ranges, host names, or anywhere except a few."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from rules.packets.diagrams import Diagrams, Node
from rules.packets.field_sets import FieldSets
from rules.packets.packet import Field, address_text, tops
from rules.values.family import Family
from rules.values.intervals import Intervals, complement, normal
from rules.values.typed import format_address

# The most exceptions named; more are counted.
_NAMED_EXCEPTIONS = 8
# More networks than this in one range of addresses are written first-last.
_NETWORKS = 2
# The number of ranges named if there are too many to list.
_NAMED_RANGES = 3
_NEVER = {Family.IPV4: ("127.0.0.0/8", "224.0.0.0/3"), Family.IPV6: ("::1/128", "ff00::/8")}
_NOBODY = {Family.IPV4: ("0.0.0.0/8",), Family.IPV6: ("::/128",)}


@dataclass(frozen=True, slots=True, order=True)
class Label:
    """A source in words. Labels sort: anywhere first, then by address, then host names."""

    order: tuple[int, int, int]
    text: str


@lru_cache
def networks(texts: tuple[str, ...]) -> Intervals:
    """The addresses of networks in CIDR notation. Raises :class:`ValueError` for anything else."""
    found = [ipaddress.ip_network(text) for text in texts]
    return normal((int(network.network_address), int(network.broadcast_address)) for network in found)


def impossible(family: Family) -> Intervals:
    """Addresses that cannot be the source of a packet from outside: loopback, multicast, reserved."""
    return networks(_NEVER[family])


def addresses(family: Family) -> Intervals:
    """All addresses, excluding host names."""
    return ((0, (1 << family.bits) - 1),)


class SourceWords:
    """Describes sets of sources, which test no other field, in words; counts are cached."""

    def __init__(self, store: Diagrams, family: Family) -> None:
        self._store = store
        self._family = family
        self._sets = FieldSets(store, Field.SOURCE)
        self._labels: dict[tuple[Node, bool], tuple[Label, ...]] = {}
        top = tops(family)[Field.SOURCE]
        nobody = normal((*impossible(family), *networks(_NOBODY[family])))
        self._addresses = self._set(addresses(family))
        self._somebody = self._set(complement(nobody, top))
        self._possible = self._set(complement(impossible(family), top))

    def ranges(self, node: Node) -> int:
        """The number of lines that :meth:`labels` returns for a set."""
        if self.is_anywhere(node):
            return 1
        return self._sets.count(self._store.both(node, self._possible)).ranges

    def is_anywhere(self, node: Node) -> bool:
        """Whether a set is described by what is missing from it."""
        if self._sets.has_highest(node):
            return True
        return self._store.both(self._missing(node), self._addresses) == self._store.none

    def labels(self, node: Node, *, briefly: bool = False) -> tuple[Label, ...]:
        """One label for each range of sources; impossible sources get none. ``briefly``: one for all of them."""
        found = self._labels.get((node, briefly))
        if found is None:
            found = self._labels[node, briefly] = self._made(node, briefly)
        return found

    def _made(self, node: Node, briefly: bool) -> tuple[Label, ...]:
        if self.is_anywhere(node):
            return (self._anywhere(node),)
        real = self._store.both(node, self._possible)
        count = self._sets.count(real)
        if briefly and count.ranges > _NAMED_RANGES:
            named = list(islice(self._sets.ranges(real), _NAMED_RANGES))
            texts = [text for interval in named for text in _texts(interval, self._family)][:_NAMED_RANGES]
            size = self._sets.count(self._store.both(real, self._addresses)).values
            text = f"{size} addresses in {count.ranges} ranges, the first {', '.join(texts)}"
            return (Label((1, *named[0]), text),)
        return tuple(
            Label((1, *interval), text)
            for interval in self._sets.ranges(real)
            for text in _texts(interval, self._family)
        )

    def _missing(self, node: Node) -> Node:
        """The possible sources that are not in a set."""
        return self._store.minus(self._somebody, node)

    def _anywhere(self, node: Node) -> Label:
        missing = self._missing(node) if self._sets.has_highest(node) else self._store.none
        if missing == self._store.none:
            return Label((0, 0, 0), "anywhere")
        count = self._sets.count(missing)
        named = list(islice(self._sets.ranges(missing), _NAMED_EXCEPTIONS))
        texts = [text for interval in named for text in _texts(interval, self._family)]
        if count.ranges == len(named) and len(texts) <= _NAMED_EXCEPTIONS:
            return Label((0, *named[0]), f"anywhere but {', '.join(texts)}")
        size = self._sets.count(self._store.both(missing, self._addresses)).values
        return Label((0, *named[0]), f"anywhere but {size} addresses in {count.ranges} ranges")

    def _set(self, intervals: Intervals) -> Node:
        return self._store.box({int(Field.SOURCE): intervals}, self._store.all, self._store.none)


def _texts(interval: tuple[int, int], family: Family) -> list[str]:
    """One interval: a few networks, a range, or a host name."""
    first, last = interval
    if first >= 1 << family.bits:
        return [address_text(first, family)]
    found = cidr(first, last, family)
    if len(found) > _NETWORKS:
        return [f"{format_address(family, first)}-{format_address(family, last)}"]
    return [format_address(family, start) + ("" if prefix == family.bits else f"/{prefix}") for start, prefix in found]


def cidr(first: int, last: int, family: Family) -> list[tuple[int, int]]:
    """A range of addresses as networks: address and prefix length of each."""
    found = []
    while first <= last:
        free = (first & -first).bit_length() - 1 if first else family.bits
        free = min(free, (last - first + 1).bit_length() - 1)
        found.append((first, family.bits - free))
        first += 1 << free
    return found

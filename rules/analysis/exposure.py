"""Exposure: one line for each service that can be reached from outside, as shown in a diff."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from rules.analysis.outside import REQUESTS
from rules.analysis.reach import reaching_all, served
from rules.packets.diagrams import Diagrams, Node
from rules.packets.packet import PORT_PROTOCOLS, Field
from rules.packets.sources import Label, SourceWords
from rules.values.family import Family
from rules.values.icmp import type_name
from rules.values.intervals import Intervals, complement, normal, numbers
from rules.values.protocols import ICMP, ICMPV6, TCP, UDP, protocol_name

# More consecutive ICMP types than this are written first-last.
_TYPES = 4
# The most combinations of source and service ranges listed for a protocol; beyond that, one line per service.
_LISTED = 20_000
# The most such lines; beyond that, neighbouring services share one.
_SERVICES = 1_000
# First service, last service, their sources.
Row = tuple[int, int, Node]


@dataclass(frozen=True, slots=True, order=True)
class Exposed:
    """One service and one source. ``order``: everything, then TCP, UDP, ICMP, other protocols, each by number.

    ``where``: " on the link" if only neighbours can send such packets. ``doubts``: the rules with unknown matches on
    which it depends.
    """

    order: tuple[int, int, int]
    source: Label
    service: str
    where: str = ""
    doubts: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"{self.service} from {self.source.text}{self.where}"
        return f"possibly {text} ({'; '.join(self.doubts)})" if self.doubts else text


def exposed(
    store: Diagrams, node: Node, family: Family, *, said: Node, where: str = "", doubts: tuple[str, ...] = ()
) -> tuple[Exposed, ...]:
    """A set of protocols, services and sources in lines. What a wider line covers is not repeated.

    ``said``: what other lines already cover. A line may include it if that makes for fewer lines ("everything").
    """
    words = SourceWords(store, family)
    found = set(_Lines(store, node, family, words).all())
    if said != store.none and len(found) > 1:
        wider = set(_Lines(store, store.either(node, said), family, words).all())
        wider -= set(_Lines(store, said, family, words).all())
        found = wider if len(wider) < len(found) else found
    return tuple(replace(one, where=where, doubts=doubts) for one in sorted(found))


class _Lines:
    def __init__(self, store: Diagrams, node: Node, family: Family, words: SourceWords) -> None:
        self.store = store
        self.node = node
        self.family = family
        self.icmp = ICMP if family is Family.IPV4 else ICMPV6
        self.special = (TCP, UDP, self.icmp)
        self.words = words

    def all(self) -> Iterator[Exposed]:
        protocols = list(self.store.spans(self.node, Field.PROTOCOL))
        whole = {start: self._whole(start) for start, _, _ in protocols}
        everything = self.store.all
        for start, _, _ in protocols:
            everything = self.store.both(everything, self._requests() if start == self.icmp else whole[start])
        for label in self.words.labels(everything):
            yield Exposed((0, 0, 0), label, "everything")
        others: dict[Label, list[tuple[int, int]]] = {}
        for start, end, services in protocols:
            for label in self._labels(whole[start], everything):
                others.setdefault(label, []).append((start, end))
            wider = self.store.either(everything, whole[start])
            if services != whole[start]:
                yield from self._services(start, services, wider)
        yield from self._protocols(others)

    def _whole(self, protocol: int) -> Node:
        """The sources that reach all of a protocol; port 0 does not count, as no service can listen on it."""
        if protocol in PORT_PROTOCOLS:
            return reaching_all(self.store, self.node, protocol, only=served)
        return reaching_all(self.store, self.node, protocol)

    def _requests(self) -> Node:
        """The sources that reach every ICMP type that can be NEW: all that a rule for NEW packets can accept."""
        kinds = REQUESTS[self.family]
        return reaching_all(self.store, self.node, self.icmp, only=lambda first, last: _any_type(kinds, first, last))

    def _labels(self, sources: Node, said: Node) -> tuple[Label, ...]:
        return self.words.labels(self._unsaid(sources, said))

    def _unsaid(self, sources: Node, said: Node) -> Node:
        """Sources without those that a wider line covers, unless that would make the text longer."""
        rest = self.store.minus(sources, said)
        return sources if rest != self.store.none and self.words.is_anywhere(sources) else rest

    def _protocols(self, found: dict[Label, list[tuple[int, int]]]) -> Iterator[Exposed]:
        """Whole protocols: those with a name first, the rest in ranges."""
        common = numbers(self.special)
        rest = complement(common, 255)
        for label, intervals in found.items():
            merged = normal(intervals)
            for rank, number in enumerate(self.special, 1):
                if any(first <= number <= last for first, last in merged):
                    yield Exposed((rank, -1, 0), label, self._name(number))
            others = _cut(merged, common)
            if others == rest:
                yield Exposed((4, 0, 0), label, "other protocols")
                continue
            for first, last in others:
                name = self._name(first) if first == last else f"protocols {first}-{last}"
                yield Exposed((4, first, last), label, name)

    def _services(self, protocol: int, services: Node, wider: Node) -> Iterator[Exposed]:
        spans = self.store.spans(services, Field.SERVICE)
        rows = [
            (first, last, rest)
            for first, last, sources in spans
            if (rest := self._unsaid(sources, wider)) != self.store.none
        ]
        briefly = sum(self.words.ranges(sources) for _, _, sources in rows) > _LISTED
        if briefly and len(rows) > _SERVICES:
            yield from self._groups(protocol, rows)
            return
        found: dict[Label, list[tuple[int, int]]] = {}
        for first, last, sources in rows:
            for label in self.words.labels(sources, briefly=briefly):
                found.setdefault(label, []).append((first, last))
        for label, intervals in found.items():
            for first, last in normal(intervals):
                for number, name in self._service_names(protocol, first, last):
                    yield Exposed(self._order(protocol, number, last), label, f"{self._name(protocol)}/{name}")

    def _groups(self, protocol: int, rows: list[Row]) -> Iterator[Exposed]:
        """Group consecutive services so that each line covers services reached from at least one of the sources."""
        size = -(-len(rows) // _SERVICES)
        for start in range(0, len(rows), size):
            group = rows[start : start + size]
            first, last = group[0][0], group[-1][1]
            sources = self.store.union([node for _, _, node in group])
            for label in self.words.labels(sources, briefly=True):
                name = f"{self._name(protocol)}/{_range(first, last)}"
                yield Exposed(self._order(protocol, first, last), label, name if size == 1 else f"some of {name}")

    def _order(self, protocol: int, first: int, last: int) -> tuple[int, int, int]:
        if protocol in self.special:
            return self.special.index(protocol) + 1, first, last
        return 4, protocol, first

    def _service_names(self, protocol: int, first: int, last: int) -> list[tuple[int, str]]:
        return self._icmp(first, last) if protocol == self.icmp else [(first, _range(first, last))]

    def _name(self, protocol: int) -> str:
        return "icmpv6" if protocol == self.icmp == ICMPV6 else protocol_name(protocol)

    def _icmp(self, first: int, last: int) -> list[tuple[int, str]]:
        """An interval of types and codes: whole types by name, and codes of one type."""
        found, start = [], first
        if first % 256 and first // 256 != last // 256:
            found.append((first, self._codes(first, first | 255)))
            start = (first | 255) + 1
        end = last
        if last % 256 != 255 and start // 256 != last // 256:
            end = (last // 256) * 256 - 1
        if start % 256 or end % 256 != 255:
            found.append((start, self._codes(start, end)))
        elif (end - start) // 256 < _TYPES:
            found += [(at, type_name(at // 256, None, self.family)) for at in range(start, end, 256)]
        else:
            found.append((start, f"{start // 256}-{end // 256}"))
        if end != last:
            found.append((end + 1, self._codes(end + 1, last)))
        return found

    def _codes(self, first: int, last: int) -> str:
        kind = first // 256
        if first == last:
            return type_name(kind, first % 256, self.family)
        return f"{type_name(kind, None, self.family)}/{first % 256}-{last % 256}"


def _any_type(kinds: tuple[int, ...], first: int, last: int) -> bool:
    return any(first <= kind * 256 + 255 and kind * 256 <= last for kind in kinds)


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _cut(intervals: Intervals, away: Intervals) -> Intervals:
    kept: Iterable[int] = (
        number for first, last in intervals for number in range(first, last + 1) if (number, number) not in away
    )
    return numbers(kept)

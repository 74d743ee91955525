"""Who can reach what on a host, through all tables: its own services, and what it forwards under its own addresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random

from rules.analysis.default_deny import OpenLimits, open_to, without_exceptions
from rules.analysis.exposure import Exposed, exposed
from rules.analysis.outside import ON_LINK
from rules.analysis.reach import BLAMED
from rules.analysis.reachability import Analysis
from rules.language.render import render_match
from rules.model import Match
from rules.packets.diagrams import Node
from rules.packets.packet import Field, interface, tops
from rules.path.layers import Layer
from rules.path.network import HostNetwork
from rules.path.pieces import Pieces, Reached
from rules.path.sets import Members
from rules.path.trace import Trace, Tracer
from rules.values.family import Family
from rules.values.intervals import Intervals, complement, contains
from rules.values.typed import format_address

# Up to this many paths to a service, the rule that finally accepts is named too; beyond it, only the rules that lead
# there.
_NAMED = 200
_SYN = 2


@dataclass(frozen=True, slots=True, order=True)
class PathLine:
    """A service that can be reached. ``to``: its address, empty for the host itself; ``rules``: those that expose it.

    ``at``: the addresses under which it is reached, empty for all of the host's.
    """

    exposed: Exposed
    to: str = ""
    rules: tuple[str, ...] = ()
    at: str = ""

    def __str__(self) -> str:
        words = [f"at {self.at}"] if self.at else []
        words += [f"forwarded to {self.to}"] if self.to else []
        words += [f"by {' and '.join(self.rules)}"] if self.rules else []
        return f"{self.exposed}{', ' if words else ''}{' '.join(words)}"


class PathAnswers:
    """Answers about a host. Raises what `rules.analysis.reachability` raises if a ruleset is too intricate."""

    def __init__(
        self,
        family: Family,
        layers: Sequence[Layer],
        network: HostNetwork | None = None,
        sets: Mapping[str, Members] | None = None,
    ) -> None:
        self.family = family
        self.layers = layers
        self.network = network
        self._sets = sets or {}
        self.pieces = Pieces(family, layers, network, self._sets)
        self.compiler = self.pieces.compiler
        self._store = self.compiler.store
        self._tracer = Tracer(family, layers, network, self._sets)
        self._depth = self._store.start[Field.SOURCE + 1]

    @cached_property
    def to_host(self) -> tuple[Reached, ...]:
        """The paths on which packets to the host's addresses are let through."""
        with self._store.apart():
            return tuple(self.pieces.to_host())

    @cached_property
    def past_host(self) -> tuple[Reached, ...]:
        """The paths on which packets to others are let through."""
        with self._store.apart():
            return tuple(self.pieces.past_host())

    def default_deny(self, limits: OpenLimits | None = None) -> bool | None:
        """What `Analysis.default_deny` tells of INPUT, of what gets to the host through all tables."""
        chosen = limits or OpenLimits()
        if not self._open_to(chosen, surely=False):
            return True
        bare = [replace(layer, table=without_exceptions(layer.table)) for layer in self.layers]
        same = all(one.table == other.table for one, other in zip(bare, self.layers, strict=True))
        judged = self if same else PathAnswers(self.family, bare, self.network, self._sets)
        return False if judged._open_to(chosen, surely=True) else None

    def _open_to(self, limits: OpenLimits, *, surely: bool) -> tuple[str, ...]:
        pieces = [one.piece for one in self.to_host if one.where == "host"]
        packets = self._store.union([one.surely if surely else one.possibly for one in pieces])
        return open_to(self._store, self._reached(packets), self.family, limits)

    def lines(self, beyond: Analysis | None = None) -> tuple[PathLine, ...]:
        """Services under the host's addresses.

        ``beyond``: leave out what that ruleset lets INPUT receive anyway; it must share this compiler.
        """
        return tuple(self._lines(self.to_host, beyond))

    def forwarded(self) -> tuple[PathLine, ...]:
        """What is translated on its way to other hosts' addresses."""
        return tuple(self._lines([one for one in self.past_host if one.piece.by], None))

    def _lines(self, ways: Sequence[Reached], beyond: Analysis | None) -> Iterator[PathLine]:
        groups: dict[tuple[str, str, tuple[tuple[str, str], ...]], list[Reached]] = {}
        for one in ways:
            key = (one.piece.to if one.where == "forwarded" or one.piece.by else "", one.where, one.piece.by)
            groups.setdefault(key, []).append(one)
        for (to, where, by), alike in sorted(groups.items()):
            yield from self._group(to, where, by, alike, beyond, named=len(groups) <= _NAMED)

    def _group(
        self,
        to: str,
        where: str,
        by: tuple[tuple[str, str], ...],
        ways: Sequence[Reached],
        beyond: Analysis | None,
        *,
        named: bool,
    ) -> Iterator[PathLine]:
        store = self._store
        possibly = store.union([one.piece.possibly for one in ways])
        surely = store.union([one.piece.surely for one in ways])
        rules = tuple(f"{table} {place}" for table, place in by)
        shown = to if where == "forwarded" else ""
        at = self._at(possibly) if by else ""
        said = known = store.none
        for near, on in ((False, ""), (True, " on the link")):
            hops = self._hops(near)
            sure, may = (self._reached(store.both(node, hops)) for node in (surely, possibly))
            if beyond is not None:
                reached = beyond.part("INPUT").reached(near=None)
                said, known = store.either(said, reached.surely), store.either(known, reached.possibly)
            gained = store.minus(sure, said)
            if gained != store.none:
                more = self._accepting(surely, gained, where) if named and (by or beyond) else ()
                for line in exposed(store, gained, self.family, said=said, where=on):
                    yield PathLine(line, shown, (*rules, *more), at)
            said, known = store.either(said, gained), store.either(known, gained)
            doubted = store.minus(may, known)
            if doubted != store.none:
                doubts = self._doubts(store.minus(possibly, surely), doubted, named=named)
                for line in exposed(store, doubted, self.family, said=known, where=on, doubts=doubts):
                    yield PathLine(line, shown, rules, at)
            said, known = store.either(said, doubted), store.either(known, doubted)

    def _at(self, packets: Node) -> str:
        """The addresses to which these packets were sent; empty if that may be any of the host's."""
        store, level, below = (
            self._store,
            self._store.start[Field.DESTINATION],
            self._store.start[Field.DESTINATION + 1],
        )
        seen, waiting, found = {packets}, [packets], []
        while waiting:
            node = waiting.pop()
            if store.level[node] >= level:
                found.append(store.map(node, lambda one: store.leaf(one != store.none), below))
                continue
            new = [kid for kid in store.kids[node] if kid not in seen]
            seen.update(new)
            waiting += new
        spans = store.spans(store.union(found), Field.DESTINATION)
        intervals = tuple((first, last) for first, last, kid in spans if kid == store.all)
        own = self.pieces.own()
        top = (1 << self.family.bits) - 1
        shown = [one for one in intervals if one[0] <= top]
        everything = any(first == 0 and last >= top for first, last in intervals)
        if everything or not shown or (own and all(contains(tuple(shown), one) for one in own)):
            return ""
        named = ", ".join(
            format_address(self.family, first)
            if first == last
            else f"{format_address(self.family, first)}-{format_address(self.family, min(last, top))}"
            for first, last in shown[:BLAMED]
        )
        return f"{named} and others" if len(shown) > BLAMED else named

    def _hops(self, near: bool) -> Node:
        link: Intervals = ((ON_LINK, ON_LINK),)
        hops = link if near else complement(link, tops(self.family)[Field.HOPS])
        return self._box({Field.HOPS: hops})

    def _box(self, box: dict[int, Intervals]) -> Node:
        return self._store.box(dict(sorted(box.items())), self._store.all, self._store.none)

    def _reached(self, packets: Node) -> Node:
        store = self._store
        return store.map(packets, lambda node: store.leaf(node != store.none), self._depth)

    def _accepting(self, packets: Node, reached: Node, where: str) -> tuple[str, ...]:
        """The rule that finally accepts one of these packets, if it is a rule of a filter table."""
        trace = self._sample(packets, reached)
        for end in trace.ends if trace is not None else ():
            if end.verdict == "ACCEPT" and end.where == where:
                steps = [
                    step
                    for step in end.packet.steps
                    if step.rule is not None and step.rule.target is not None and step.rule.target.name == "ACCEPT"
                ]
                return (f"{steps[-1].table} {steps[-1].place}",) if steps else ()
        return ()

    def _doubts(self, packets: Node, reached: Node, *, named: bool) -> tuple[str, ...]:
        """The rules that decide whether one of these packets is let through."""
        trace = self._sample(packets, reached) if named else None
        texts = []
        for step in (step for end in trace.ends for step in end.packet.steps) if trace is not None else ():
            if not step.sure and step.rule is not None:
                unknown = self.compiler.predicate(step.rule).unknown
                texts += [_match_text(f"{step.table} {step.place}", match) for match in unknown]
        if self.network is None or not self.network.known:
            texts.append("the host's addresses and routes are not known")
        return tuple(dict.fromkeys(texts or self._unknown()))[:BLAMED] or ("rules that are not understood",)

    def _unknown(self) -> Iterator[str]:
        """The unknown matches, for when no single packet shows which of them decide."""
        for layer in self.layers:
            for chain in layer.table.chains:
                for number, rule in enumerate(chain.rules, 1):
                    for match in self.compiler.predicate(rule).unknown:
                        yield _match_text(f"{layer.name} {chain.name} {number}", match)

    def _sample(self, packets: Node, reached: Node) -> Trace | None:
        """The path of one packet from these packets, services and sources; a typical one, if there is one."""
        store = self._store
        found = store.both(packets, reached)
        addresses: Intervals = ((0, (1 << self.family.bits) - 1),)
        for box in (
            {Field.SOURCE: addresses, Field.DESTINATION: addresses},
            {Field.FLAGS: ((_SYN, _SYN),), Field.HOPS: ((64, 64),), Field.PACKET_TYPE: ((0, 0),)},
            {Field.IN: (interface("eth0"),), Field.SOURCE_PORT: ((40000, 40000),)},
        ):
            narrower = store.both(found, self._box({int(field): wanted for field, wanted in box.items()}))
            found = narrower if narrower != store.none else found
        if found == store.none:
            return None
        digits = store.some(found, Random(0))  # noqa: S311 -- the same answer each time
        point = [0] * len(store.fields)
        place = 0
        for number, layout in enumerate(store.fields):
            for shift in layout.shifts:
                point[number] |= digits[place] << shift
                place += 1
        return self._tracer.trace_point(tuple(point[: len(Field)]))


def _match_text(place: str, match: Match) -> str:
    """A match at its place; those of nftables have no text of their own."""
    return place if match.name == "nft" else f"{place}: {render_match(match)}"

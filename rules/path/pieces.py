"""Sets of packets on their path through all tables: which paths there are, and which packets take them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rules.analysis.chain import calling
from rules.analysis.outside import outside
from rules.model import Ruleset
from rules.packets.diagrams import Node
from rules.packets.outcomes import Verdict
from rules.packets.packet import Field, interface, state_number, tops
from rules.path.compiler import PathCompiler, Share
from rules.path.layers import HOOKS, Hook, Layer, at
from rules.path.network import BROADCAST, LOCAL, MULTICAST, UNICAST, HostNetwork, is_loopback
from rules.path.readings import MARK, asks_before
from rules.path.sets import Members
from rules.path.translation import Translation, translation
from rules.values.family import Family
from rules.values.intervals import Intervals, complement, normal, numbers

_NEW, _DNAT, _UNTRACKED = state_number("NEW"), state_number("NEW", dnat=True), state_number("UNTRACKED")
_PLAIN = numbers(state_number(name) for name in ("INVALID", "NEW", "UNTRACKED"))
_NONE = interface("")[0]
# Any address that is not link-local: REDIRECT then uses an address of global scope.
_GLOBAL = 1 << 125


@dataclass(frozen=True, slots=True)
class Piece:
    """Packets that take the same path, in their original form: ``possibly`` at most, ``surely`` at least.

    ``became``: fields that have one value by now. ``by``: the rules that translated, with their tables, ``to`` what.
    ``astray``: the new address is unknown (NETMAP of other hosts' addresses), and so is what denies the packets.
    """

    possibly: Node
    surely: Node
    became: Mapping[int, int] = field(default_factory=dict)
    by: tuple[tuple[str, str], ...] = ()
    to: str = ""
    astray: bool = False

    @property
    def key(self) -> tuple[object, ...]:
        """What distinguishes it from other paths."""
        return tuple(sorted(self.became.items())), self.by, self.to, self.astray


@dataclass(frozen=True, slots=True)
class Reached:
    """A piece that is let through. ``where``: "host" or "forwarded"."""

    piece: Piece
    where: str


class Pieces:
    """Follows all first packets that others can send through the tables of a host."""

    def __init__(
        self, family: Family, layers: Sequence[Layer], network: HostNetwork | None, sets: Mapping[str, Members]
    ) -> None:
        self.family = family
        self.host = network or HostNetwork(family)
        self.hooks = {hook: at(hook, layers) for hook in HOOKS}
        self.compiler = PathCompiler(family, layers, sets)
        self.store = self.compiler.store
        ways = self.host.ways_out()
        # The addresses behind each interface; None if unknown.
        self._ways = (
            ways
            if ways is None
            else self.store.union(
                [
                    self._box({Field.DESTINATION: there, Field.OUT: (interface(name),)})
                    for name, there in ways.items()
                    if there
                ]
            )
        )
        self._before = {(layer.name, hook.chain): _asks_before(layer, hook) for layer in layers for hook in layer.hooks}

    def to_host(self) -> list[Reached]:
        """What happens to packets to the host's own addresses: received, or forwarded after translation."""
        sent = self.store.both(outside(self.compiler, "INPUT", Ruleset(self.family)), self._begun())
        addressed = [
            self._box({Field.DESTINATION: wanted, Field.DESTINATION_TYPE: ((kind, kind),)})
            for wanted, kind in (
                (normal((one, one) for one in self.own()), LOCAL),
                (self.host.broadcasts(), BROADCAST),
                (self.host.multicasts(), MULTICAST),
            )
            if wanted
        ]
        if self.host.known:
            sent = self.store.both(sent, self.store.union(addressed))
        return list(self._routed(self._through("PREROUTING", [Piece(sent, sent, {MARK: 0})]), plain=LOCAL))

    def past_host(self) -> list[Reached]:
        """What happens to packets to other hosts: forwarded, or received after translation."""
        sent = self.store.both(outside(self.compiler, "PREROUTING", Ruleset(self.family)), self._begun())
        box: dict[int, Intervals] = {Field.DESTINATION_TYPE: ((UNICAST, UNICAST),), Field.IN: _not_lo(self.family)}
        if self.host.known:
            own = self.host.local()
            box[Field.DESTINATION] = complement(own, tops(self.family)[Field.DESTINATION])
        sent = self.store.both(sent, self._box(box))
        return list(self._routed(self._through("PREROUTING", [Piece(sent, sent, {MARK: 0})]), plain=UNICAST))

    def _begun(self) -> Node:
        return self._box({Field.STATE: _PLAIN})

    def _box(self, box: Mapping[int, Intervals]) -> Node:
        return self.store.box(dict(sorted(box.items())), self.store.all, self.store.none)

    def _through(self, hook: str, pieces: list[Piece], instead: Mapping[int, int] | None = None) -> list[Piece]:
        """Pass through the tables at a hook; ``instead``: fields that have other values there for all packets."""
        for layer, here in self.hooks[hook]:
            chain = layer.table.chain(here.chain)
            if chain is None or not (chain.rules or chain.policy == "DROP"):
                continue
            if here.nat and hook != "PREROUTING":
                continue  # source NAT: nobody is denied
            found = [one for piece in pieces for one in self._met(layer, here, piece, instead or {})]
            pieces = self._joined(found)
        return pieces

    def _met(self, layer: Layer, here: Hook, piece: Piece, instead: Mapping[int, int]) -> Iterator[Piece]:
        """A piece after a table."""
        if here.nat:
            state = piece.became.get(Field.STATE)
            first = self._box({Field.STATE: ((_NEW, _NEW),)}) if state is None else self.store.none
            yield from self._some(self._part(piece, self.store.minus(self.store.all, first)))
            piece = self._part(piece, first)
        if piece.possibly == self.store.none:
            return
        for share in self._shares(layer, here, piece, instead):
            happening = share.happening
            if happening.verdict not in (Verdict.ACCEPT, Verdict.PASS):
                continue
            became = dict(piece.became)
            if happening.mark:
                became[MARK] = happening.mark[became[MARK]]
            if happening.untracked:
                became[Field.STATE] = _UNTRACKED
            left = Piece(
                share.possibly,
                self.store.both(piece.surely, share.surely),
                became,
                piece.by,
                piece.to,
            )
            if happening.by is None or not here.nat:
                yield from self._some(left)
                continue
            chain = layer.table.chain(happening.by.chain)
            target = chain.rules[happening.by.number - 1].target if chain is not None else None
            found = translation(target, self.family) if target is not None else None
            if found is not None:
                by = (*piece.by, (layer.name, str(happening.by)))
                yield from self._translated(replace(left, by=by, to=found.text(self.family)), found)

    def _some(self, piece: Piece) -> Iterator[Piece]:
        if piece.possibly != self.store.none:
            yield piece

    def _part(self, piece: Piece, packets: Node) -> Piece:
        """A piece, restricted to some packets."""
        both = self.store.both
        return replace(piece, possibly=both(piece.possibly, packets), surely=both(piece.surely, packets))

    def _shares(self, layer: Layer, here: Hook, piece: Piece, instead: Mapping[int, int]) -> list[Share]:
        now = {**piece.became, **instead}
        if self._before[layer.name, here.chain] and (Field.DESTINATION in now or Field.SERVICE in now):
            diagram = self.compiler.chain(layer, here, {one: value for one, value in now.items() if one != MARK})
            return self.compiler.shares(piece.possibly, diagram, {MARK: now[MARK]})
        return self.compiler.shares(piece.possibly, self.compiler.chain(layer, here), now)

    def _translated(self, piece: Piece, to: Translation) -> Iterator[Piece]:
        """The results of translating a piece's destination, one for each address and port."""
        ports: tuple[int | None, ...] = (None,) if to.ports is None else tuple(dict.fromkeys(to.ports))
        shifted = to.ports is not None and to.base is not None and to.ports[0] != to.ports[1]
        if shifted:
            ports, piece = (None,), replace(piece, surely=self.store.none)
        for one, address in self._addressed(piece, to):
            for port in ports:
                became = {**one.became, Field.STATE: _DNAT}
                if address is not None:
                    became[Field.DESTINATION] = address
                    became.pop(Field.DESTINATION_TYPE, None)
                if port is not None:
                    became[Field.SERVICE] = port
                if to.own:
                    became[Field.DESTINATION_TYPE] = LOCAL
                yield from self._some(replace(one, became=became))

    def _addressed(self, piece: Piece, to: Translation) -> Iterator[tuple[Piece, int | None]]:
        if to.own:
            rest = piece
            for name in dict.fromkeys(one.interface for one in self.host.addresses):
                packets = self._box({Field.IN: (interface(name),)})
                yield self._part(piece, packets), self.host.own_at(name, _GLOBAL)
                rest = self._part(rest, self.store.minus(self.store.all, packets))
            yield rest, None
        elif to.addresses is None:
            yield piece, None
        elif to.mask is None or to.mask == (1 << self.family.bits) - 1:
            yield from ((piece, address) for address in to.address(0))
        else:
            rest = piece
            for before in self.own():
                packets = self._box({Field.DESTINATION: ((before, before),)})
                yield self._part(piece, packets), to.address(before)[0]
                rest = self._part(rest, self.store.minus(self.store.all, packets))
            yield replace(rest, surely=self.store.none, astray=True), None

    def own(self) -> list[int]:
        """The host's own addresses except loopback; empty if unknown."""
        return sorted({one.address for one in self.host.addresses if not is_loopback(one.address, self.family)})

    def _routed(self, pieces: Iterable[Piece], *, plain: int) -> Iterator[Reached]:
        """The routing decision. ``plain``: the type of the destination of packets that nobody translated."""
        for piece in pieces:
            if piece.astray:
                yield from (Reached(piece, "host"), Reached(piece, "forwarded"))
                continue
            address, sure = piece.became.get(Field.DESTINATION), piece
            if Field.DESTINATION_TYPE in piece.became or address is None:
                kind: int | None = piece.became.get(Field.DESTINATION_TYPE, plain)
            elif is_loopback(address, self.family):
                kind, sure = LOCAL, replace(piece, surely=self.store.none)  # only with route_localnet
            else:
                kind = self.host.kind(address)
            if kind is not None:
                found = self._received(sure, address) if kind != UNICAST else self._forwarded(sure, address)
                yield from found
                continue
            doubted = replace(piece, surely=self.store.none)
            received, forwarded = list(self._received(doubted, address)), list(self._forwarded(doubted, address))
            yield from (*received, *forwarded)

    def _received(self, piece: Piece, address: int | None) -> Iterator[Reached]:
        became = dict(piece.became)
        if address is not None:
            became[Field.DESTINATION_TYPE] = LOCAL
        for one in self._through("INPUT", [replace(piece, became=became)]):
            yield Reached(one, "host")

    def _forwarded(self, piece: Piece, address: int | None) -> Iterator[Reached]:
        if self.host.forwards is False:
            return
        if self.compiler.changes_hops:
            piece = replace(piece, surely=self.store.none)  # the hop limit may have been changed to expire here
        else:
            piece = self._part(piece, self._box({Field.HOPS: ((2, 255),)}))
        name = self.host.way_out(address) if address is not None else None
        opened: list[Node] = []
        if name == "":
            return
        became = dict(piece.became)
        if address is not None:
            became[Field.DESTINATION_TYPE] = UNICAST
        if name is not None:
            became[Field.OUT] = interface(name)[0]
            start = [replace(piece, became=became)]
        else:
            opened = [self._opened(node) for node in (piece.possibly, piece.surely)]
            start = [Piece(opened[0], opened[1], became, piece.by, piece.to)]
        for one in self._through("POSTROUTING", self._through("FORWARD", start), {Field.IN: _NONE}):
            if name is not None:
                yield Reached(one, "forwarded")
                continue
            possibly, surely = (
                self.compiler.whatever(node, Field.OUT, surely=False) for node in (one.possibly, one.surely)
            )
            if self._ways is None:  # it may be another interface
                refused = self.compiler.whatever(self.store.minus(opened[1], one.surely), Field.OUT, surely=False)
                surely = self.store.minus(surely, refused)
            yield Reached(replace(one, possibly=possibly, surely=surely), "forwarded")

    def _opened(self, node: Node) -> Node:
        """The packets regardless of the interface by which they leave."""
        leaving = self._ways
        if leaving is None:
            leaving = self._box({Field.OUT: complement((interface(""),), tops(self.family)[Field.OUT])})
        return self.store.both(self.compiler.whatever(node, Field.OUT, surely=False), leaving)

    def _joined(self, pieces: Iterable[Piece]) -> list[Piece]:
        found: dict[object, list[Piece]] = {}
        for piece in pieces:
            found.setdefault(piece.key, []).append(piece)
        return [
            replace(
                alike[0],
                possibly=self.store.union([one.possibly for one in alike]),
                surely=self.store.union([one.surely for one in alike]),
            )
            for alike in found.values()
        ]


def _asks_before(layer: Layer, here: Hook) -> bool:
    """Whether any rule at this hook tests the destination before translation."""
    if layer.table.chain(here.chain) is None:
        return False
    chains = calling(layer.table, here.chain).chains
    return any(asks_before(match) for chain in chains for rule in chain.rules for match in rule.matches)


def _not_lo(family: Family) -> Intervals:
    return complement((interface("lo"),), tops(family)[Field.IN])

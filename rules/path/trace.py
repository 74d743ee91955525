"""One packet's path through all tables and NAT: to the host or forwarded, by which rules, with which changes.

The order is the kernel's (netfilter_ipv4.h): raw, connection tracking, mangle, nat's destinations, the routing
decision, then mangle, filter and security of INPUT or FORWARD, and finally nat's sources. Where something is unknown (a
match, the host's addresses), every path is followed, and the answer contains all that may happen to the packet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rules.packets.packet import Field, Packet, interface, interface_text, state_number
from rules.path.carried import Carried, TraceStep, first_state
from rules.path.conditions import Conditions
from rules.path.layers import CONNTRACK, HOOKS, Hook, Layer, at
from rules.path.network import LOCAL, UNICAST, HostNetwork, is_loopback
from rules.path.sets import Members
from rules.path.translation import Translation, translation
from rules.path.walk import Ended, Walk
from rules.values.family import Family
from rules.values.typed import format_address

_UNTRACKED = state_number("UNTRACKED")


@dataclass(frozen=True, slots=True)
class End:
    """What happens to a packet in the end.

    ``verdict``: ACCEPT, DROP or REJECT. ``where``: "host" if it is for the host itself, "forwarded", "sent", or empty
    if it did not get that far. ``reason``: what decided, if it was not a rule.
    """

    packet: Carried
    verdict: str
    where: str
    reason: str = ""

    @property
    def decided_by(self) -> TraceStep | None:
        """The rule or policy that decided last."""
        return self.packet.steps[-1] if self.packet.steps else None


@dataclass(frozen=True, slots=True)
class Trace:
    """All that may happen to a packet; one end if that is certain. ``cut``: there were too many paths to follow."""

    ends: tuple[End, ...]
    cut: bool = False

    @property
    def verdict(self) -> str | None:
        """The verdict; None if several are possible."""
        verdicts = {end.verdict for end in self.ends}
        return verdicts.pop() if len(verdicts) == 1 and not self.cut else None


@dataclass
class Tracer:
    """Follows packets of a family through the tables of a host (`rules.path.layers`)."""

    family: Family
    layers: Sequence[Layer]
    network: HostNetwork | None = None
    sets: Mapping[str, Members] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.hooks = {hook: at(hook, self.layers) for hook in HOOKS}
        self.host = self.network or HostNetwork(self.family)
        self.conditions = Conditions(self.family, self.host, self.sets)

    def trace(self, packet: Packet, unknown: Sequence[Field] = (), *, state: int | None = None) -> Trace:
        """What happens to a packet that arrives. ``unknown``: its unknown fields, such as the interface.

        ``state``: the state that conntrack gives it; by default that of a first packet.
        """
        way = _Way(self, state)
        ends = tuple(way.arriving(self.begun(packet, unknown)))
        return Trace(_distinct(ends), way.cut)

    def sent(self, packet: Packet, unknown: Sequence[Field] = (), *, state: int | None = None) -> Trace:
        """What happens to a packet that the host itself sends."""
        way = _Way(self, state)
        ends = tuple(way.leaving(self.begun(packet, unknown)))
        return Trace(_distinct(ends), way.cut)

    def trace_point(self, point: tuple[int, ...]) -> Trace:
        """What happens to a packet that arrives, given by the numbers of its fields."""
        way = _Way(self, None)
        ends = tuple(way.arriving(self._known(point, ())))
        return Trace(_distinct(ends), way.cut)

    def begun(self, packet: Packet, unknown: Sequence[Field] = ()) -> Carried:
        """A packet at the start of its path."""
        return self._known(packet.point(), unknown)

    def _known(self, point: tuple[int, ...], unknown: Sequence[Field]) -> Carried:
        carried = Carried(point, point, open=frozenset(unknown))
        known, asked = [], []
        for address, kind in ((Field.SOURCE, Field.SOURCE_TYPE), (Field.DESTINATION, Field.DESTINATION_TYPE)):
            found = self.host.kind(point[address])
            (asked.append(kind) if found is None else known.append((kind, found)))
        return carried.having(*known, unknown=tuple(asked))


def _distinct(ends: Sequence[End]) -> tuple[End, ...]:
    return tuple({(end.packet.key, end.verdict, end.where): end for end in reversed(ends)}.values())[::-1]


class _Way:
    def __init__(self, tracer: Tracer, state: int | None) -> None:
        self.hooks, self.family, self.host = tracer.hooks, tracer.family, tracer.host
        self.conditions = tracer.conditions
        self.state = state
        self.cut = False

    def arriving(self, packet: Carried) -> Iterator[End]:
        """From the network to its end."""
        for come in self._through("PREROUTING", packet):
            if come.verdict == "ACCEPT":
                yield from self._routed(come.packet)
            else:
                yield End(come.packet, come.verdict, "")

    def leaving(self, packet: Carried) -> Iterator[End]:
        """From the host itself to its end."""
        for out in self._through("OUTPUT", packet):
            yield from self._posted(out, "sent")

    def _through(self, hook: str, packet: Carried) -> list[Ended]:
        """Pass through the tables at a hook, one after the other, including connection tracking."""
        waiting, tracked = [Ended(packet, "ACCEPT")], hook not in ("PREROUTING", "OUTPUT")
        for layer, here in self.hooks[hook]:
            if not tracked and here.priority >= CONNTRACK:
                waiting, tracked = list(map(self._tracked, waiting)), True
            waiting = [end for one in waiting for end in self._on(one, layer, here)]
        return waiting if tracked else list(map(self._tracked, waiting))

    def _on(self, before: Ended, layer: Layer, here: Hook) -> Iterator[Ended]:
        if before.verdict != "ACCEPT":
            yield before
        elif here.nat:
            yield from self._nat(layer, here, before.packet)
        else:
            yield from self._table(layer, here, before.packet)

    def _table(self, layer: Layer, here: Hook, packet: Carried) -> list[Ended]:
        walk = Walk(layer.name, layer.table, self.conditions)
        walk.through(here.chain, packet)
        self.cut = self.cut or walk.cut
        return walk.ended

    def _tracked(self, come: Ended) -> Ended:
        """What connection tracking, between raw and mangle, does to the packet."""
        packet = come.packet
        if packet[Field.STATE] == _UNTRACKED or come.verdict != "ACCEPT":
            return come
        state = first_state(packet.point) if self.state is None else self.state
        return replace(come, packet=packet.having((Field.STATE, state)))

    def _routed(self, packet: Carried) -> Iterator[End]:
        """The routing decision: to the host itself or forwarded; both if unknown."""
        kind = None if Field.DESTINATION_TYPE in packet.open else packet[Field.DESTINATION_TYPE]
        address = packet[Field.DESTINATION]
        if is_loopback(address, self.family) and packet[Field.IN] != interface("lo")[0]:
            # The kernel accepts it only if route_localnet is set.
            yield End(_told(packet, f"{self._shown(address)} is not routed from outside"), "DROP", "", "martian")
            return
        if kind != UNICAST:
            doubt = " if that is an address of this host" if kind is None else ""
            yield from self._received(
                _told(packet.having((Field.DESTINATION_TYPE, kind or LOCAL)), f"to this host{doubt}")
            )
        if kind in (UNICAST, None):
            yield from self._forwarded(packet.having((Field.DESTINATION_TYPE, UNICAST)))

    def _received(self, packet: Carried) -> Iterator[End]:
        for end in self._through("INPUT", packet):
            yield End(end.packet, end.verdict, "host")

    def _forwarded(self, packet: Carried) -> Iterator[End]:
        if self.host.forwards is False:
            yield End(_told(packet, "this host does not forward"), "DROP", "forwarded", "not forwarded")
            return
        if Field.HOPS not in packet.open and packet[Field.HOPS] <= 1:
            yield End(_told(packet, "its hop limit ends here"), "DROP", "forwarded", "hop limit")
            return
        name = self.host.way_out(packet[Field.DESTINATION])
        if name == "":
            yield End(_told(packet, "there is no route to it"), "DROP", "forwarded", "no route")
            return
        onward = packet.having((Field.HOPS, packet[Field.HOPS] - 1))
        if name is None:
            onward = _told(onward.having(unknown=(Field.OUT,)), "forwarded")
        else:
            onward = _told(onward.having((Field.OUT, interface(name)[0])), f"forwarded by {name}")
        for end in self._through("FORWARD", onward):
            yield from self._posted(end, "forwarded")

    def _sent_by(self, packet: Carried) -> Carried:
        """Reroute the packet if its destination was translated."""
        to = packet[Field.DESTINATION]
        name = "lo" if self.host.kind(to) == LOCAL else self.host.way_out(to)
        return packet.having((Field.OUT, interface(name)[0])) if name else packet.having(unknown=(Field.OUT,))

    def _posted(self, before: Ended, where: str) -> Iterator[End]:
        if before.verdict != "ACCEPT":
            yield End(before.packet, before.verdict, where)
            return
        leaving = before.packet.having((Field.IN, interface("")[0]))
        for end in self._through("POSTROUTING", leaving):
            yield End(end.packet, end.verdict, where)

    def _nat(self, layer: Layer, here: Hook, packet: Carried) -> Iterator[Ended]:
        """Through a chain of nat, and what its target does to the packet; only first packets traverse it, once."""
        source = here.hook in ("POSTROUTING", "INPUT")
        if not packet.first:
            shown = packet
            if packet.tracked and here.hook == "PREROUTING":
                shown = _told(packet, "translated as the first packet of its connection was")
            yield Ended(shown, "ACCEPT")
            return
        if packet.bound(source=source):
            yield Ended(packet, "ACCEPT")
            return
        for end in self._table(layer, here, packet):
            found = translation(end.target, self.family) if end.target is not None else None
            if end.verdict != "ACCEPT" or found is None:
                yield end
                continue
            for new in self._translated(end.packet, found, here.hook):
                yield Ended(self._sent_by(new) if here.hook == "OUTPUT" else new, "ACCEPT")

    def _translated(self, packet: Carried, to: Translation, hook: str) -> Iterator[Carried]:
        source = hook in ("POSTROUTING", "INPUT")
        where, port = (Field.SOURCE, Field.SOURCE_PORT) if source else (Field.DESTINATION, Field.SERVICE)
        addresses: tuple[int | None, ...] = to.address(packet[where])
        if to.own:
            addresses = (self._own(packet, hook),)
        for address in addresses:
            for number in to.port(packet[port]) if packet.has_ports else (packet[port],):
                yield self._with(packet, where, address, (port, number), source=source)

    def _own(self, packet: Carried, hook: str) -> int | None:
        """The address that REDIRECT or MASQUERADE uses; None if unknown."""
        if hook == "OUTPUT":
            return int.from_bytes((127, 0, 0, 1), "big") if self.family.bits == 32 else 1
        field_, near = (Field.OUT, Field.DESTINATION) if hook == "POSTROUTING" else (Field.IN, Field.DESTINATION)
        return None if field_ in packet.open else self.host.own_at(interface_text(packet[field_]), packet[near])

    def _with(
        self, packet: Carried, where: Field, address: int | None, port: tuple[Field, int], *, source: bool
    ) -> Carried:
        kind_field = Field.SOURCE_TYPE if source else Field.DESTINATION_TYPE
        if address is None:
            new = packet.translated((port,), source=source).having((kind_field, LOCAL), unknown=(where,))
            shown = "an address of this host"
        else:
            new = packet.translated(((where, address), port), source=source)
            kind = self.host.kind(address)
            new = new.having(unknown=(kind_field,)) if kind is None else new.having((kind_field, kind))
            shown = self._shown(address)
        ports = f" port {port[1]}" if packet.has_ports else ""
        return _told(new, f"{'from' if source else 'to'} {shown}{ports} from here on", "nat")

    def _shown(self, address: int) -> str:
        return format_address(self.family, address)


def _told(packet: Carried, text: str, table: str = "") -> Carried:
    return packet.met(TraceStep(table, text))

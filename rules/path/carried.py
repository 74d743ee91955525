"""One packet on its path: its current and original fields, its marks, and the rules it met."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rules.model import Rule
from rules.packets.outcomes import Place
from rules.packets.packet import PORT_PROTOCOLS, Field, is_reply, state_number, tracked
from rules.values.protocols import ICMP, ICMPV6, TCP

_UNTRACKED = state_number("UNTRACKED")
_DNAT, _SNAT = 10, 5
# Valid combinations of TCP flags (tcp_valid_flags in nf_conntrack_proto_tcp.c).
_FIN, _SYN, _RST, _PSH, _ACK, _URG = (1 << bit for bit in range(6))
_SOUND = (_SYN, _SYN | _URG, _SYN | _ACK, _RST, _RST | _ACK, _FIN | _ACK, _FIN | _ACK | _URG, _ACK, _ACK | _URG)
_REQUESTS = {ICMP: (8, 13, 15, 17), ICMPV6: (128, 139)}
_NEVER_TRACKED = (130, 131, 132, 133, 134, 135, 136, 143)


@dataclass(frozen=True, slots=True)
class TraceStep:
    """A rule that a packet met, or what the kernel did between two tables. ``sure``: the rule certainly matches."""

    table: str
    text: str
    place: Place | None = None
    rule: Rule | None = None
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Carried:
    """``point``: the current fields; ``came``: the original ones. ``open``: unknown fields, such as OUT.

    ``kept``: the mark of its connection.
    """

    point: tuple[int, ...]
    came: tuple[int, ...]
    mark: int = 0
    kept: int = 0
    open: frozenset[Field] = frozenset()
    steps: tuple[TraceStep, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """Everything except the path it took."""
        return self.point, self.came, self.mark, self.kept, self.open

    def __getitem__(self, field: Field) -> int:
        return self.point[field]

    @property
    def tracked(self) -> bool:
        """Whether it belongs to a connection."""
        return tracked(self[Field.STATE])

    @property
    def first(self) -> bool:
        """Whether it is the first of its connection; only those traverse nat."""
        return self.tracked and self[Field.STATE] % 5 == 1 and not is_reply(self[Field.STATE])

    @property
    def has_ports(self) -> bool:
        """Whether its protocol has ports."""
        return self[Field.PROTOCOL] in PORT_PROTOCOLS

    def having(self, *known: tuple[Field, int], unknown: tuple[Field, ...] = ()) -> Carried:
        """This packet with other values of fields, which are then known."""
        point = list(self.point)
        for field, value in known:
            point[field] = value
        still = (self.open - {field for field, _ in known}) | frozenset(unknown)
        return replace(self, point=tuple(point), open=still)

    def met(self, step: TraceStep) -> Carried:
        """This packet after one more step."""
        return replace(self, steps=(*self.steps, step))

    def bound(self, *, source: bool) -> bool:
        """Whether its destination, or source, has been translated; that happens only once."""
        return bool(self[Field.STATE] // (_SNAT if source else _DNAT) % 2)

    def untracked(self) -> Carried:
        """This packet, exempt from connection tracking."""
        return self.having((Field.STATE, _UNTRACKED))

    def translated(self, fields: tuple[tuple[Field, int], ...], *, source: bool) -> Carried:
        """This packet with another destination or source; conntrack records it only if it really differs."""
        if all(self[field] == value and field not in self.open for field, value in fields):
            return self
        bit, state = _SNAT if source else _DNAT, self[Field.STATE]
        return self.having(*fields, (Field.STATE, state if state // bit % 2 else state + bit))


def first_state(point: tuple[int, ...]) -> int:
    """The state that conntrack gives the first packet that it sees of a connection."""
    protocol, service = point[Field.PROTOCOL], point[Field.SERVICE]
    if protocol == ICMPV6 and service // 256 in _NEVER_TRACKED:
        return _UNTRACKED
    if protocol in _REQUESTS and service // 256 not in _REQUESTS[protocol]:
        return state_number("INVALID")
    if protocol == TCP:
        flags = point[Field.FLAGS] & ~_PSH
        begins = flags in _SOUND and not flags & (_RST | _FIN) and flags & (_SYN | _ACK) != _SYN | _ACK
        return state_number("NEW" if begins else "INVALID")
    return state_number("NEW")

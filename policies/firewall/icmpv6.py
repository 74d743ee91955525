"""ICMPv6 messages without which IPv6 does not work (RFC 4890, 4.4.1), in the states that conntrack gives them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from policies.firewall.declared import WAIVED_MATCHES, arriving, in_doubt, ruleset_policy, sends
from policies.firewall.replies import everybody
from policies.settings import PolicySettings, numbers
from rules.analysis.outside import ON_LINK
from rules.analysis.reachability import Analysis, PacketSet
from rules.packets.packet import Field
from rules.packets.sources import networks
from rules.values.family import Family
from rules.values.intervals import Intervals
from rules.values.protocols import ICMPV6


@dataclass(frozen=True)
class _Kind:
    """A message as it arrives.

    ``local``: from a link-local address with this hop limit; all of these must be accepted.
    """

    name: str
    state: str
    local: int = 0
    reply: bool = False

    def packets(self, analysis: Analysis, number: int) -> PacketSet:
        fields: dict[Field, Intervals] = {
            Field.PROTOCOL: ((ICMPV6, ICMPV6),),
            Field.SERVICE: ((number * 256, number * 256),),
        }
        if self.local:
            fields |= {Field.SOURCE: networks(("fe80::/10",)), Field.HOPS: ((self.local, self.local),)}
        return arriving(analysis, self.state, fields, reply=self.reply)


# Neighbour and listener discovery is never tracked: no rule for NEW matches it (nf_conntrack_proto_icmpv6.c).
_KINDS = {
    1: _Kind("destination-unreachable", "RELATED"),
    2: _Kind("packet-too-big", "RELATED"),
    3: _Kind("time-exceeded", "RELATED"),
    4: _Kind("parameter-problem", "RELATED"),
    128: _Kind("echo-request", "NEW"),
    129: _Kind("echo-reply", "ESTABLISHED", reply=True),
    130: _Kind("listener query", "UNTRACKED", 1),
    134: _Kind("router-advertisement", "UNTRACKED", ON_LINK),
    135: _Kind("neighbour-solicitation", "UNTRACKED", ON_LINK),
    136: _Kind("neighbour-advertisement", "UNTRACKED", ON_LINK),
}
TYPES = numbers("types", "The ICMPv6 types that must get in.", tuple(_KINDS))


def _check(analysis: Analysis, settings: PolicySettings) -> Iterable[str]:
    if not sends(analysis):
        return
    accepted = analysis.accepted()
    lost, unclear = [], []
    for number in settings.numbers(TYPES.name):
        kind = _KINDS.get(number)
        if kind is None:
            known = ", ".join(map(str, _KINDS))
            yield f"the policy configuration is wrong: icmpv6-accepted: types: {number} is none of {known}"
        elif _misses(kind, kind.packets(analysis, number) - accepted.upper):
            lost.append((number, kind))
        elif _misses(kind, kind.packets(analysis, number) - accepted.lower):
            unclear.append((number, kind))
    if lost:
        names = ", ".join(f"{kind.name} ({number})" for number, kind in lost)
        why = "Neighbours cannot find the host: IPv6 stops working. " if {135, 136} & {n for n, _ in lost} else ""
        yield (
            f"ICMPv6 {names} does not get in. {why}Accept these types without a state match (tracking leaves them "
            f"out), as `-A INPUT -p icmpv6 --icmpv6-type {lost[-1][0]} -j ACCEPT`, above the rule that denies."
        )
    if unclear:
        names = ", ".join(f"{kind.name} ({number})" for number, kind in unclear)
        yield from in_doubt(f"whether ICMPv6 {names} gets in", analysis, settings)


def _misses(kind: _Kind, refused: PacketSet) -> bool:
    return bool(refused) if kind.local else everybody(refused)


POLICIES = [
    ruleset_policy(
        "icmpv6-accepted",
        "The ICMPv6 types that IPv6 needs get in (RFC 4890).",
        _check,
        TYPES,
        WAIVED_MATCHES,
        families=[Family.IPV6],
    )
]

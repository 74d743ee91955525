"""Packets of open connections are accepted: replies, and errors about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from policies.firewall.declared import WAIVED_MATCHES, arriving, in_doubt, ruleset_policy, sends, sources
from policies.settings import PolicySettings
from rules.analysis.default_deny import OpenLimits
from rules.analysis.reachability import Analysis, PacketSet
from rules.packets.packet import Field, tops
from rules.values.family import Family
from rules.values.intervals import common, complement
from rules.values.protocols import ICMP, TCP, UDP

# The ports from which Linux opens connections (net.ipv4.ip_local_port_range).
_LOCAL_PORTS = (32768, 60999)
_ERRORS = ((3 * 256, 3 * 256 + 255), (11 * 256, 11 * 256 + 255))
_MENDING = "Add `-A INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT` above the rule that denies."


def _wanted(analysis: Analysis) -> Iterator[tuple[str, PacketSet]]:
    for protocol, name in ((TCP, "TCP"), (UDP, "UDP")):
        fields = {Field.PROTOCOL: ((protocol, protocol),), Field.SERVICE: (_LOCAL_PORTS,)}
        yield f"answers on {name}", arriving(analysis, "ESTABLISHED", fields, reply=True)
    if analysis.family is Family.IPV4:  # for ICMPv6 errors see icmpv6-accepted
        errors = {Field.PROTOCOL: ((ICMP, ICMP),), Field.SERVICE: _ERRORS}
        yield "ICMP errors about open connections", arriving(analysis, "RELATED", errors)


def _check(analysis: Analysis, settings: PolicySettings) -> Iterable[str]:
    """A blocked source is not a violation, as long as others get through."""
    if not sends(analysis):
        return
    accepted = analysis.accepted()
    lost = [name for name, wanted in _wanted(analysis) if everybody(wanted - accepted.upper)]
    unclear = [name for name, wanted in _wanted(analysis) if everybody(wanted - accepted.lower) and name not in lost]
    if lost:
        yield f"{', '.join(lost)} do not get in: connections that the host opens hang. {_MENDING}"
    if unclear:
        yield from in_doubt(f"whether {', '.join(unclear)} get in", analysis, settings)


def everybody(refused: PacketSet) -> bool:
    """Whether a set contains some packet of each public source."""
    public = OpenLimits().public(refused.family)
    return not common(complement(sources(refused), tops(refused.family)[Field.SOURCE]), public)


POLICIES = [
    ruleset_policy(
        "replies-accepted",
        "Replies on open connections, and errors about them, get in.",
        _check,
        WAIVED_MATCHES,
    )
]

"""Packets that spoof the host's own addresses are denied."""

from __future__ import annotations

from collections.abc import Iterable

from policies.firewall.declared import WAIVED_MATCHES, from_outside, in_doubt, packets, ruleset_policy
from policies.settings import PolicySettings
from rules.analysis.reachability import Analysis
from rules.packets.packet import Field
from rules.packets.sources import networks
from rules.values.family import Family

_LOOPBACK = {Family.IPV4: "127.0.0.0/8", Family.IPV6: "::1/128"}


def _check(analysis: Analysis, settings: PolicySettings) -> Iterable[str]:
    loopback = _LOOPBACK[analysis.family]
    spoofed = from_outside(analysis) & packets(analysis, {Field.SOURCE: networks((loopback,))})
    accepted = analysis.accepted()
    if spoofed & accepted.lower:
        yield (
            f"packets that come from another interface than lo and say they come from {loopback} are accepted. "
            f"Add `-A INPUT ! -i lo -s {loopback} -j REJECT` above the rules that accept."
        )
    elif spoofed & accepted.upper:
        yield from in_doubt(f"whether packets are refused that only say they come from {loopback}", analysis, settings)


POLICIES = [
    ruleset_policy(
        "loopback-spoofing-refused",
        "Packets from outside that claim a loopback address are refused.",
        _check,
        WAIVED_MATCHES,
    )
]

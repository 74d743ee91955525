"""The meaning of default-deny: who may not reach everything."""

from __future__ import annotations

from dataclasses import dataclass

from rules.diagrams import Diagrams, Node
from rules.family import Family
from rules.intervals import Intervals, common, complement, normal
from rules.packets import Field, tops
from rules.protocols import TCP, UDP
from rules.reachability_reach import reaching_all, reaching_any_of_each, served, sources_of
from rules.reachability_sources import addresses, impossible, networks

_PRIVATE = (
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
    "::1/128",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Up to where a source may reach everything without the chain being open to the public.

    ``ipv4_addresses``: so many addresses in a row. ``ipv6_prefix``: only ranges smaller than a network of this prefix
    length. ``private``: networks, in CIDR notation, that may reach everything: by default RFC 1918, RFC 4193 (ULA),
    loopback and link-local addresses.
    """

    ipv4_addresses: int = 256
    ipv6_prefix: int = 64
    private: tuple[str, ...] = _PRIVATE

    def width(self, family: Family) -> int:
        """The most addresses in a row that may reach everything."""
        return self.ipv4_addresses if family is Family.IPV4 else (1 << (128 - self.ipv6_prefix)) - 1

    def public(self, family: Family) -> Intervals:
        """The addresses that count. Raises :class:`ValueError` for a private network that is none."""
        own = tuple(text for text in self.private if (":" in text) == (family is Family.IPV6))
        away = normal((*networks(own), *impossible(family)))
        return common(complement(away, tops(family)[Field.SOURCE]), addresses(family))


def open_to(store: Diagrams, reached: Node, family: Family, limits: Limits) -> Intervals:
    """The ranges of public sources, wider than allowed, that reach all of TCP, all of UDP or every protocol."""
    everything = (
        reaching_all(store, reached, TCP, served),
        reaching_all(store, reached, UDP, served),
        reaching_any_of_each(store, reached),
    )
    public = limits.public(family)
    found = [
        interval
        for sources in everything
        for interval in common(sources_of(store, sources), public)
        if interval[1] - interval[0] + 1 > limits.width(family)
    ]
    return normal(found)

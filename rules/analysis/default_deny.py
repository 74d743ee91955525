"""What default-deny means here: only few public sources reach most services.

Rules that accept nearly everything are default-allow with exceptions, whatever the chain's policy: all ports but one,
all protocols but one, all sources but a few.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from rules.model import Match, Table
from rules.packets.diagrams import Diagrams, Node
from rules.packets.field_sets import FieldSets
from rules.packets.operations import binary
from rules.packets.packet import Field, tops
from rules.packets.sources import SourceWords, addresses, impossible, networks
from rules.values.family import Family
from rules.values.intervals import Intervals, common, complement, normal
from rules.values.protocols import TCP, UDP

# The number of ranges of the allowed size that may reach most services.
_RANGES = 256
# More protocols than this are most of them: a default-deny ruleset accepts a handful.
_PROTOCOLS = 128
# Matches that test whether a packet is on a list.
_LISTS = ("set", "recent", "mac", "geoip", "asn", "string")
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
class OpenLimits:
    """How much a source range may reach before the chain counts as open to the public.

    ``ipv4_addresses``: this many consecutive addresses, and 256 times as many in total. ``ipv6_prefix``: only ranges
    smaller than a network of this prefix length. ``ports``: a source that reaches more TCP ports, or more UDP ports,
    than this counts as reaching everything. ``private``: networks, in CIDR notation, that may reach everything; by
    default RFC 1918, RFC 4193 (ULA), loopback and link-local addresses.
    """

    ipv4_addresses: int = 256
    ipv6_prefix: int = 64
    ports: int = 32_768
    private: tuple[str, ...] = _PRIVATE

    def width(self, family: Family) -> int:
        """The most consecutive addresses that may reach everything."""
        return self.ipv4_addresses if family is Family.IPV4 else (1 << (128 - self.ipv6_prefix)) - 1

    def public(self, family: Family) -> Intervals:
        """The public addresses. Raises :class:`ValueError` for an invalid private network."""
        own = tuple(text for text in self.private if (":" in text) == (family is Family.IPV6))
        away = normal((*networks(own), *impossible(family)))
        return common(complement(away, tops(family)[Field.SOURCE]), addresses(family))


def without_exceptions(table: Table) -> Table:
    """The table as if every list that rules exclude were empty (``! --match-set blocklist src -j ACCEPT``).

    Only the kernel knows the members of such a list, but it is a list of exceptions.
    """
    chains = (
        replace(
            chain,
            rules=tuple(
                replace(rule, matches=tuple(match for match in rule.matches if not _leaves_out(match)))
                for rule in chain.rules
            ),
        )
        for chain in table.chains
    )
    return replace(table, chains=tuple(chains))


def _leaves_out(match: Match) -> bool:
    if match.name not in _LISTS:
        return False
    return match.tokens[:1] == ("!",) if match.opaque else any(option.negated for option in match.options)


def open_to(store: Diagrams, reached: Node, family: Family, limits: OpenLimits) -> tuple[str, ...]:
    """What too many public sources reach, in words: ``more than 32768 TCP ports from anywhere``."""
    public = store.box({int(Field.SOURCE): limits.public(family)}, store.all, store.none)
    sets, width = FieldSets(store, Field.SOURCE), limits.width(family)
    found = []
    for what, sources in _most(store, reached, limits):
        those = store.both(sources, public)
        count = sets.count(those)
        if count.longest > width or count.values > _RANGES * width:
            labels = SourceWords(store, family).labels(sources if count.longest > width else those, briefly=True)
            found += [f"{what} from {label.text}" for label in labels]
    return tuple(found)


def _most(store: Diagrams, reached: Node, limits: OpenLimits) -> Iterator[tuple[str, Node]]:
    """The sources that reach most TCP ports, most UDP ports, or anything in most protocols."""
    kinds: list[tuple[int, Node]] = []
    for first, last, services in store.spans(reached, Field.PROTOCOL):
        spans = list(store.spans(services, Field.SERVICE))
        for protocol, name in ((TCP, "TCP"), (UDP, "UDP")):
            if first <= protocol <= last:
                # No service can listen on port 0.
                ports = ((end - max(start, 1) + 1, sources) for start, end, sources in spans if end)
                yield f"more than {limits.ports} {name} ports", _beyond(store, ports, limits.ports)
        kinds.append((last - first + 1, store.union(sorted({sources for _, _, sources in spans}))))
    yield f"more than {_PROTOCOLS} protocols", _beyond(store, kinds, _PROTOCOLS)


def _beyond(store: Diagrams, parts: Iterable[tuple[int, Node]], limit: int) -> Node:
    """The sources in sets whose weights add up to more than a limit."""
    weights: dict[Node, int] = {}
    for weight, sources in parts:
        if sources != store.none:
            weights[sources] = weights.get(sources, 0) + weight
    if sum(weights.values()) <= limit:
        return store.none
    nothing = _weight(store, 0)

    def plain(one: Node, other: Node) -> Node | None:
        if nothing in (one, other):
            return other if one == nothing else one
        if not (store.is_leaf(one) and store.is_leaf(other)):
            return None
        return _weight(store, min(_weighs(store, one) + _weighs(store, other), limit + 1))

    add = binary(store, plain)
    sums = [_weighted(store, sources, min(weight, limit + 1)) for sources, weight in sorted(weights.items())]
    while len(sums) > 1:
        sums = [add(*sums[at : at + 2]) if at + 1 < len(sums) else sums[at] for at in range(0, len(sums), 2)]
    return store.map(sums[0], lambda leaf: store.leaf(_weighs(store, leaf) > limit))


def _weighted(store: Diagrams, sources: Node, weight: int) -> Node:
    return store.map(sources, lambda leaf: _weight(store, weight if leaf == store.all else 0))


def _weight(store: Diagrams, weight: int) -> Node:
    return store.leaf(("weight", weight))


def _weighs(store: Diagrams, leaf: Node) -> int:
    value = store.value(leaf)
    return value[1] if isinstance(value, tuple) else 0

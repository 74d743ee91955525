"""Sets of sources in words: networks, ranges, host names, or anywhere but a few."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from rules.family import Family
from rules.intervals import Intervals, common, complement, contains, normal
from rules.packets import Field, address_text, tops
from rules.values import format_address

# As many exceptions are named; more are counted.
_NAMED_EXCEPTIONS = 8
# More networks than this in a row of addresses are written first-last.
_NETWORKS = 2
_NEVER = {Family.IPV4: ("127.0.0.0/8", "224.0.0.0/3"), Family.IPV6: ("::1/128", "ff00::/8")}
_NOBODY = {Family.IPV4: ("0.0.0.0/8",), Family.IPV6: ("::/128",)}


@dataclass(frozen=True, slots=True, order=True)
class Label:
    """A source in words. Labels sort: anywhere first, then by address, then names."""

    order: tuple[int, int, int]
    text: str


def networks(texts: tuple[str, ...]) -> Intervals:
    """The addresses of networks in CIDR notation. Raises :class:`ValueError` for anything else."""
    found = [ipaddress.ip_network(text) for text in texts]
    return normal((int(network.network_address), int(network.broadcast_address)) for network in found)


def impossible(family: Family) -> Intervals:
    """Addresses that nobody outside has as a source: loopback, multicast, reserved."""
    return networks(_NEVER[family])


def addresses(family: Family) -> Intervals:
    """All addresses, without host names."""
    return ((0, (1 << family.bits) - 1),)


def labels(sources: Intervals, family: Family) -> tuple[Label, ...]:
    """A set of sources in words, nothing for sources that cannot be."""
    top = tops(family)[Field.SOURCE]
    nobody = normal((*impossible(family), *networks(_NOBODY[family])))
    missing = common(complement(sources, top), complement(nobody, top))
    if contains(sources, top) or not common(missing, addresses(family)):
        return (_anywhere(missing if contains(sources, top) else (), family),)
    real = common(sources, complement(impossible(family), top))
    return tuple(Label((1, *interval), text) for interval in real for text in _texts(interval, family))


def _anywhere(missing: Intervals, family: Family) -> Label:
    if not missing:
        return Label((0, 0, 0), "anywhere")
    texts = [text for interval in missing for text in _texts(interval, family)]
    if len(texts) <= _NAMED_EXCEPTIONS:
        return Label((0, *missing[0]), f"anywhere but {', '.join(texts)}")
    count = sum(last - first + 1 for first, last in common(missing, addresses(family)))
    return Label((0, *missing[0]), f"anywhere but {count} addresses in {len(missing)} ranges")


def _texts(interval: tuple[int, int], family: Family) -> list[str]:
    """One interval: a few networks, a range, or a host name."""
    first, last = interval
    if first >= 1 << family.bits:
        return [address_text(first, family)]
    found = _cidr(first, last, family)
    if len(found) > _NETWORKS:
        return [f"{format_address(family, first)}-{format_address(family, last)}"]
    return [format_address(family, start) + ("" if prefix == family.bits else f"/{prefix}") for start, prefix in found]


def _cidr(first: int, last: int, family: Family) -> list[tuple[int, int]]:
    """An interval as networks: address and prefix length."""
    found = []
    while first <= last:
        free = (first & -first).bit_length() - 1 if first else family.bits
        free = min(free, (last - first + 1).bit_length() - 1)
        found.append((first, family.bits - free))
        first += 1 << free
    return found

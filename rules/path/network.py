"""A host's addresses and routes, as data: whether a packet is for the host itself, and where it leaves otherwise."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface, ip_network
from itertools import pairwise

from rules.values.family import Family
from rules.values.intervals import Intervals, common, complement, normal
from rules.values.typed import format_address

# The kernel's address types (RTN_*, linux/rtnetlink.h).
UNICAST, LOCAL, BROADCAST, MULTICAST = 1, 2, 3, 5
_LOOPBACK = {Family.IPV4: ip_network("127.0.0.0/8"), Family.IPV6: ip_network("::1/128")}
_MULTICAST = {Family.IPV4: ip_network("224.0.0.0/4"), Family.IPV6: ip_network("ff00::/8")}
_LINK_LOCAL = ip_network("fe80::/10")
# Types of routes that deliver no packets.
_DEAD_ENDS = ("blackhole", "unreachable", "prohibit", "throw")
_OTHER_ROUTES = ("local", "broadcast", "anycast", "multicast")
# With more routes than this, the addresses behind each interface are not computed.
_MOST_ROUTES = 500
_KIND = {Family.IPV4: "inet", Family.IPV6: "inet6"}


@dataclass(frozen=True, slots=True, order=True)
class OwnAddress:
    """An address of the host, with the prefix length of its network."""

    interface: str
    address: int
    prefix: int


@dataclass(frozen=True, slots=True)
class Route:
    """A route to a network; one without an ``interface`` delivers nothing."""

    address: int
    prefix: int
    interface: str
    metric: int = 0


@dataclass(frozen=True, slots=True)
class HostNetwork:
    """What is known of a host's network in one family; empty if its addresses are unknown.

    ``forwards``: whether it forwards at all; None if unknown. Routes are those of the main table.
    """

    family: Family
    addresses: tuple[OwnAddress, ...] = ()
    routes: tuple[Route, ...] = ()
    forwards: bool | None = None

    @property
    def known(self) -> bool:
        """Whether the host's addresses are known."""
        return bool(self.addresses)

    def local(self) -> Intervals:
        """The host's own addresses, including loopback addresses."""
        loopback = _LOOPBACK[self.family]
        own = ((one.address, one.address) for one in self.addresses)
        return normal((*own, (int(loopback[0]), int(loopback[-1]))))

    def broadcasts(self) -> Intervals:
        """The broadcast addresses."""
        if self.family is Family.IPV6:
            return ()
        own = (one.address | (1 << 32 - one.prefix) - 1 for one in self.addresses if one.prefix < 31)
        return normal((one, one) for one in (*own, (1 << 32) - 1))

    def multicasts(self) -> Intervals:
        """The multicast addresses."""
        groups = _MULTICAST[self.family]
        return ((int(groups[0]), int(groups[-1])),)

    def kind(self, address: int) -> int | None:
        """The type of an address (RTN_*); None if unknown."""
        found = (
            (self.multicasts(), MULTICAST),
            (self.local(), LOCAL),
            (self.broadcasts(), BROADCAST),
        )
        for intervals, kind in found:
            if any(first <= address <= last for first, last in intervals):
                return kind
        return UNICAST if self.known else None

    def way_out(self, address: int) -> str | None:
        """The interface by which packets to an address leave: empty for none, None if unknown."""
        if not self.routes:
            return None
        bits = self.family.bits
        fitting = [one for one in self.routes if one.prefix == 0 or (address ^ one.address) >> bits - one.prefix == 0]
        best = min(fitting, key=lambda one: (-one.prefix, one.metric), default=None)
        return best.interface if best is not None else ""

    def ways_out(self) -> dict[str, Intervals] | None:
        """The addresses to which packets leave by each interface; None if unknown or too expensive to compute."""
        if not 0 < len(self.routes) <= _MOST_ROUTES:
            return None
        found: dict[str, Intervals] = {}
        covered: Intervals = ()
        for one in sorted(self.routes, key=lambda one: (-one.prefix, one.metric)):
            first = one.address
            mine: Intervals = ((first, first | (1 << self.family.bits - one.prefix) - 1),)
            rest = common(mine, complement(covered, (1 << self.family.bits) - 1))
            found[one.interface] = normal((*found.get(one.interface, ()), *rest))
            covered = normal((*covered, *mine))
        found.pop("", None)
        return found

    def own_at(self, interface: str, near: int | None = None) -> int | None:
        """The first address of an interface; in IPv6, one of the same scope as ``near`` if possible."""
        found = [one.address for one in self.addresses if one.interface == interface]
        if self.family is Family.IPV6 and near is not None:
            found = [one for one in found if _on_link(one) == _on_link(near)] or found
        return found[0] if found else None

    def shown(self) -> str:
        """The host's addresses on one line."""
        return ", ".join(f"{format_address(self.family, one.address)} ({one.interface})" for one in self.addresses)


def _on_link(address: int) -> bool:
    return address in range(int(_LINK_LOCAL[0]), int(_LINK_LOCAL[-1]) + 1)


def read_network(family: Family, addresses: str, routes: str = "", forwards: str = "") -> HostNetwork:
    """Parse the output of ``ip addr`` and ``ip route``, as JSON (``-j``) or as text, and /proc's ``ip_forward``.

    What cannot be parsed is left out: this is output of a host.
    """
    return HostNetwork(
        family,
        tuple(dict.fromkeys((_json_addresses if _is_json(addresses) else _plain_addresses)(addresses, family))),
        () if _several(routes) else tuple(dict.fromkeys(_routes(routes, family))),
        {"0": False, "1": True}.get(forwards.strip()),
    )


def _is_json(text: str) -> bool:
    return text.lstrip().startswith("[")


def _entries(text: str) -> list[dict[str, object]]:
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _json_addresses(text: str, family: Family) -> Iterator[OwnAddress]:
    for entry in _entries(text):
        infos = entry.get("addr_info")
        for info in infos if isinstance(infos, list) else ():
            if isinstance(info, dict) and info.get("family") == _KIND[family]:
                yield from _address(
                    str(entry.get("ifname", "")), f"{info.get('local')}/{info.get('prefixlen')}", family
                )


def _address(interface: str, text: str, family: Family) -> Iterator[OwnAddress]:
    try:
        found = ip_interface(text)
    except ValueError:
        return
    if found.version == (4 if family is Family.IPV4 else 6):
        yield OwnAddress(interface.partition("@")[0], int(found.ip), found.network.prefixlen)


_LINK = re.compile(r"^\d+:\s+(\S+?)(?:@\S+)?(?::|\s)", re.ASCII)


def _plain_addresses(text: str, family: Family) -> Iterator[OwnAddress]:
    interface = ""
    for line in text.split("\n"):
        link = _LINK.match(line)
        interface = link[1] if link else interface
        found = re.search(rf"\s{_KIND[family]}\s+(\S+)(?:\s+peer\s+\S+)?", line)
        if found:
            own = found[1] if "/" in found[1] else f"{found[1]}/{family.bits}"
            yield from _address(interface, own, family)


def _routes(text: str, family: Family) -> Iterator[Route]:
    return (_json_routes if _is_json(text) else _plain_routes)(text, family)


def _several(text: str) -> bool:
    """Whether a route uses one of several interfaces; which one cannot be predicted."""
    if _is_json(text):
        hops = [entry.get("nexthops") for entry in _entries(text)]
        devices = [{hop.get("dev") for hop in some if isinstance(hop, dict)} for some in hops if isinstance(some, list)]
    else:
        devices = [set(re.findall(r"\sdev (\S+)", block)) for block in re.split(r"\n(?!\s)", text)]
    return any(len(some) > 1 for some in devices)


def _json_routes(text: str, family: Family) -> Iterator[Route]:
    for entry in _entries(text):
        kind = str(entry.get("type", "unicast"))
        hops = entry.get("nexthops")
        first = hops[0] if isinstance(hops, list) and hops and isinstance(hops[0], dict) else {}
        device = str(entry.get("dev") or first.get("dev") or "")
        metric = entry.get("metric", 0)
        yield from _route(kind, str(entry.get("dst", "")), device, metric if isinstance(metric, int) else 0, family)


def _plain_routes(text: str, family: Family) -> Iterator[Route]:
    for block in re.split(r"\n(?!\s)", text):  # a route and its next hops
        words = block.split()
        if not words:
            continue
        kind = words.pop(0) if words[0] in (*_DEAD_ENDS, *_OTHER_ROUTES, "unicast") else "unicast"
        named = dict(pairwise(words))
        metric = named.get("metric", "0")
        if words:
            yield from _route(kind, words[0], named.get("dev", ""), int(metric) if metric.isdecimal() else 0, family)


def _route(kind: str, destination: str, device: str, metric: int, family: Family) -> Iterator[Route]:
    if kind in _OTHER_ROUTES:
        return
    try:
        found = (
            ip_network("0.0.0.0/0" if family is Family.IPV4 else "::/0")
            if destination == "default"
            else ip_network(destination, strict=False)
        )
    except ValueError:
        return
    if found.version == (4 if family is Family.IPV4 else 6):
        yield Route(int(found.network_address), found.prefixlen, "" if kind in _DEAD_ENDS else device, metric)


def is_loopback(address: int, family: Family) -> bool:
    """Whether an address is a loopback address: it is never routed from or to the outside."""
    return ip_address(format_address(family, address)) in _LOOPBACK[family]

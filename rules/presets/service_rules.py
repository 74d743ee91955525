"""A reachable service as rules of the INPUT chain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_network

from rules.errors import ExpectedError
from rules.language.parse import parse_rule
from rules.model import Rule
from rules.options.extensions import quote
from rules.values.family import Family
from rules.values.icmp import read_icmp_type
from rules.values.ports import MULTIPORT_LIMIT

WITH_TYPES = ("icmp", "icmpv6")
WITH_PORTS = ("tcp", "udp", "sctp", "dccp", "udplite")
ACTIONS = ("ACCEPT", "DROP", "REJECT")


@dataclass(frozen=True, slots=True)
class Service:
    """Who may reach which ports.

    ``ports``: numbers, ranges (``"6000:6010"``) or names (``"https"``); required for protocols that have ports, and
    invalid for others. ``protocol``: a name that ``-p`` accepts; ``icmp`` means ICMPv6 in an IPv6 ruleset. ``sources``:
    addresses, networks or host names, of either family; empty for anyone. ``comment``: kept in the rules, at most 255
    bytes. ``position``: rule number in INPUT, from 1; after the web ports if None. ``action``: one of :data:`ACTIONS`.

    Raises :class:`ValueError` for ports without a protocol that has them, a protocol without its ports, unknown ICMP
    types, and an invalid action or position.
    """

    name: str = ""
    ports: tuple[int | str, ...] = ()
    protocol: str = "tcp"
    sources: tuple[str, ...] = ()
    comment: str | None = None
    position: int | None = None
    action: str = "ACCEPT"
    types: tuple[int | str, ...] = ()

    def __post_init__(self) -> None:
        label = f"service {self.name}" if self.name else "a service"
        if self.protocol in WITH_PORTS and not self.ports:
            raise ValueError(f"{label}: {self.protocol} needs ports")
        if self.ports and self.protocol not in WITH_PORTS:
            instead = "; its types are `types`" if self.protocol in WITH_TYPES else ""
            raise ValueError(f"{label}: {self.protocol} has no ports{instead}")
        if self.types and self.protocol not in WITH_TYPES:
            raise ValueError(f"{label}: {self.protocol} has no types, icmp has")
        for kind in map(str, self.types):
            if not any(_known(kind, self.protocol, family) for family in Family):
                try:
                    read_icmp_type(kind, Family.IPV6 if self.protocol == "icmpv6" else Family.IPV4)
                except ExpectedError as error:
                    raise ValueError(f"{label}: type {kind}: {error}") from None
        if self.action not in ACTIONS:
            raise ValueError(f"{label}: {self.action} is none of {', '.join(ACTIONS)}")
        if self.position is not None and self.position < 1:
            raise ValueError(f"{label}: positions count from 1")


def service_rules(service: Service, family: Family) -> tuple[Rule, ...]:
    """The rules of a service for one family: one per source and per 15 ports or ICMP type.

    Empty if all its sources, its types or its protocol are of the other family.

    Only NEW connections match, as in the guide. ICMP is matched without state, because conntrack leaves neighbour
    discovery untracked. Raises :class:`rules.errors.RuleSyntaxError` for an invalid port or source.
    """
    sources = sources_of(service.sources, family)
    return tuple(
        _rule(service, family, source, what)
        for source in sources
        for what in (_groups(service.ports) if service.ports else _types(service, family))
    )


def _types(service: Service, family: Family) -> tuple[str, ...]:
    """The ICMP types of a family, without duplicates; an empty string if types are not distinguished."""
    if service.protocol == "icmpv6" and family is Family.IPV4:
        return ()
    if not service.types:
        return ("",)
    return tuple(dict.fromkeys(kind for kind in map(str, service.types) if _known(kind, service.protocol, family)))


def _known(kind: str, protocol: str, family: Family) -> bool:
    """Whether the family has this type."""
    if protocol == "icmpv6" and family is Family.IPV4:
        return False
    if kind[:1].isdecimal() and protocol == "icmp" and family is Family.IPV6:
        return False
    try:
        read_icmp_type(kind, family)
    except ExpectedError:
        return False
    return True


def sources_of(sources: Sequence[str], family: Family) -> tuple[str, ...]:
    """The sources that are not of the other family; an empty string, for anyone, if none are given."""
    if not sources:
        return ("",)
    return tuple(source for source in sources if not _of_other_family(source, family))


def _of_other_family(source: str, family: Family) -> bool:
    try:
        version = ip_network(source, strict=False).version
    except ValueError:
        return ":" in source if family is Family.IPV4 else False
    return version != (4 if family is Family.IPV4 else 6)


def _groups(ports: Sequence[int | str]) -> Iterator[str]:
    """Split ports into lists that multiport accepts, where a range counts twice."""
    group: list[str] = []
    weight = 0
    for port in map(str, ports):
        cost = 2 if ":" in port else 1
        if weight + cost > MULTIPORT_LIMIT:
            yield ",".join(group)
            group, weight = [], 0
        group.append(port)
        weight += cost
    yield ",".join(group)


def _rule(service: Service, family: Family, source: str, what: str) -> Rule:
    """``what``: ports, or an ICMP type."""
    protocol = "icmpv6" if service.protocol == "icmp" and family is Family.IPV6 else service.protocol
    words = ["-A INPUT"]
    words += [f"-s {quote(source)}"] if source else []
    words.append(f"-p {quote(protocol)}")
    if service.protocol in WITH_TYPES:
        words += [f"--{protocol}-type {quote(what)}"] if what else []
    elif "," in what or service.protocol == "udplite":
        words.append(f"-m multiport --dports {quote(what)}")
    elif what:
        words.append(f"--dport {quote(what)}")
    words += [] if service.protocol.startswith("icmp") else ["-m state --state NEW"]
    words += [f"-m comment --comment {quote(service.comment)}"] if service.comment else []
    words.append(f"-j {service.action}")
    return parse_rule(" ".join(words), family)

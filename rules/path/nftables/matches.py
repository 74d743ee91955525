"""Translates nftables expressions to iptables' terms; those without an equivalent raise :class:`Unreadable`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from rules.model import Match, Option, Target
from rules.path.sets import Members
from rules.values.family import Family
from rules.values.icmp import read_icmp_type
from rules.values.intervals import Intervals, normal
from rules.values.protocols import protocol_number
from rules.values.service_names import SERVICES
from rules.values.typed import KeywordList, MarkChange, Masked, Pair, PortList, Protocol, Range, Rate

_PASSING = ("counter", "log", "comment", "last")
_STATES = ("invalid", "new", "related", "established", "untracked")
_TRANSPORT = ("tcp", "udp", "sctp", "dccp", "udplite")
_KINDS = ("unicast", "broadcast", "multicast")
_FULL = 0xFFFFFFFF
Choice = tuple[Match, ...]


class Unreadable(Exception):  # noqa: N818 -- it is caught right where it is raised
    """An expression has no equivalent in iptables' terms."""


class Reader:
    """Reads the expressions of one table. ``sets``: the named and anonymous sets that its rules refer to."""

    def __init__(self, title: str, family: Family, named: Mapping[str, Mapping[str, Any]]) -> None:
        self.sets: dict[str, Members] = {}
        self._title = title
        self._family = family
        self._named = named
        self._ip = "ip" if family is Family.IPV4 else "ip6"

    def choices(self, kind: str, value: Any) -> list[Choice]:
        """The alternatives for an expression: none, one, or several of which any may match."""
        if kind in _PASSING:
            return [()]
        if kind == "match" and isinstance(value, dict):
            return self._match(value.get("left"), str(value.get("op", "==")), value.get("right"))
        if kind == "limit":
            return [(Match("limit", (Option("limit", Rate(1, "sec")),)),)]
        raise Unreadable

    def target(self, kind: str, value: Any) -> Target | None:
        """The target equivalent to a statement; None if it is a match."""
        if kind == "notrack":
            return Target("NOTRACK")
        if kind == "masquerade":
            return Target("MASQUERADE")
        if kind == "redirect":
            port = value.get("port") if isinstance(value, dict) else None
            ports = (Option("to-ports", _port_text(port)),) if port is not None else ()
            return Target("REDIRECT", ports)
        if kind in ("dnat", "snat") and isinstance(value, dict):
            return self._translating(kind, value)
        if kind == "mangle" and isinstance(value, dict) and value.get("key") == {"meta": {"key": "mark"}}:
            mark = value.get("value")
            if isinstance(mark, int):
                return Target("MARK", (Option("set-xmark", MarkChange(mark, _FULL)),))
        return None

    def map_of(self, value: Any) -> Iterator[tuple[Choice, Any]]:
        """The alternatives of a verdict map, each with its verdict."""
        data = value.get("data") if isinstance(value, dict) else None
        pairs = data.get("set") if isinstance(data, dict) else self._elements(str(data)[1:])
        for pair in pairs if isinstance(pairs, list) else ():
            if not isinstance(pair, list) or len(pair) != 2:
                raise Unreadable
            for choice in self._match(value.get("key"), "==", pair[0]):
                yield choice, pair[1]

    def _translating(self, kind: str, value: Mapping[str, Any]) -> Target:
        if value.get("family") not in (None, self._ip):
            raise Unreadable
        address, port = value.get("addr"), value.get("port")
        text = address if isinstance(address, str) else ""
        if isinstance(address, dict) and isinstance(address.get("range"), list):
            text = "-".join(map(str, address["range"]))
        elif address is not None and not text:
            raise Unreadable
        if port is not None:
            text = f"[{text}]" if self._family is Family.IPV6 and text else text
            text += f":{_port_text(port)}"
        name = "to-destination" if kind == "dnat" else "to-source"
        return Target(kind.upper(), (Option(name, text),))

    def _match(self, left: Any, op: str, right: Any) -> list[Choice]:
        if op not in ("==", "!=", "in") or not isinstance(left, dict) or not left:
            raise Unreadable
        negated = op == "!="
        kind, value = next(iter(left.items()))
        if kind == "payload" and isinstance(value, dict):
            return self._payload(str(value.get("protocol")), str(value.get("field")), right, negated=negated)
        if kind == "meta" and isinstance(value, dict):
            return self._meta(str(value.get("key")), right, negated=negated)
        if kind == "ct" and isinstance(value, dict):
            return self._ct(value, right, op)
        if kind == "fib" and isinstance(value, dict) and value.get("result") == "type":
            ends = {("daddr",): "dst-type", ("saddr",): "src-type"}
            flags = value.get("flags")
            name = ends.get(tuple(flags) if isinstance(flags, list) else (str(flags),))
            if name and isinstance(right, str):
                return [(Match("addrtype", (Option(name, KeywordList((right.upper(),)), negated),)),)]
        if kind == "&" and isinstance(value, list) and value[:1] == [{"meta": {"key": "mark"}}] and len(value) == 2:
            mask = value[1]
            if isinstance(mask, int) and isinstance(right, int):
                return [(Match("mark", (Option("mark", Masked(right, mask), negated),)),)]
        raise Unreadable

    def _payload(self, protocol: str, field: str, right: Any, *, negated: bool) -> list[Choice]:
        if protocol in ("ip", "ip6"):
            if protocol != self._ip:
                return []
            if field in ("saddr", "daddr"):
                name = self._set(self._addresses(right))
                way = "src" if field == "saddr" else "dst"
                return [(Match("set", (Option("match-set", Pair(name, way), negated),)),)]
            if field in ("protocol", "nexthdr"):
                return _protocols(self._listed(right), negated=negated)
        if protocol in (*_TRANSPORT, "th") and field in ("sport", "dport"):
            first = (_protocol(protocol),) if protocol != "th" else ()
            ports = PortList(tuple(Range(*one) for one in normal(map(_port_range, self._listed(right)))))
            option = Option("sports" if field == "sport" else "dports", ports, negated)
            return [(*first, Match("multiport", (option,)))]
        icmp = ("icmp", "icmp") if self._family is Family.IPV4 else ("icmpv6", "icmp6")
        if protocol in ("icmp", "icmpv6"):
            if protocol != icmp[0]:
                return []
            if field == "type" and not negated:
                try:
                    kinds = [read_icmp_type(_icmp_name(one), self._family) for one in self._listed(right)]
                except ValueError:  # a name that only nft supports
                    raise Unreadable from None
                return [(_protocol(icmp[0]), Match(icmp[1], (Option(f"{protocol}-type", kind),))) for kind in kinds]
        raise Unreadable

    def _meta(self, key: str, right: Any, *, negated: bool) -> list[Choice]:
        if key in ("iifname", "oifname", "iif", "oif"):
            names = [str(one).replace("*", "+") for one in self._listed(right)]
            base = "in-interface" if key.startswith("i") else "out-interface"
            matches = [Match(base, (Option(base, name, negated),)) for name in names]
            return [tuple(matches)] if negated else [(one,) for one in matches]
        if key == "l4proto":
            return _protocols(self._listed(right), negated=negated)
        if key in ("nfproto", "protocol"):
            own = {"ipv4": Family.IPV4, "ip": Family.IPV4, "ipv6": Family.IPV6, "ip6": Family.IPV6}
            here = any(own.get(str(one)) is self._family for one in self._listed(right))
            return [()] if here != negated else []
        if key == "pkttype":
            kinds = [{"host": "unicast"}.get(str(one), str(one)) for one in self._listed(right)]
            found = [Match("pkttype", (Option("pkt-type", one, negated),)) for one in kinds if one in _KINDS]
            if len(found) == len(kinds):
                return [tuple(found)] if negated else [(one,) for one in found]
        if key == "mark" and isinstance(right, int):
            return [(Match("mark", (Option("mark", Masked(right), negated),)),)]
        raise Unreadable

    def _ct(self, value: Mapping[str, Any], right: Any, op: str) -> list[Choice]:
        key, words = value.get("key"), self._listed(right)
        if key == "state" and all(word in _STATES for word in words):
            states = KeywordList(tuple(str(word).upper() for word in words))
            return [(Match("conntrack", (Option("ctstate", states, op == "!="),)),)]
        if key == "status" and words == ["dnat"] and op == "in":
            return [(Match("conntrack", (Option("ctstate", KeywordList(("DNAT",))),)),)]
        if key == "direction" and len(words) == 1 and op != "!=":
            return [(Match("conntrack", (Option("ctdir", str(words[0]).upper()),)),)]
        raise Unreadable

    def _listed(self, right: Any) -> list[Any]:
        """The values that an expression compares with, including those of a named set."""
        if isinstance(right, dict) and isinstance(right.get("set"), list):
            return [_element(one) for one in right["set"]]
        if isinstance(right, dict) and isinstance(right.get("|"), list):
            return list(right["|"])
        if isinstance(right, str) and right.startswith("@"):
            return [_element(one) for one in self._elements(right[1:])]
        return right if isinstance(right, list) else [right]

    def _elements(self, name: str) -> list[Any]:
        """The elements of a named set. Sets filled by packets are never known."""
        found = self._named.get(name)
        flags = found.get("flags", ()) if found is not None else ("dynamic",)
        if found is None or "dynamic" in (flags if isinstance(flags, list) else [flags]):
            raise Unreadable
        elements = found.get("elem", [])
        return elements if isinstance(elements, list) else [elements]

    def _addresses(self, right: Any) -> Intervals:
        try:
            return normal(_address_range(one) for one in self._listed(right))
        except ValueError:
            raise Unreadable from None

    def _set(self, addresses: Intervals) -> str:
        name = f"nft {self._title} {len(self.sets) + 1}"
        self.sets[name] = Members(name, "hash:net", self._family, addresses)
        return name


def _element(value: Any) -> Any:
    """An element of a set without its comment, counter and timeout."""
    if isinstance(value, dict) and isinstance(value.get("elem"), dict):
        return value["elem"].get("val")
    return value


def _address_range(value: Any) -> tuple[int, int]:
    if isinstance(value, dict) and isinstance(value.get("prefix"), dict):
        prefix = value["prefix"]
        address = ip_address(str(prefix.get("addr")))
        rest = (1 << address.max_prefixlen - int(prefix.get("len", 0))) - 1
        return int(address) & ~rest, int(address) | rest
    if isinstance(value, dict) and isinstance(value.get("range"), list):
        first, last = value["range"]
        return int(ip_address(str(first))), int(ip_address(str(last)))
    if isinstance(value, str) and not value.startswith("@"):
        return int(ip_address(value)), int(ip_address(value))
    raise Unreadable


def _port_range(value: Any) -> tuple[int, int]:
    if isinstance(value, dict) and isinstance(value.get("range"), list):
        first, last = value["range"]
        return _port(first), _port(last)
    return _port(value), _port(value)


def _port(value: Any) -> int:
    if isinstance(value, int):
        return value
    found = SERVICES.get(value) if isinstance(value, str) else None
    if found is None:
        raise Unreadable
    return found


def _port_text(value: Any) -> str:
    return "-".join(map(str, dict.fromkeys(_port_range(value))))


def _protocol(name: str, *, negated: bool = False) -> Match:
    return Match("protocol", (Option("protocol", Protocol(protocol_number(name)), negated),))


def _protocols(values: list[Any], *, negated: bool) -> list[Choice]:
    try:
        found = [_protocol(str(one), negated=negated) for one in values]
    except ValueError:
        raise Unreadable from None
    return [tuple(found)] if negated else [(one,) for one in found]


def _icmp_name(value: Any) -> str:
    """nftables' name of a type in iptables' spelling, or its number."""
    renamed = {"nd-neighbor-solicit": "135", "nd-neighbor-advert": "136", "nd-router-solicit": "133"}
    renamed |= {"nd-router-advert": "134", "nd-redirect": "137", "mld-listener-query": "130"}
    renamed |= {"mld-listener-report": "131", "mld-listener-done": "132", "mld2-listener-report": "143"}
    text = str(value)
    if re.fullmatch(r"\d+|[a-z0-9-]+", text) is None:
        raise Unreadable
    return renamed.get(text, text)

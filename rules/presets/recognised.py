"""Recognises the guide's preset and its services in rules: the inverse of `rules.presets.guide.web`.

Whoever calls this must build the rules again and compare: a recognised ruleset is a guess until then.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rules.language.render import render
from rules.model import Ruleset
from rules.presets.guide import NODEBALANCER
from rules.presets.service_rules import Service
from rules.values.family import Family

_SERVICE = re.compile(
    r"-A INPUT( -s (?P<source>\S+))? -p (?P<protocol>[a-z0-9-]+)( -m \3(pv6)?)?"
    r"(?P<what>( -m \S+)?( --(dports?|icmp-type|icmpv6-type) \S+)?)"
    r"(?P<new> -m state --state NEW)?( -m comment --comment (?P<comment>\"[^\"]*\"|\S+))? -j ACCEPT"
)
_PORTS = re.compile(r"--dports? (\S+)")
_TYPE = re.compile(r"--icmp(?:v6)?-type (\S+)")
_LIMIT = re.compile(r"-A INPUT -m limit --limit (\d+)/(s|sec|second|m|min|minute|h|hour|d|day)\S* .*-j LOG\b")
_ESTABLISHED = "-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT"
_PING = "-A INPUT -p icmp -m icmp --icmp-type 3 -j ACCEPT"
_UNITS = {"s": "s", "sec": "s", "second": "s", "m": "min", "min": "min", "minute": "min", "h": "h", "hour": "h"}


@dataclass(frozen=True, slots=True)
class Recognised:
    """The arguments of `rules.presets.guide.web` that may have made rules."""

    http: bool
    ssh_port: int
    ssh_sources: tuple[str, ...]
    extra: tuple[Service, ...]
    nodebalancer: bool
    icmp: Literal["printed", "listed"]
    log: bool
    log_rate: str


def recognised(ipv4: Ruleset, ipv6: Ruleset | None = None) -> Recognised | None:
    """Return what may have made these rules; None if it was not the guide's preset.

    Without `ipv6`, services that have no source are taken to be meant for both families.
    """
    lines, others = _input(ipv4), _input(ipv6) if ipv6 else []
    services = _services(lines, Family.IPV4)
    if services is None:
        return None
    if ipv6 is not None:
        more = _services(others, Family.IPV6)
        if more is None:
            return None
        services = _both(services, more)
    ssh, *rest = services or [Service("", ("22",))]
    if ssh.protocol != "tcp" or len(ssh.ports) != 1 or ssh.comment or not str(ssh.ports[0]).isdecimal():
        return None
    web = [("80",), ("443",)]
    http = [one.ports for one in rest[:2]] == web and not any(one.sources or one.comment for one in rest[:2])
    rate = next((found for line in lines if (found := _LIMIT.match(line))), None)
    return Recognised(
        http=http,
        ssh_port=int(ssh.ports[0]),
        ssh_sources=ssh.sources,
        extra=tuple(rest[2:] if http else rest),
        nodebalancer=f"-A INPUT -s {NODEBALANCER} -m state --state NEW -j ACCEPT" in lines,
        icmp="listed" if _PING in lines else "printed",
        log=rate is not None,
        log_rate=f"{rate[1]}/{_UNITS.get(rate[2], 'd')}" if rate else "5/min",
    )


def _input(ruleset: Ruleset) -> list[str]:
    return [line for line in render(ruleset).splitlines() if line.startswith("-A INPUT ")]


def _services(lines: Sequence[str], family: Family) -> list[Service] | None:
    """Return the services among the rules before established connections are accepted; None without such a rule."""
    if _ESTABLISHED not in lines:
        return None
    found: list[Service] = []
    for line in lines[: lines.index(_ESTABLISHED)]:
        service = _service(line)
        if service is None or _of_the_frame(line, family):
            continue
        before = found[-1] if found else None
        if before and service.sources and before == replace(service, sources=before.sources) and before.sources:
            found[-1] = replace(before, sources=(*before.sources, *service.sources))
        elif before and before == replace(service, types=before.types) and before.types and service.types:
            found[-1] = replace(before, types=(*before.types, *service.types))
        else:
            found.append(service)
    return found


def _of_the_frame(line: str, family: Family) -> bool:
    frame = ("--icmp-type 8 -j", "--icmp-type 3 -j", "--icmp-type 11 -j") if _pings(line) else ()
    dhcp = family is Family.IPV6 and "--dport 546 " in line and "-s fe80::/10 " in line
    return dhcp or any(words in line for words in frame)


def _pings(line: str) -> bool:
    return line.startswith("-A INPUT -p icmp ") and "--comment" not in line


def _service(line: str) -> Service | None:
    found = _SERVICE.fullmatch(line)
    if found is None:
        return None
    protocol = {"ipv6-icmp": "icmp"}.get(found["protocol"], found["protocol"])
    ports, kind = _PORTS.search(found["what"]), _TYPE.search(found["what"])
    source = (found["source"].removesuffix("/32").removesuffix("/128"),) if found["source"] else ()
    comment = shlex.split(found["comment"])[0] if found["comment"] else None
    try:
        return Service(
            name=comment or "",
            ports=tuple(ports[1].split(",")) if ports else (),
            protocol=protocol,
            sources=source,
            comment=comment,
            types=(kind[1],) if kind else (),
        )
    except ValueError:
        return None


def _both(ipv4: Sequence[Service], ipv6: Sequence[Service]) -> list[Service]:
    """Return the services of both families: one that both have is one, with the sources of both."""
    out: list[Service] = []
    left = list(ipv6)
    for service in ipv4:
        twin = next((one for one in left if one == replace(service, sources=one.sources)), None)
        if twin is None:
            out.append(service)
            continue
        place = left.index(twin)
        out += left[:place]
        del left[: place + 1]
        out.append(replace(service, sources=(*service.sources, *twin.sources)))
    return [*out, *left]

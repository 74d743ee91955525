"""What firewalld's zones let in, as rules: parsed from firewall-cmd(1) output, to be checked like other rulesets.

Zones, services, ports, protocols, ICMP blocks and rich rules are supported. Any other kind of rich rule becomes a rule
with an unknown match, so that what depends on it is in doubt.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network

from rules.options.extensions import quote
from rules.values.family import Family

_HEAD = ("*filter", ":INPUT ACCEPT", ":FORWARD ACCEPT", ":OUTPUT ACCEPT")
_ENDS = {"ACCEPT": "ACCEPT", "DROP": "DROP", "%%REJECT%%": "REJECT", "REJECT": "REJECT", "default": "REJECT"}
_ACTIONS = {"accept": "ACCEPT", "drop": "DROP", "reject": "REJECT"}
# firewalld's own policy `allow-host-ipv6`
_NEIGHBOURS = (133, 134, 135, 136, 137)


@dataclass(frozen=True)
class Block:
    """A listed zone or service: words by property, and the rich rules."""

    name: str
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rich: tuple[str, ...] = ()

    def words(self, name: str) -> tuple[str, ...]:
        """The words of a property."""
        return self.values.get(name, ())


def blocks(text: str) -> tuple[Block, ...]:
    """Parse the output of `firewall-cmd --list-all-zones` and `--info-service`."""
    found: list[Block] = []
    for line in text.split("\n"):
        if line[:1] not in {"", " ", "\t"}:
            found.append(Block(line.split()[0], {}, ()))
        elif found and line.strip().startswith("rule "):
            found[-1] = Block(found[-1].name, found[-1].values, (*found[-1].rich, line.strip()))
        elif found and ":" in line:
            name, _, words = line.strip().partition(":")
            values = {**found[-1].values, name: tuple(words.split())}
            found[-1] = Block(found[-1].name, values, found[-1].rich)
    return tuple(found)


def as_rules(zones: str, services: str, default_zone: str, family: Family) -> str:
    """The rules of one family, as input for iptables-restore(8), that let in what these zones let in."""
    known = {service.name: service for service in blocks(services)}
    bound = [
        zone for zone in blocks(zones) if zone.name == default_zone or zone.words("interfaces") or zone.words("sources")
    ]
    lines = [*_HEAD, *(f":{_chain(zone)} -" for zone in bound)]
    lines += ["-A INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT", "-A INPUT -i lo -j ACCEPT"]
    if family is Family.IPV6:
        lines += [f"-A INPUT -p icmpv6 --icmpv6-type {kind} -j ACCEPT" for kind in _NEIGHBOURS]
    lines.append("-A INPUT -m state --state INVALID -j DROP")
    for zone in bound:
        lines += [f"-A INPUT {match} -j {_chain(zone)}" for match in _sources(zone.words("sources"), family)]
    for zone in bound:
        lines += [f"-A INPUT -i {quote(name)} -j {_chain(zone)}" for name in zone.words("interfaces")]
    lines += [f"-A INPUT -j {_chain(zone)}" for zone in bound if zone.name == default_zone]
    lines.append("-A INPUT -j REJECT")
    lines += _forward(bound)
    for zone in bound:
        lines += [f"-A {_chain(zone)} {rule}" for rule in _zone(zone, known, family)]
    return "\n".join((*lines, "COMMIT", ""))


def _chain(zone: Block) -> str:
    return f"IN_{zone.name}"


def _forward(bound: Iterable[Block]) -> Iterator[str]:
    yield "-A FORWARD -m state --state ESTABLISHED,RELATED -j ACCEPT"
    for zone in bound:
        names = zone.words("interfaces")
        for name in names:
            if zone.words("target") == ("ACCEPT",):
                yield f"-A FORWARD -i {quote(name)} -j ACCEPT"
            elif zone.words("forward") == ("yes",):
                yield from (f"-A FORWARD -i {quote(name)} -o {quote(other)} -j ACCEPT" for other in names)
    yield "-A FORWARD -j REJECT"


def _zone(zone: Block, known: Mapping[str, Block], family: Family) -> Iterator[str]:
    """Deny before accept, as in firewalld, except for rich rules with a priority."""
    rich = sorted((_priority(text), text) for text in zone.rich)
    yield from (rule for rank, text in rich if rank < 0 for rule in _rich(text, known, family))
    same = [rule for rank, text in rich if rank == 0 for rule in _rich(text, known, family)]
    yield from (rule for rule in same if not rule.endswith("-j ACCEPT"))
    icmp = "icmpv6" if family is Family.IPV6 else "icmp"
    inverted = zone.words("icmp-block-inversion") == ("yes",)
    for kind in zone.words("icmp-blocks"):
        yield f"-p {icmp} --{icmp}-type {quote(kind)} -j {'ACCEPT' if inverted else 'REJECT'}"
    if inverted:
        yield f"-p {icmp} -j REJECT"
    yield from (rule for rule in same if rule.endswith("-j ACCEPT"))
    for match in _accepted(zone, known, family):
        yield f"{match} -j ACCEPT"
    yield from (rule for rank, text in rich if rank > 0 for rule in _rich(text, known, family))
    target = (zone.words("target") or ("default",))[0]
    if target == "default":
        yield f"-p {icmp} -j ACCEPT"
    yield f"-j {_ENDS.get(target, 'REJECT')}"


def _accepted(block: Block, known: Mapping[str, Block], family: Family) -> Iterator[str]:
    """The matches of the ports, protocols and services of a zone or a service."""
    for port in block.words("ports"):
        yield _port(port, "--dport")
    for port in block.words("source-ports"):
        yield _port(port, "--sport")
    for protocol in block.words("protocols"):
        yield f"-p {quote(protocol)}"
    for name in (*block.words("services"), *block.words("includes")):
        yield from _service(name, known, family)


def _service(name: str, known: Mapping[str, Block], family: Family) -> Iterator[str]:
    service = known.get(name)
    if service is None or service.name in service.words("includes"):
        yield _doubt(name)
        return
    there = [word.partition(":") for word in service.words("destination")]
    places = [place for kind, _, place in there if kind == family]
    for match in _accepted(service, {key: value for key, value in known.items() if key != name}, family):
        if not there:
            yield match
        yield from (f"-d {quote(place)} {match}" for place in places)


def _doubt(what: str) -> str:
    """An unknown match, named after what is not understood."""
    return f"-m set --match-set {quote(f'firewalld-{what}'[:31])} src"


def _port(text: str, option: str) -> str:
    port, _, protocol = text.partition("/")
    return f"-p {quote(protocol)} {option} {quote(port.replace('-', ':'))} -m state --state NEW"


def _sources(words: Iterable[str], family: Family) -> Iterator[str]:
    for word in words:
        if word.startswith("ipset:"):
            yield f"-m set --match-set {quote(word[6:])} src"
        elif re.fullmatch(r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}", word):
            yield f"-m mac --mac-source {word}"
        elif _is_of(word, family):
            yield f"-s {quote(word)}"


def _is_of(address: str, family: Family) -> bool:
    try:
        return ip_network(address, strict=False).version == (4 if family is Family.IPV4 else 6)
    except ValueError:
        return False


def _priority(text: str) -> int:
    found = re.search(r'priority="(-?\d+)"', text)
    return int(found[1]) if found else 0


def _rich(text: str, known: Mapping[str, Block], family: Family) -> Iterator[str]:
    """One rich rule: its family, endpoints, element and action.

    One that only logs or translates addresses yields no rule.
    """
    words = shlex.split(text)[1:]
    action = next((_ACTIONS[word] for word in words if word in _ACTIONS), "")
    elements = "service", "port", "protocol", "source-port", "icmp-type", "icmp-block"
    element, named, ends, unknown = "", {}, [], False
    end, negated = "", False
    for word in words:
        name, equals, value = word.partition("=")
        if name == "family":
            if value != family:
                return
        elif word in {"source", "destination"}:
            end, negated = word, False
        elif word in {"NOT", "not"}:
            negated = True
        elif end and equals and name in {"address", "ipset", "mac"}:
            match = f"{'-s' if end == 'source' else '-d'} {quote(value)}"
            if name == "ipset":
                match = f"-m set --match-set {quote(value)} {'src' if end == 'source' else 'dst'}"
            elif name == "mac":
                match = f"-m mac --mac-source {quote(value)}"
            elif not _is_of(value, family):
                return
            ends.append(f"! {match}" if negated and name == "address" else match)
            unknown |= negated and name != "address"
            end = ""
        elif word in elements:
            element = word
        elif element and equals and name in {"name", "port", "protocol", "value"} and name not in named:
            named[name] = value
        elif word in {"masquerade", "forward-port"}:
            return
    action = "REJECT" if element == "icmp-block" else action
    if not action:
        return
    for match in _element(element, named, known, family):
        shown = _doubt("rich-rule") if unknown else match
        yield " ".join(part for part in (*ends, shown, f"-j {action}") if part)


def _element(element: str, named: Mapping[str, str], known: Mapping[str, Block], family: Family) -> Iterator[str]:
    icmp = "icmpv6" if family is Family.IPV6 else "icmp"
    if element == "service":
        yield from _service(named.get("name", ""), known, family)
    elif element in {"port", "source-port"}:
        option = "--dport" if element == "port" else "--sport"
        yield _port(f"{named.get('port', '')}/{named.get('protocol', '')}", option)
    elif element == "protocol":
        yield f"-p {quote(named.get('value', ''))}"
    elif element:
        yield f"-p {icmp} --{icmp}-type {quote(named.get('name', ''))}"
    else:
        yield ""

"""The access that a ruleset declares, in the simplest rules: which sources reach TCP ports, by which interface.

For a host whose own rules could not be loaded: the fallback rules must need no module, no set and no host name. They
are derived from what the rules do (`rules.analysis.reachability`), so it does not matter how those are written. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rules.analysis.reachability import Analysis, TooIntricateError, analyse
from rules.model import Ruleset
from rules.packets.packet import Field as PacketField
from rules.packets.packet import interface, tops
from rules.packets.sources import addresses, cidr, impossible
from rules.values.family import Family
from rules.values.intervals import Intervals, common, complement, normal
from rules.values.protocols import ICMPV6, TCP
from rules.values.typed import format_address

_MOST = 200
"""The most networks listed for a port; a port with more is open to all."""
_NEIGHBOUR_SOLICITATION = 135


@dataclass(frozen=True, slots=True)
class Door:
    """Who may open a connection to a TCP port; the first match decides.

    ``interface``: as in iptables' ``-i``, ``-`` for any. ``source``: a network, ``-`` for anyone. ``open``: whether
    they may.
    """

    interface: str
    port: int
    source: str
    open: bool = True

    def __str__(self) -> str:
        return f"{self.interface} {self.port} {self.source} {'accept' if self.open else 'deny'}"


def doors(rules: Ruleset, ports: Iterable[int]) -> tuple[Door, ...]:
    """What the INPUT chain of ``rules``, host names resolved, accepts at ``ports``; closed ports are omitted.

    Ports for which that cannot be determined are open to all.
    """
    wanted = sorted(set(ports))
    try:
        analysis = analyse(rules)
        return tuple(door for port in wanted for door in _doors(analysis, port, _named_interfaces(rules)))
    except TooIntricateError:
        return tuple(Door("-", port, "-") for port in wanted)


def restricts(rules: Ruleset, chain: str) -> bool:
    """Whether a built-in chain of the filter table may deny anything."""
    found = rules.chain("filter", chain)
    return found is not None and (bool(found.rules) or found.policy == "DROP")


def has_neighbours(rules: Ruleset) -> bool:
    """Whether the host can use the network of its family at all: IPv6 needs ICMPv6 (RFC 4890)."""
    if rules.family is Family.IPV4:
        return True
    try:
        return bool(analyse(rules).sources(ICMPV6, _NEIGHBOUR_SOLICITATION * 256))
    except TooIntricateError:
        return True


def _named_interfaces(rules: Ruleset) -> list[str]:
    """The interface patterns that matter in the filter table, most specific first."""
    table = rules.table("filter")
    chains = table.chains if table is not None else ()
    found = {rule.in_interface for chain in chains for rule in chain.rules} - {None, "lo", "", "+"}
    return sorted((name for name in found if name), key=lambda name: (name.endswith("+"), -len(name), name))


def _doors(analysis: Analysis, port: int, named: list[str]) -> Iterator[Door]:
    """The doors of one port: for each interface that the rules name, then for all others."""
    covered: Intervals = (interface("lo"),)
    unlike = []
    for name in named:
        here = common((interface(name),), complement(normal(covered), tops(analysis.family)[PacketField.IN]))
        covered = (*covered, interface(name))
        unlike.append((name, analysis.sources(TCP, port, here)))
    rest = complement(normal(covered), tops(analysis.family)[PacketField.IN])
    others = analysis.sources(TCP, port, rest)
    for name, sources in unlike:
        if sources != others:
            yield from (Door(name, port, text) for text in networks(sources, analysis.family))
            yield Door(name, port, "-", open=False)
    yield from (Door("-", port, text) for text in networks(others, analysis.family))


def networks(sources: Intervals, family: Family) -> list[str]:
    """Sources in CIDR notation; ``-`` for all possible ones."""
    somebody = complement(impossible(family), addresses(family)[0][1])
    known = common(sources, somebody)
    if known == somebody:
        return ["-"]
    found = [network for first, last in known for network in cidr(first, last, family)]
    if len(found) > _MOST:
        return ["-"]
    return [f"{format_address(family, start)}/{prefix}" for start, prefix in found]


def interface_patterns(globs: Iterable[str]) -> str:
    """Shell patterns of interface names as one extended regular expression without backslashes."""
    return "|".join("".join(_REGEX.get(char, f"[{char}]") for char in glob) for glob in globs)


_REGEX = {"*": ".*", "?": ".", **{char: char for char in "abcdefghijklmnopqrstuvwxyz0123456789_-"}}

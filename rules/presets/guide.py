"""The guide's rulesets ("Basic iptables Rulesets for IPv4 and IPv6"), and the services added to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from rules.language.parse import parse, parse_rule
from rules.model import Chain, Rule, Ruleset, Table
from rules.options.extensions import quote
from rules.presets.service_rules import Service, service_rules
from rules.values.family import Family

__all__ = ["ICMPV6_CHAIN", "LONGVIEW", "NODEBALANCER", "Service", "insert", "reject_all", "service_rules", "web"]

NODEBALANCER = "192.168.255.0/24"
LONGVIEW = "longview.linode.com"
# The chain that contains the ICMPv6 rules, so that rule numbers in INPUT are the same as for IPv4.
ICMPV6_CHAIN = "icmpv6"
# In the order of the guide's `iptables -vL`.
_LISTED = ("destination-unreachable", "echo-request", "time-exceeded")
# RFC 4890, 4.4.1 and 4.4.2. Errors and echo may come from anywhere:
_ICMPV6_ANYWHERE = (1, 2, 3, 4, 128, 129)
# Neighbour discovery (133-136), inverse (141, 142) and SEND (148, 149) need hop limit 255, so they come from the link.
_ICMPV6_NEIGHBOURS = (133, 134, 135, 136, 141, 142, 148, 149)
# Multicast listener and router discovery is sent with hop limit 1 from link-local addresses.
_ICMPV6_MULTICAST = (130, 131, 132, 143, 151, 152, 153)


def web(
    family: Family,
    *,
    http: bool = True,
    ssh_port: int | str = 22,
    ssh_sources: Sequence[str] = (),
    extra: Sequence[Service] = (),
    longview: bool = False,
    nodebalancer: bool = False,
    log: bool = True,
    log_rate: str = "5/min",
    dhcpv6: bool = True,
    icmp: Literal["printed", "listed"] = "printed",
) -> Ruleset:
    """The guide's ruleset for a web server, in the guide's order, for one family.

    ``http``: accept 80 and 443. ``ssh_port``, ``ssh_sources``: as in :class:`Service`. ``extra``: further services;
    those without a position follow the web ports. ``longview``, ``nodebalancer``: Linode's services, only for IPv4, as
    in the guide. ``log``, ``log_rate``: log denied packets, at most at this rate (per second, minute, hour or day).
    ``dhcpv6``: in IPv6, accept replies to our DHCPv6 client (RFC 8415). They come from another address than the
    multicast one that was asked, so they are never ESTABLISHED. Without them, a host loses its address when the lease
    ends. ``icmp``: in IPv4, accept what the guide's ruleset prints, echo requests that are NEW, or the three types that
    its rule listing shows, in any state.

    IPv6 differs from the guide where that would cut off the host. SSH is accepted, and ICMPv6 goes to the chain
    ``icmpv6``, which accepts, without a state match, what RFC 4890 (section 4.4) says a host must or should not drop:
    errors and echo (1-4, 128, 129), neighbour discovery and SEND (133-136, 141, 142, 148, 149) from the link (hop limit
    255), multicast listener and router discovery (130-132, 143, 151-153) from link-local addresses. Left out: redirects
    (137), which 4.4.4 leaves to policy because of their risk, node information (139, 140), router renumbering (138) and
    unallocated types.

    Raises :class:`rules.errors.RuleSyntaxError` for an invalid port, source or rate, :class:`ValueError` for a position
    beyond the end of INPUT.
    """
    services = [Service("ssh", (ssh_port,), sources=tuple(ssh_sources))]
    services += [Service("http", (80,)), Service("https", (443,))] if http else []
    services += [service for service in extra if service.position is None]
    accepted = [rule for service in services for rule in service_rules(service, family)]
    if family is Family.IPV4:
        linode = [source for source, wanted in ((LONGVIEW, longview), (NODEBALANCER, nodebalancer)) if wanted]
        accepted += [_read(f"-A INPUT -s {source} -m state --state NEW -j ACCEPT", family) for source in linode]
    elif dhcpv6:
        accepted.append(_read("-A INPUT -s fe80::/10 -p udp --dport 546 -j ACCEPT", family))
    rules = [
        *_loopback(family),
        *_ping(family, icmp),
        *accepted,
        _read("-A INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT", family),
        *_deny("INPUT", family, log, log_rate),
    ]
    chains = [
        Chain("INPUT", "ACCEPT", tuple(rules)),
        Chain("FORWARD", "ACCEPT", _deny("FORWARD", family, log, log_rate)),
    ]
    if family is Family.IPV6:
        chains.append(Chain(ICMPV6_CHAIN, None, _icmpv6()))
    ruleset = Ruleset(family, (Table("filter", tuple(chains)),))
    for service in extra:
        ruleset = _positioned(ruleset, service)
    return ruleset


def reject_all(family: Family) -> Ruleset:
    """The guide's "reject all IPv6 traffic", except on the loopback interface, which local programs need (``::1``)."""
    return parse(
        """
        -A INPUT -i lo -j ACCEPT
        -A INPUT -j REJECT
        -A FORWARD -j REJECT
        -A OUTPUT -o lo -j ACCEPT
        -A OUTPUT -j REJECT
        """,
        family,
    )


def insert(ruleset: Ruleset, table: str, chain: str, position: int, rule: Rule) -> Ruleset:
    """``iptables -t TABLE -I CHAIN POSITION``: afterwards, the rule is at ``position`` (from 1).

    Raises :class:`ValueError` if the chain does not exist or the position is beyond its end.
    """
    found = ruleset.chain(table, chain)
    if found is None:
        raise ValueError(f"there is no chain {chain} in table {table}")
    if not 1 <= position <= len(found.rules) + 1:
        raise ValueError(
            f"position {position}: {chain} has {len(found.rules)} rules, 1 to {len(found.rules) + 1} is possible"
        )
    rules = (*found.rules[: position - 1], rule.moved_to(chain), *found.rules[position - 1 :])
    home = ruleset.table(table) or Table(table)
    return ruleset.with_table(home.with_chain(replace(found, rules=rules)))


def _positioned(ruleset: Ruleset, service: Service) -> Ruleset:
    if service.position is None:
        return ruleset
    for offset, rule in enumerate(service_rules(service, ruleset.family)):
        ruleset = insert(ruleset, "filter", "INPUT", service.position + offset, rule)
    return ruleset


def _read(line: str, family: Family) -> Rule:
    return replace(parse_rule(line, family), source_line=None)


def _loopback(family: Family) -> tuple[Rule, Rule]:
    """Accept everything on the loopback interface, and deny spoofed loopback addresses."""
    loopback = "127.0.0.0/8" if family is Family.IPV4 else "::1/128"
    return _read("-A INPUT -i lo -j ACCEPT", family), _read(f"-A INPUT ! -i lo -s {loopback} -j REJECT", family)


def _ping(family: Family, icmp: str) -> tuple[Rule, ...]:
    if family is Family.IPV6:
        return (_read(f"-A INPUT -p icmpv6 -j {ICMPV6_CHAIN}", family),)
    if icmp == "listed":
        return tuple(_read(f"-A INPUT -p icmp --icmp-type {kind} -j ACCEPT", family) for kind in _LISTED)
    return (_read("-A INPUT -p icmp -m state --state NEW --icmp-type 8 -j ACCEPT", family),)


def _icmpv6() -> tuple[Rule, ...]:
    head, family = f"-A {ICMPV6_CHAIN}", Family.IPV6
    lines = [f"{head} -p icmpv6 --icmpv6-type {kind} -j ACCEPT" for kind in _ICMPV6_ANYWHERE]
    lines += [f"{head} -p icmpv6 --icmpv6-type {kind} -m hl --hl-eq 255 -j ACCEPT" for kind in _ICMPV6_NEIGHBOURS]
    lines += [f"{head} -s fe80::/10 -p icmpv6 --icmpv6-type {kind} -j ACCEPT" for kind in _ICMPV6_MULTICAST]
    return tuple(_read(line, family) for line in lines)


def _deny(chain: str, family: Family, log: bool, rate: str) -> tuple[Rule, ...]:
    """Log at a limited rate, then reject."""
    prefix = quote(f"{family.command}_{chain}_denied: ")
    logged = f"-A {chain} -m limit --limit {quote(rate)} -j LOG --log-prefix {prefix} --log-level 7"
    return tuple(_read(line, family) for line in ([logged] if log else []) + [f"-A {chain} -j REJECT"])

"""The administrator is not locked out: the stack's login is accepted by the rules of its family."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from policies.base import KEPT, RULESET, DeclaredHost, configured_login, host_policy
from policies.firewall.declared import WAIVED_MATCHES, analysed, answers, arriving, doubts, packets
from policies.kept import kept_rules
from policies.settings import PolicySettings, texts
from rules.analysis.reachability import Analysis, PacketSet
from rules.packets.packet import Field
from rules.packets.sources import networks
from rules.values.family import Family
from rules.values.protocols import TCP

ADMIN_SOURCES = texts(
    "adminSources",
    "Networks that administrators connect from; each must be able to. Default: it is enough that somebody can.",
)
_SSH = 22
_OPEN = "-m state --state ESTABLISHED,RELATED -j ACCEPT"


def _check(host: DeclaredHost, settings: PolicySettings) -> Iterable[str]:
    rulesets = {Family(one["family"]): one["rules"] for one in (*_declared(host), *kept_rules(host))}
    for address, port in _login(host):
        found = {family: rulesets[family] for family in _families(address) if family in rulesets}
        reasons = [_closed(analysed(text, family), port, settings) for family, text in found.items()]
        if reasons and len(reasons) == len(_families(address)) and all(reasons):
            yield reasons[0]


def _declared(host: DeclaredHost) -> Iterator[Mapping[str, Any]]:
    return (one.props for one in host.of(RULESET))


def _login(host: DeclaredHost) -> Iterator[tuple[str, int]]:
    """Address and port of the permanent login: the admin's, or the only one."""
    ways = (resource.props.get("connection") for resource in (*host.of(RULESET), *host.of(KEPT)))
    way: Mapping[str, Any] = next((way for way in ways if way), {})
    login = configured_login(host.name) or way.get("admin") or way.get("bootstrap") or way
    if login.get("host"):
        yield login["host"], int(login.get("port") or _SSH)


def _families(address: str) -> tuple[Family, ...]:
    """The family of an address; a host name may have addresses of either."""
    try:
        return (Family.IPV4,) if ip_address(address).version == 4 else (Family.IPV6,)
    except ValueError:
        return tuple(Family)


def _closed(analysis: Analysis, port: int, settings: PolicySettings) -> str:
    """The part of an SSH connection that is denied, and a rule that would accept it; empty if all is accepted."""
    named = [one for one in settings.texts(ADMIN_SOURCES.name) if (":" in one) == (analysis.family is Family.IPV6)] or [
        ""
    ]
    asked = {Field.PROTOCOL: ((TCP, TCP),), Field.SERVICE: ((port, port),)}
    answered = answers(analysis) & packets(analysis, {Field.SOURCE_PORT: ((port, port),)})
    steps = [
        ("INPUT", "can connect to", arriving(analysis, "NEW", asked), f"-p tcp --dport {port} -j ACCEPT"),
        ("INPUT", "keeps a connection open to", arriving(analysis, "ESTABLISHED", asked), _OPEN),
        ("OUTPUT", "gets an answer from", answered, _OPEN),
    ]
    for chain, words, wanted, mending in steps:
        if analysis.table.chain(chain) is None:
            continue
        for source in named:
            problem = _not_through(analysis, chain, wanted, source, settings)
            if problem is None:
                continue
            who = f"not everybody in {source}" if source else "nobody"
            return problem or (
                f"{who} {words} SSH on port {port} over {analysis.family.label}. Add `-A {chain} {mending}` above "
                "the rule that denies."
            )
    return ""


def _not_through(
    analysis: Analysis, chain: str, wanted: PacketSet, source: str, settings: PolicySettings
) -> str | None:
    """None if packets are accepted (all from a source, or some); otherwise the doubts, empty if there are none."""
    accepted = analysis.accepted(chain)
    if source:
        end = Field.DESTINATION if chain == "OUTPUT" else Field.SOURCE
        wanted = wanted & packets(analysis, {end: networks((source,))})
        surely, possibly = not wanted - accepted.lower, not wanted - accepted.upper
    else:
        surely, possibly = bool(wanted & accepted.lower), bool(wanted & accepted.upper)
    if surely:
        return None
    unclear = doubts(analysis, settings)
    if not possibly:
        return ""
    return f"cannot tell whether an administrator gets in: it depends on {'; '.join(unclear)}." if unclear else None


POLICIES = [
    host_policy(
        "way-in",
        "The administrator can still log in.",
        _check,
        ADMIN_SOURCES,
        WAIVED_MATCHES,
    )
]

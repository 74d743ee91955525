"""Nothing is reachable beyond what the environment allows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address, ip_network

from policies.firewall.declared import WAIVED_MATCHES, doubts, ruleset_policy
from policies.settings import PolicySettings, SettingsError, numbers, table, texts
from rules.analysis.exposure import Exposed
from rules.analysis.reachability import Analysis
from rules.errors import RuleSyntaxError
from rules.language.parse import parse
from rules.values.family import Family

_LINE = re.compile(r"(?P<protocol>[A-Za-z0-9-]+)(?:/(?P<service>\S+))? from (?P<sources>.+?)(?P<link> on the link)?")
_ICMP = {"icmp": Family.IPV4, "icmpv6": Family.IPV6}
_HOPS = {Family.IPV4: "-m ttl --ttl-eq 255", Family.IPV6: "-m hl --hl-eq 255"}
# RFC 4890, 4.4.1: the types that IPv6 itself needs are always allowed.
_ICMPV6 = (1, 2, 3, 4, 128, 129, 130, 131, 132, 133, 134, 135, 136, 141, 142, 143, 148, 149, 151, 152, 153)
_NEEDED = tuple(f"icmpv6/{kind} from anywhere" for kind in _ICMPV6)

_SHOWN = 10

ALLOWED = texts(
    "allowedExposure",
    "What may be reached, written as in the preview's `exposure`. Default: the guide's web server.",
    (
        "icmp/echo-request from anywhere",
        "tcp/80 from anywhere",
        "tcp/443 from anywhere",
        "udp/546 from fe80::/10",
    ),
)
ON_HOSTS = table(
    "allowedOnHosts",
    "What may be reached on single hosts only, by host name.",
    {"type": "array", "items": {"type": "string"}},
)
SSH_SOURCES = texts("sshSources", "Who may open SSH connections.", ("anywhere",))
SSH_PORTS = numbers("sshPorts", "The ports of sshd.", (22,))


def allowed_rules(line: str, family: Family) -> Iterator[str]:
    """The rules that let in what a line of exposure describes; none if it is for the other family.

    Raises `SettingsError` for an invalid line.
    """
    found = _LINE.fullmatch(line.strip())
    if found is None:
        raise SettingsError(f"{line!r} is not a line of exposure, as `tcp/443 from anywhere` is")
    protocol, service = found["protocol"], found["service"]
    if _ICMP.get(protocol, family) is not family:
        return
    matches = [] if protocol == "everything" else [f"-p {protocol}"]
    if service is not None:
        matches.append(f"--{protocol}-type {service}" if protocol in _ICMP else f"--dport {service.replace('-', ':')}")
    if found["link"]:
        matches.append(_HOPS[family])
    for source in re.split(r",\s*", found["sources"]):
        if _family(source) in (None, family):
            yield " ".join(("-A INPUT", *_from(source), *matches, "-j ACCEPT"))


def _family(source: str) -> Family | None:
    """The family of an address, a network or a range; None for "anywhere" and for names."""
    first = source.partition("-")[0] if ":" in source or source[:1].isdigit() else source
    for read in (ip_network, ip_address):
        try:
            return Family.IPV4 if read(first).version == 4 else Family.IPV6
        except ValueError:
            continue
    return None


def _from(source: str) -> list[str]:
    if source == "anywhere":
        return []
    is_range = "-" in source and _family(source) is not None
    return [f"-m iprange --src-range {source}"] if is_range else [f"-s {source}"]


def _allowance(lines: Iterable[str], analysis: Analysis) -> Analysis:
    """The analysis of a ruleset that lets in only these lines."""
    rules = [":INPUT DROP"]
    for line in lines:
        try:
            for rule in allowed_rules(line, analysis.family):
                parse(rule, analysis.family)
                rules.append(rule)
        except RuleSyntaxError as error:
            raise SettingsError(f"{line!r} is not a line of exposure: {error}") from None
    text = "\n".join(("*filter", *rules, "COMMIT"))
    return Analysis(parse(text, analysis.family), compiler=analysis.compiler)


def _on_host(settings: PolicySettings, host: str) -> PolicySettings:
    more = settings.table(ON_HOSTS.name).get(host, ())
    return settings.replaced(**{ALLOWED.name: [*settings.texts(ALLOWED.name), *more], ON_HOSTS.name: {}})


def _check(analysis: Analysis, settings: PolicySettings) -> Iterable[str]:
    ssh = [
        f"tcp/{port} from {source}"
        for port in settings.numbers(SSH_PORTS.name)
        for source in settings.texts(SSH_SOURCES.name)
    ]
    try:
        allowed = _allowance((*_NEEDED, *settings.texts(ALLOWED.name), *ssh), analysis)
    except SettingsError as error:
        yield f"the policy configuration is wrong: exposure-allowed: {error}"
        return
    beyond = analysis.beyond(allowed)
    sure = [one for one in beyond if not one.doubts]
    is_ssh = [one for one in sure if _ssh(one, settings)]
    others = [one for one in sure if one not in is_ssh]
    if others:
        yield (
            f"{_said(others)} can be reached and must not be. Remove the rules, or add "
            f"{_quoted(others)} to allowedExposure."
        )
    if is_ssh:
        yield (
            f"{_said(is_ssh)} can be reached and must not be. Narrow `sshSources` under `stockade:firewall`, or add "
            "the sources to sshSources."
        )
    if len(sure) < len(beyond) and (unclear := doubts(analysis, settings)):
        matches = " and ".join(f'"{text.partition(": ")[2]}"' for text in unclear)
        yield (
            f"cannot tell whether {', '.join(_bare(one) for one in beyond if one.doubts)} can be reached: it depends "
            f"on {'; '.join(unclear)}. Write the rule with matches that Stockade knows, or check it yourself and add "
            f"{matches} to waivedMatches."
        )


def _ssh(one: Exposed, settings: PolicySettings) -> bool:
    return one.service in {f"tcp/{port}" for port in settings.numbers(SSH_PORTS.name)}


def _said(found: Sequence[Exposed]) -> str:
    rest = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(map(str, found[:_SHOWN])) + rest


def _quoted(found: Sequence[Exposed]) -> str:
    return " and ".join(f'"{one}"' for one in found) if len(found) <= _SHOWN else "those that are meant"


def _bare(one: Exposed) -> str:
    return f"{one.service} from {one.source.text}{one.where}"


POLICIES = [
    ruleset_policy(
        "exposure-allowed",
        "Nothing can be reached beyond what the environment allows.",
        _check,
        ALLOWED,
        ON_HOSTS,
        SSH_SOURCES,
        SSH_PORTS,
        WAIVED_MATCHES,
        on_host=_on_host,
    )
]

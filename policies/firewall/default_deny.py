"""Default-deny: no public source reaches everything, neither on the host nor through it."""

from __future__ import annotations

from collections.abc import Iterable

from policies.firewall.declared import WAIVED_MATCHES, RulesCheck, in_doubt, ruleset_policy
from policies.settings import PolicySettings, number, texts
from rules.analysis.default_deny import OpenLimits
from rules.analysis.reachability import Analysis
from rules.values.family import Family

_LIMITS = OpenLimits()
_SETTINGS = (
    number("ipv4Addresses", "How many consecutive IPv4 addresses may reach everything.", _LIMITS.ipv4_addresses),
    number("ipv6Prefix", "IPv6 networks smaller than this prefix length may reach everything.", _LIMITS.ipv6_prefix),
    number("mostPorts", "Reaching more TCP or UDP ports than this counts as reaching everything.", _LIMITS.ports),
    texts("privateNetworks", "Networks that may reach everything.", _LIMITS.private),
    WAIVED_MATCHES,
)
_MENDING = {
    "INPUT": "End INPUT with `-A INPUT -j REJECT`, and accept above it what others need.",
    "FORWARD": "End FORWARD with `-A FORWARD -j REJECT`, and accept above it what is to be forwarded.",
}
_WORDS = {"INPUT": "can be reached", "FORWARD": "is forwarded"}
_SHOWN = 3


def _denies(chain: str) -> RulesCheck:
    def check(analysis: Analysis, settings: PolicySettings) -> Iterable[str]:
        limits = OpenLimits(
            settings.number("ipv4Addresses"),
            settings.number("ipv6Prefix"),
            settings.number("mostPorts"),
            settings.texts("privateNetworks"),
        )
        label = analysis.family.label
        denied = analysis.default_deny(chain, limits)
        if denied is None:
            yield from in_doubt(f"whether {chain} is default-deny for {label}", analysis, settings)
        elif not denied:
            found = analysis.reachable(chain)
            wide = [str(one) for one in found if one.order[1] in (-1, 0) or one.order[0] == 0] or analysis.wide_open(
                chain, limits
            )
            said = f"{', '.join(wide[:_SHOWN])} {_WORDS[chain]}"
            yield f"{chain} is not default-deny for {label}: {said}. {_MENDING[chain]}"

    return check


POLICIES = [
    ruleset_policy(
        "default-deny-ipv4",
        "IPv4 packets that no rule accepts are denied.",
        _denies("INPUT"),
        *_SETTINGS,
        families=[Family.IPV4],
    ),
    ruleset_policy(
        "default-deny-ipv6",
        "IPv6 packets that no rule accepts are denied.",
        _denies("INPUT"),
        *_SETTINGS,
        families=[Family.IPV6],
    ),
    ruleset_policy(
        "forwarding-denied",
        "A host forwards only what a rule accepts.",
        _denies("FORWARD"),
        *_SETTINGS,
    ),
]

"""Every host has rules for IPv4 and for IPv6: rules for one family leave the other one open."""

from __future__ import annotations

from collections.abc import Iterable

from policies.base import KEPT, RULESET, DeclaredHost, host_policy
from policies.settings import PolicySettings
from rules.values.family import Family


def _check(host: DeclaredHost, settings: PolicySettings) -> Iterable[str]:
    if host.of(KEPT):
        return  # it is read for both families, and checked
    there = {ruleset.props["family"] for ruleset in host.of(RULESET)}
    missing = [family.label for family in Family if family.value not in there]
    if missing:
        yield (
            f"nothing filters {' and '.join(missing)}. Declare `stockade:firewall` for it (a `Firewall` always has "
            "both families; `ipv6Mode: reject` turns IPv6 off)."
        )


POLICIES = [host_policy("both-families", "Every host has a firewall for IPv4 and for IPv6.", _check)]

"""All policies of the pack, in the order of the documentation."""

from __future__ import annotations

from pulumi_policy import Policy

from policies import (
    accounts,
    automatic_updates,
    bans,
    configuration,
    dead_rules,
    default_deny,
    denied_logged,
    exposure,
    families,
    forgotten,
    icmpv6,
    logins,
    loopback,
    replies,
    strong_keys,
    unexpected,
    unwanted,
    way_in,
)

NAME = "stockade"
POLICIES: list[Policy] = [
    *default_deny.POLICIES,
    *families.POLICIES,
    *exposure.POLICIES,
    *way_in.POLICIES,
    *loopback.POLICIES,
    *replies.POLICIES,
    *icmpv6.POLICIES,
    *denied_logged.POLICIES,
    *dead_rules.POLICIES,
    *logins.POLICIES,
    *strong_keys.POLICIES,
    *accounts.POLICIES,
    *bans.POLICIES,
    *automatic_updates.POLICIES,
    *unwanted.POLICIES,
    *unexpected.POLICIES,
    *forgotten.POLICIES,
    *configuration.POLICIES,
]

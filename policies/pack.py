"""All policies of the pack, in the order of the documentation."""

from __future__ import annotations

import re
from pathlib import Path

from pulumi_policy import Policy

from policies import configuration, exemptions, kept, published
from policies.firewall import (
    dead_rules,
    default_deny,
    denied_logged,
    exposure,
    families,
    icmpv6,
    loopback,
    replies,
    way_in,
)
from policies.host import (
    accounts,
    authorities,
    automatic_updates,
    bans,
    forgotten,
    logins,
    root_groups,
    sshd_settings,
    strong_keys,
    unexpected,
    unwanted,
)

NAME = "stockade"
VERSION = "".join(re.findall(r"(?m)^version: (\S+)$", Path(__file__).with_name("PulumiPolicy.yaml").read_text("utf-8")))
"""Pulumi reads the version from the same file."""
POLICIES: list[Policy] = [
    *default_deny.POLICIES,
    *families.POLICIES,
    *kept.POLICIES,
    *exposure.POLICIES,
    *published.POLICIES,
    *way_in.POLICIES,
    *loopback.POLICIES,
    *replies.POLICIES,
    *icmpv6.POLICIES,
    *denied_logged.POLICIES,
    *dead_rules.POLICIES,
    *logins.POLICIES,
    *sshd_settings.POLICIES,
    *strong_keys.POLICIES,
    *authorities.POLICIES,
    *accounts.POLICIES,
    *root_groups.POLICIES,
    *bans.POLICIES,
    *exemptions.POLICIES,
    *automatic_updates.POLICIES,
    *unwanted.POLICIES,
    *unexpected.POLICIES,
    *forgotten.POLICIES,
    *configuration.POLICIES,
]

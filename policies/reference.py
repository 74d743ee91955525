"""The tables of docs/policies.md; `make docs` writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pulumi_policy import EnforcementLevel, Policy, StackValidationPolicy

from policies.pack import POLICIES
from policies.settings import WAIVED_HOSTS


def policy_table() -> Iterator[str]:
    """Every policy: what it requires, what it checks, its level."""
    yield "| policy | what it requires | checked on | level |"
    yield "|---|---|---|---|"
    for policy in POLICIES:
        yield f"| `{policy.name}` | {policy.description} | {_scope(policy)} | {_level(policy)} |"


def setting_table() -> Iterator[str]:
    """Every setting, the policies that use it, and its default."""
    rows: dict[tuple[str, str, str], list[str]] = {}
    for policy in POLICIES:
        for name, schema in policy.config_schema.properties.items() if policy.config_schema else ():
            if name != WAIVED_HOSTS.name:
                row = name, schema["description"], json.dumps(schema["default"])
                rows.setdefault(row, []).append(f"`{policy.name}`")
    yield "| setting | policies | meaning | default |"
    yield "|---|---|---|---|"
    for (name, description, default), policies in rows.items():
        yield f"| `{name}` | {', '.join(policies)} | {description} | `{default}` |"


def _scope(policy: Policy) -> str:
    return "the stack" if isinstance(policy, StackValidationPolicy) else "each resource"


def _level(policy: Policy) -> str:
    return (policy.enforcement_level or EnforcementLevel.ADVISORY).value

"""A firewall kept from ufw or firewalld is checked like declared ones.

Seen on the host, so checked after it is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from policies.base import KEPT, CannotTellYetError, DeclaredHost, Props, host_policy
from policies.firewall.declared import JUDGES
from policies.settings import WAIVED_HOSTS, PolicySettings
from rules.values.family import Family


def kept_rules(host: DeclaredHost) -> Iterator[Props]:
    """The observed rules of a kept firewall, as the properties of rulesets."""
    for resource in host.of(KEPT):
        observed = resource.props.get("observed")
        if observed is None:
            raise CannotTellYetError("the rules of a firewall that is kept are seen only in `pulumi up`")
        for family in Family:
            yield {"host": host.name, "family": family.value, "rules": observed[family.value]}


def _check(host: DeclaredHost, settings: PolicySettings) -> Iterable[str]:
    for props in kept_rules(host):
        for name, (judge, chosen) in sorted(JUDGES.items()):
            if host.name not in chosen.table(WAIVED_HOSTS.name):
                yield from (f"{name}: {problem}" for problem in judge(props, chosen))


POLICIES = [
    host_policy(
        "kept-firewall", "A firewall managed by ufw or firewalld passes the mandatory firewall policies.", _check
    )
]

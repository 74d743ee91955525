"""What others' rules expose on a host, beyond the declared ones, is checked like those."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from policies.base import RULESET, DeclaredHost, host_policy
from policies.firewall.declared import JUDGES
from policies.firewall.exposure import allowed_rules
from policies.settings import WAIVED_HOSTS, PolicySettings, SettingsError
from rules.values.family import Family

_LINE = re.compile(r"(?P<sure>possibly )?(?P<line>\S+(?: \S+)? from [^(]+?)(?: \(.*\))?(?:, (?:at|by|forwarded) .*)?")
_JUDGE = "exposure-allowed"


def _check(host: DeclaredHost, _settings: PolicySettings) -> Iterable[str]:
    if _JUDGE not in JUDGES:
        return
    judge, chosen = JUDGES[_JUDGE]
    if host.name in chosen.table(WAIVED_HOSTS.name):
        return
    for resource in host.of(RULESET):
        observed = resource.props.get("observed")
        family = Family(resource.props["family"])
        for line in observed.get("published") or () if observed is not None else ():
            text = "\n".join(("*filter", ":INPUT DROP", *_rules(line, family), "COMMIT"))
            if any(judge({"host": host.name, "family": family.value, "rules": text}, chosen)):
                yield (
                    f"{_JUDGE}: {line}: this can be reached and must not be. Publish it to the loopback (`-p "
                    f"127.0.0.1:...`), deny it in DOCKER-USER, or add it to allowedExposure."
                )


def _rules(line: str, family: Family) -> Iterator[str]:
    """Rules that let in what a line describes; everything if rules cannot express the line."""
    found = _LINE.fullmatch(line)
    plain = re.sub(r"anywhere but .*", "anywhere", found["line"]) if found is not None else "everything from anywhere"
    try:
        rules = list(allowed_rules(plain, family))
    except SettingsError:
        rules = []
    yield from rules or ["-A INPUT -j ACCEPT"]


POLICIES = [
    host_policy(
        "published-allowed", "What other programs such as Docker publish also passes `exposure-allowed`.", _check
    )
]

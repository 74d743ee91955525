"""The report on ports of a host that other programs' rules publish."""

from __future__ import annotations

from components.firewall.ruleset.published import published
from components.firewall.ruleset.reachable import reachable
from components.firewall.ruleset.settings import RulesetInputs
from rules.values.family import Family
from tests.unit.rules.path.hosts import ADDRESSES, ROUTES, docker_text

OURS = """*filter
:INPUT DROP
:FORWARD DROP
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp --dport 22 -j ACCEPT
COMMIT
"""
LINE = "tcp/5432 from anywhere, forwarded to 172.17.0.2:5432 by nat DOCKER 2 and filter DOCKER 1"


def _sections(saved: str) -> dict[str, str]:
    return {"saved": saved, "addresses": ADDRESSES, "routes": ROUTES, "forwards": "1\n"}


def _inputs() -> RulesetInputs:
    return RulesetInputs(host="web1", family=Family.IPV4, rules=OURS)


def test_what_docker_publishes_is_beyond_what_is_declared() -> None:
    assert published(_sections(docker_text()), _inputs()) == (LINE,)
    assert reachable(_sections(docker_text()), Family.IPV4) == ("tcp/22 from anywhere", LINE)


def test_what_others_only_deny_publishes_nothing() -> None:
    banned = OURS.replace("COMMIT", "-N f2b\n-I INPUT -p tcp -j f2b\n-A f2b -s 192.0.2.7 -j REJECT\nCOMMIT")
    saved = banned.replace("-N f2b\n-I INPUT", "-A INPUT").replace(":FORWARD DROP\n", ":FORWARD DROP\n:f2b - [0:0]\n")
    assert published(_sections(saved), _inputs()) == ()
    assert published(_sections(OURS), _inputs()) == ()


def test_what_cannot_be_read_publishes_nothing() -> None:
    assert published({"saved": "*filter\n-A INPUT -j\nCOMMIT\n"}, _inputs()) == ()
    assert published({"saved": "*filter\n-A INPUT -p what ever -j ACCEPT\nCOMMIT\n"}, _inputs()) == ()

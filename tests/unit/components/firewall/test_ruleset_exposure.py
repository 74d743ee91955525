"""The exposure in the preview of a ruleset, for rulesets that are costly to analyse."""

import pytest

from components.firewall.ruleset.resource import RulesetProvider
from components.firewall.ruleset.way_in import refusal
from hosts.ssh.connection import HostAccess
from rules.language.parse import parse
from rules.values.family import Family

OPEN = "*filter\n:INPUT DROP\n{}COMMIT\n"


def shown(rules: str) -> str:
    result = RulesetProvider().check({}, {"host": "web1", "family": "ipv4", "rules": rules})
    assert result.failures == []
    return str(result.inputs["exposure"])


def test_more_than_a_thousand_rules_are_worked_out() -> None:
    ports = range(2, 2042, 2)
    rules = "".join(f"-A INPUT -p tcp -m tcp --dport {port} -j ACCEPT\n" for port in ports)
    assert shown(OPEN.format(rules)) == "\n".join(f"tcp/{port} from anywhere" for port in ports)


def test_more_than_that_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.firewall.ruleset.settings.EXPLAINED", 1)
    rules = "-A INPUT -p tcp -m tcp --dport 9001 -j ACCEPT\n-A INPUT -p tcp -m tcp --dport 9003 -j ACCEPT\n"
    assert shown(OPEN.format(rules)) == "not worked out for more than 1 rules"


def test_rules_that_are_too_intricate_are_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rules.packets.diagrams.MOST_NODES", 90)
    rules = "".join(f"-A INPUT -s 10.0.{port}.0/24 -p tcp -m tcp --dport {port} -j DROP\n" for port in range(9))
    assert shown(OPEN.format(rules)) == (
        "not worked out: INPUT: rules 1 to 9 of INPUT overlap in too many ways: more than 90 cases"
    )
    way = {"bootstrap": {"host": "198.51.100.3"}}
    assert refusal(parse(OPEN.format(rules), Family.IPV4), HostAccess.model_validate({"name": "web1", **way})) == ""

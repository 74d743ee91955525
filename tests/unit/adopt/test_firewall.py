"""Rules that the guide's preset and services made are recognised; any others stay text."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adopt.firewall import typed_rules
from components.firewall.settings import FirewallSettings
from rules.values.family import Family

_NETWORKS = st.sampled_from(["203.0.113.1", "198.51.100.0/24", "2001:db8::/48", "2001:db8::7", "192.0.2.128/25"])
_SERVICES = st.fixed_dictionaries(
    {"ports": st.lists(st.integers(1, 65535), min_size=1, max_size=4, unique=True)},
    optional={
        "name": st.from_regex(r"[a-z][a-z0-9 ]{0,10}[a-z]", fullmatch=True),
        "protocol": st.sampled_from(["udp", "tcp", "sctp"]),
        "sources": st.lists(_NETWORKS, min_size=1, max_size=4, unique=True),
    },
)
_SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "preset": st.sampled_from(["web", "ssh"]),
        "sshPort": st.sampled_from([22, 2222]),
        "sshSources": st.lists(_NETWORKS, min_size=1, max_size=3, unique=True),
        "services": st.lists(_SERVICES, max_size=4, unique_by=str),
        "nodebalancer": st.booleans(),
        "icmp": st.sampled_from(["printed", "listed"]),
        "log": st.booleans(),
        "logRate": st.sampled_from(["5/min", "3/h", "1/s", "2/d"]),
        "ipv6Mode": st.sampled_from(["filter", "reject"]),
    },
)


def rules_of(settings: dict[str, Any]) -> dict[Family, str]:
    made = FirewallSettings.model_validate(settings)
    return {family: made.ruleset(family) for family in Family}


@given(_SETTINGS)
def test_whatever_is_recognised_makes_exactly_the_same_rules(settings: dict[str, Any]) -> None:
    rules = rules_of(settings)
    assert rules_of(typed_rules(rules)) == rules


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"preset": "ssh", "sshPort": 2222, "log": False},
        {"sshSources": ["198.51.100.0/24", "2001:db8::/48"], "icmp": "listed", "nodebalancer": True},
        {"services": [{"name": "PostgreSQL", "ports": [5432], "sources": ["203.0.113.1", "203.0.113.2"]}]},
        {"services": [{"ports": [53], "protocol": "udp"}, {"ports": [8000, "9000:9010"]}], "logRate": "3/h"},
        {"services": [{"protocol": "esp"}, {"name": "ping", "protocol": "icmp", "types": ["8"]}]},
        {"ipv6Mode": "reject"},
    ],
)
def test_the_guides_rules_become_typed_settings(settings: dict[str, Any]) -> None:
    found = typed_rules(rules_of(settings))
    assert not {"ipv4", "ipv6"} & found.keys()
    assert rules_of(found) == rules_of(settings)


def test_rules_of_another_kind_stay_text() -> None:
    rules = rules_of({"ipv4": {"rules": "-P INPUT DROP\n-A INPUT -p tcp --dport 22 -j ACCEPT"}})
    found = typed_rules(rules)
    assert "preset" not in found
    assert rules_of(found) == rules


def test_one_family_may_be_typed_and_the_other_text() -> None:
    rules = rules_of({"ipv6": {"rules": "-A INPUT -j DROP"}})
    found = typed_rules(rules)
    assert found["preset"] == "web"
    assert list(found["ipv6"]) == ["rules"]
    assert rules_of(found) == rules

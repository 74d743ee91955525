"""The way in that replaces rules that could not be loaded."""

import pytest

from rules.analysis.doors import doors, has_neighbours, interface_patterns, restricts
from rules.language.parse import parse
from rules.presets import guide as presets
from rules.values.family import Family

DENY = "\n-P INPUT DROP"


def told(text: str, *ports: int) -> list[str]:
    return [str(door) for door in doors(parse(text, Family.IPV4), ports)]


@pytest.mark.parametrize("family", Family)
def test_only_what_the_rules_let_in_at_these_ports(family: Family) -> None:
    assert [str(door) for door in doors(presets.web(family), (2222, 22))] == ["- 22 - accept"]
    assert doors(presets.reject_all(family), (22,)) == ()


def test_sources_are_those_of_the_rules_however_they_are_written() -> None:
    text = "-N ssh\n-A ssh -s 192.0.2.4,198.51.100.0/24 -j ACCEPT\n-A INPUT -p tcp -m multiport --dports 22,25 -j ssh"
    assert told(text + DENY, 22) == ["- 22 192.0.2.4/32 accept", "- 22 198.51.100.0/24 accept"]
    banned = "-A INPUT -s 128.0.0.0/1 -j DROP\n-A INPUT -p tcp --dport 22 -j ACCEPT"
    assert "- 22 192.0.0.0/3 accept" not in told(banned + DENY, 22)
    assert "- 22 64.0.0.0/3 accept" in told(banned + DENY, 22)


def test_interfaces_are_told_apart() -> None:
    text = "-A INPUT -i wg0 -p tcp --dport 22 -j ACCEPT\n-A INPUT -s 10.0.0.0/8 -i eth+ -p tcp --dport 22 -j ACCEPT"
    assert told(text + DENY, 22) == [
        "wg0 22 - accept",
        "wg0 22 - deny",
        "eth+ 22 10.0.0.0/8 accept",
        "eth+ 22 - deny",
    ]


def test_what_cannot_be_told_counts_as_open() -> None:
    assert told("-A INPUT -p tcp --dport 22 -m set --match-set admins src -j ACCEPT" + DENY, 22) == ["- 22 - accept"]
    limited = "-A INPUT -p tcp --dport 22 -m recent --update --seconds 60 --hitcount 4 -j DROP\n"
    assert told(limited + "-A INPUT -p tcp --dport 22 -j ACCEPT" + DENY, 22) == ["- 22 - accept"]


def test_what_the_families_need() -> None:
    assert has_neighbours(presets.web(Family.IPV6))
    assert not has_neighbours(presets.reject_all(Family.IPV6))
    assert restricts(presets.web(Family.IPV4), "FORWARD")
    assert not restricts(parse("-A INPUT -j DROP", Family.IPV4), "FORWARD")


def test_patterns_of_interfaces_need_no_backslash() -> None:
    assert interface_patterns(("br-*", "docker0", "a.?")) == "br-.*|docker0|a[.]."

"""Whether a host can open connections over a family at all."""

import pytest

from rules.analysis.isolation import connects_out
from rules.language.parse import parse
from rules.presets import guide as presets
from rules.values.family import Family

GUIDE = "*filter\n-A INPUT -j REJECT\n-A FORWARD -j REJECT\n-A OUTPUT -j REJECT\nCOMMIT\n"
ANSWERS = "-A INPUT -m state --state ESTABLISHED -j ACCEPT\n"


@pytest.mark.parametrize(
    ("rules", "out"),
    [
        ("", True),
        (GUIDE, False),
        ("-P INPUT DROP\n-P OUTPUT DROP\n-A OUTPUT -o lo -j ACCEPT\n", False),
        ("-A INPUT -i lo -j ACCEPT\n-A INPUT -j DROP\n", False),  # replies are dropped
        (f"-P INPUT DROP\n{ANSWERS}", True),
        (f"-P INPUT DROP\n-P OUTPUT DROP\n{ANSWERS}-A OUTPUT -p udp -j ACCEPT\n", False),
        (f"-P INPUT DROP\n-P OUTPUT DROP\n{ANSWERS}-A OUTPUT -p tcp --dport 443 -j ACCEPT\n", True),
        ("-A OUTPUT -m state --state NEW -j REJECT\n", False),
    ],
)
def test_what_a_ruleset_leaves_of_a_family(rules: str, out: bool) -> None:
    assert connects_out(parse(rules, Family.IPV6)) is out


def test_presets() -> None:
    assert connects_out(presets.web(Family.IPV6))
    assert not connects_out(presets.reject_all(Family.IPV6))

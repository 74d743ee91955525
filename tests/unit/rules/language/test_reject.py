"""Other names of REJECT's answers, which iptables accepts and does not print (iptables-extensions(8))."""

import pytest

from rules.language.parse import parse
from rules.language.render import render
from rules.values.family import Family


@pytest.mark.parametrize(
    ("family", "name", "printed"),
    [
        (Family.IPV4, "net-unreach", "icmp-net-unreachable"),
        (Family.IPV4, "host-unreach", "icmp-host-unreachable"),
        (Family.IPV4, "proto-unreach", "icmp-proto-unreachable"),
        (Family.IPV4, "port-unreach", "icmp-port-unreachable"),
        (Family.IPV4, "net-prohib", "icmp-net-prohibited"),
        (Family.IPV4, "host-prohib", "icmp-host-prohibited"),
        (Family.IPV4, "admin-prohib", "icmp-admin-prohibited"),
        (Family.IPV4, "tcp-rst", "tcp-reset"),
        (Family.IPV6, "no-route", "icmp6-no-route"),
        (Family.IPV6, "adm-prohibited", "icmp6-adm-prohibited"),
        (Family.IPV6, "addr-unreach", "icmp6-addr-unreachable"),
        (Family.IPV6, "port-unreach", "icmp6-port-unreachable"),
        (Family.IPV6, "policy-fail", "icmp6-policy-fail"),
        (Family.IPV6, "reject-route", "icmp6-reject-route"),
        (Family.IPV6, "tcp-rst", "tcp-reset"),
    ],
)
def test_an_answer_has_one_name_in_canonical_form(family: Family, name: str, printed: str) -> None:
    text = f"*filter\n-A INPUT -p tcp -j REJECT --reject-with {name}\nCOMMIT\n"
    assert f"-A INPUT -p tcp -j REJECT --reject-with {printed}\n" in render(parse(text, family))

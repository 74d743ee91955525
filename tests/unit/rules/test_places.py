"""Matches and targets in wrong chains, tables or protocols are refused with the position (the kernel: tests/kernel)."""

from __future__ import annotations

import pytest

from rules.errors import RuleSyntaxError
from rules.language.parse import parse, parse_saved
from rules.values.family import Family

V4, V6 = Family.IPV4, Family.IPV6


@pytest.mark.parametrize(
    ("table", "rule", "column", "reason"),
    [
        ("filter", "-A INPUT -m owner --uid-owner 0 -j ACCEPT", 13, "owner is not possible in INPUT"),
        ("filter", "-A FORWARD -m owner --uid-owner 0", 15, "owner is not possible in FORWARD"),
        ("filter", "-A OUTPUT -m mac --mac-source 52:54:00:00:00:01", 14, "mac is not possible in OUTPUT"),
        ("nat", "-A POSTROUTING -p tcp -j DNAT --to-destination 192.0.2.1", 26, "DNAT is not possible in POSTROUTING"),
        ("nat", "-A PREROUTING -j SNAT --to-source 192.0.2.1", 18, "SNAT is not possible in PREROUTING"),
        ("nat", "-A PREROUTING -j MASQUERADE", 18, "MASQUERADE is not possible in PREROUTING"),
        ("nat", "-A POSTROUTING -j REDIRECT", 19, "REDIRECT is not possible in POSTROUTING"),
        ("nat", "-A PREROUTING -i eth0 -j REDIRECT --to-ports 8080", 26, "REDIRECT to a port needs a protocol"),
        ("nat", "-A PREROUTING -j DNAT --to-destination 192.0.2.1:80", 18, "DNAT to a port needs a protocol"),
        ("nat", "-A POSTROUTING -p gre -j MASQUERADE --to-ports 80-90", 26, "MASQUERADE to a port needs a protocol"),
        ("mangle", "-A INPUT -p tcp -j TPROXY --on-port 80", 20, "TPROXY is not possible in INPUT"),
        (
            "mangle",
            "-A PREROUTING -p tcp -j TCPMSS --clamp-mss-to-pmtu",
            25,
            "TCPMSS --clamp-mss-to-pmtu is not possible",
        ),
        ("mangle", "-A INPUT -j CLASSIFY --set-class 1:1", 13, "CLASSIFY is not possible in INPUT"),
        ("raw", "-A PREROUTING -j CT --helper ftp", 18, "CT --helper needs a protocol"),
        ("filter", "-A INPUT -j NOTRACK", 13, "NOTRACK is not possible in table filter"),
        ("filter", "-A OUTPUT -m policy --dir in --pol ipsec", 14, "policy --dir in is not possible in OUTPUT"),
        ("filter", "-A INPUT -m ecn --ecn-tcp-cwr", 13, "ecn needs -p tcp"),
        ("filter", "-A INPUT -m ah --ahspi 1", 13, "ah needs -p ah"),
    ],
)
def test_what_no_kernel_takes_is_refused_with_its_place(table: str, rule: str, column: int, reason: str) -> None:
    text = f"*{table}\n{rule}\nCOMMIT\n"
    with pytest.raises(RuleSyntaxError) as caught:
        parse(text, V4)
    assert (caught.value.line, caught.value.column) == (2, column)
    assert reason in caught.value.reason
    assert parse_saved(text, V4).tables


def test_a_chain_is_judged_by_where_it_is_called_from() -> None:
    chain = "*filter\n:one - [0:0]\n:two - [0:0]\n-A one -g two\n-A two -m owner --uid-owner 0\n{}COMMIT\n"
    for caller in ("", "-A OUTPUT -j one\n"):
        assert parse(chain.format(caller), V4).tables
    with pytest.raises(RuleSyntaxError, match="owner is not possible in two, which INPUT leads to") as caught:
        parse(chain.format("-A OUTPUT -j one\n-A INPUT -j one\n"), V4)
    assert (caught.value.line, caught.value.column) == (5, 11)


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        ("nat", "-A INPUT -j SNAT --to-source 2001:db8::1"),
        ("nat", "-A OUTPUT -p tcp -j DNAT --to-destination :80"),
        ("nat", "-A PREROUTING -p icmp -j REDIRECT --to-ports 80"),
        ("mangle", "-A POSTROUTING -m owner --uid-owner 0 -j MARK --set-mark 1"),
        ("filter", "-A INPUT -m ah --ahspi 1"),
        ("filter", "-A FORWARD -m physdev --physdev-out eth0"),
    ],
)
def test_what_the_kernel_takes_is_read(table: str, rule: str) -> None:
    assert parse(f"*{table}\n{rule}\nCOMMIT\n", V6).tables

"""Default-deny: the thresholds for nearly all ports and for too many sources."""

from __future__ import annotations

import pytest

from rules.analysis.reachability import OpenLimits, analyse
from rules.language.parse import parse
from rules.model import Ruleset
from rules.values.family import Family

V4, V6 = Family.IPV4, Family.IPV6


def _drop(*rules: str, family: Family = V4) -> Ruleset:
    return parse("\n".join(["-P INPUT DROP", *rules]), family)


@pytest.mark.parametrize(
    ("rule", "denies"),
    [
        ("-s 10.0.0.0/8", True),
        ("-s 192.0.2.0/24", True),
        ("-s 192.0.2.0/23", False),
        ("-m iprange --src-range 192.0.2.0-192.0.3.0", False),
        ("-p tcp", False),
        ("-p tcp --dport :32767", True),
        ("-p tcp --dport 1024:", False),
        ("-p udp", False),
        ("! -p tcp", False),
        ("-i lo", True),
        ("! -i eth0", False),
        ("-m state --state ESTABLISHED", True),
        ("-p tcp --syn", False),
        ("-p tcp ! --syn", False),
        ("-m recent --name x --rcheck", None),
        ("-m conntrack --ctstate SNAT", True),
    ],
)
def test_default_deny(rule: str, denies: bool | None) -> None:
    assert analyse(_drop(f"-A INPUT {rule} -j ACCEPT")).default_deny() is denies


def test_nothing_is_translated_by_a_nat_table_that_does_not() -> None:
    rules = "*filter\n:INPUT DROP\n-A INPUT -m conntrack --ctstate DNAT -j ACCEPT\nCOMMIT\n"
    plain, translating = ("-A POSTROUTING -j MASQUERADE", "-A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8080")
    assert analyse(parse(f"*nat\n{plain}\nCOMMIT\n{rules}", V4)).default_deny() is True
    assert analyse(parse(f"*nat\n{translating}\nCOMMIT\n{rules}", V4)).default_deny() is False


def test_two_halves_are_the_whole() -> None:
    halves = ["-A INPUT -p tcp --dport :2000 -j ACCEPT", "-A INPUT -p tcp --dport 2001: -j ACCEPT"]
    assert analyse(_drop(*halves)).default_deny() is False
    assert analyse(_drop(*halves[:1])).default_deny() is True


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        (["-p tcp ! --dport 23"], "more than 32768 TCP ports from anywhere"),
        (["-p udp ! --dport 53"], "more than 32768 UDP ports from anywhere"),
        (["-p tcp --dport 1:22", "-p tcp --dport 24:"], "more than 32768 TCP ports from anywhere"),
        (["-p tcp -m multiport ! --dports 22,23"], "more than 32768 TCP ports from anywhere"),
        (["! -s 203.0.113.7 -p tcp ! --dport 23"], "more than 32768 TCP ports from anywhere but 203.0.113.7"),
        (["! -s 203.0.113.7"], "more than 32768 TCP ports from anywhere but 203.0.113.7"),
        (["-s 0.0.0.0/1", "-s 128.0.0.0/1"], "more than 32768 TCP ports from anywhere"),
        ([f"-s 8.{one >> 7}.{one % 128 * 2}.0/24" for one in range(300)], "more than 32768 TCP ports from 76800 addr"),
        (["! -p tcp"], "more than 32768 UDP ports from anywhere"),
        (["-p tcp -j DROP", "-p udp -j DROP", "-s 0.0.0.0/0"], "more than 128 protocols from anywhere"),
        (["-m set ! --match-set blocklist src"], "more than 32768 TCP ports from anywhere"),
        (["-m set --match-set blocklist src -j DROP", "-p tcp ! --dport 23"], ""),
        (["-m mac ! --mac-source 52:54:00:00:00:01"], "more than 32768 TCP ports from anywhere"),
        (["-m geoip ! --source-country FR"], "more than 32768 TCP ports from anywhere"),
    ],
)
def test_nearly_everything_is_not_denied_by_default(rules: list[str], told: str) -> None:
    written = [rule if "-j" in rule else f"{rule} -j ACCEPT" for rule in rules]
    analysis = analyse(_drop(*(f"-A INPUT {rule}" for rule in written)))
    assert analysis.default_deny() is (False if told else None)
    assert any(line.startswith(told) for line in analysis.wide_open()) if told else analysis.wide_open() == ()


@pytest.mark.parametrize(
    "rules",
    [
        ["-p udp --dport 10000:20000", "-p tcp --dport 49152:65535", "-p tcp --dport 30000:32767", "-p icmp"],
        ["-p esp", "-p ah", "-p gre", "-p vrrp", "-p ospf"],
        [f"-s 8.0.{number}.0/24" for number in range(0, 20, 2)],
        ["-m set --match-set office src"],
        ["-m mark ! --mark 0"],
    ],
)
def test_what_is_listed_may_be_much(rules: list[str]) -> None:
    analysis = analyse(_drop(*(f"-A INPUT {rule} -j ACCEPT" for rule in rules)))
    assert analysis.default_deny() is not False


def test_limits_are_configurable() -> None:
    high = _drop("-A INPUT -p tcp --dport 1024: -j ACCEPT")
    assert analyse(high).default_deny(limits=OpenLimits(ports=64_512)) is True
    ruleset = _drop("-A INPUT -s 192.0.2.0/23 -j ACCEPT")
    assert analyse(ruleset).default_deny(limits=OpenLimits(ipv4_addresses=512)) is True
    assert analyse(ruleset).default_deny(limits=OpenLimits(private=("192.0.2.0/23",))) is True
    wide = _drop("-A INPUT -s 2001:db8::/64 -j ACCEPT", family=V6)
    assert analyse(wide).default_deny() is False
    assert analyse(wide).default_deny(limits=OpenLimits(ipv6_prefix=63)) is True
    assert analyse(_drop("-A INPUT -s 2001:db8::/65 -j ACCEPT", family=V6)).default_deny() is True

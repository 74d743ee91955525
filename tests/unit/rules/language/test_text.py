"""Bytes, separators and numbers in rule text: only line feeds end lines, and iptables-save's output can be read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosts.text.rawtext import to_bytes, to_text
from rules.errors import RuleSyntaxError
from rules.language.parse import parse, parse_saved
from rules.language.render import canonical, render
from rules.values.family import Family

V4, V6 = Family.IPV4, Family.IPV6
SEPARATORS = ("\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\ufffdE9", "\ufffd85", "ü", "\t")


def _only(text: str, read: Callable[[str, Family], object] = parse) -> str:
    """The only rule of a text, in canonical form."""
    ruleset = read(f"*filter\n{text}\nCOMMIT\n", V4)
    lines = render(ruleset).partition("-A ")  # type: ignore[arg-type]
    return f"-A {lines[2].removesuffix('COMMIT' + chr(10)).rstrip(chr(10))}"


@pytest.mark.parametrize("char", SEPARATORS)
@pytest.mark.parametrize("read", [parse, parse_saved])
def test_only_a_line_feed_ends_a_line(char: str, read: Callable[[str, Family], object]) -> None:
    for option in ("-m comment --comment {}", "-m helper --helper {}"):
        rule = f"-A INPUT {option.format(f'{chr(34)}a{char}b{chr(34)}')} -j ACCEPT"
        assert _only(rule, read) == rule


@given(st.binary(min_size=1, max_size=60))
def test_bytes_survive(raw: bytes) -> None:
    text = to_text(raw.replace(b"\0", b"").replace(b"\n", b"") or b"a")
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("'", "\\'") + '"'
    rule = f"-A INPUT -m comment --comment {quoted} -j LOG --log-prefix {quoted[:1]}x{quoted[-1:]}"
    for read in (parse, parse_saved):
        found = _only(rule, read)
        assert to_bytes(_only(found, read)) == to_bytes(found)
        assert (
            to_bytes(text).replace(b'"', b"") in to_bytes(found).replace(b"\\", b"").replace(b'"', b"") or b"\\" in raw
        )


def test_sizes_are_counted_in_bytes() -> None:
    assert _only(f'-A INPUT -j LOG --log-prefix "{chr(0xFFFD)}E9{"x" * 28}"')
    with pytest.raises(RuleSyntaxError, match="30 bytes"):
        parse(f'-A INPUT -j LOG --log-prefix "{chr(0xFFFD)}E9{"x" * 29}"', V4)
    assert '--hex-string "|66fc72|"' in _only(f'-A INPUT -m string --algo bm --string "f{chr(0xFFFD)}FCr"')


SAVED = [
    # A line feed in a comment, blank lines, and text that looks like another rule.
    ('-A INPUT -m comment --comment "a\nb" -j ACCEPT', None),
    ('-A INPUT -m comment --comment "a\n\n-A INPUT -j DROP\nCOMMIT\n" -j ACCEPT', None),
    # Names are printed without quotes.
    (
        "-A INPUT -m recent --set --name a b --mask 255.255.255.255 --rsource -j ACCEPT",
        '-A INPUT -m recent --set --name "a b" --mask 255.255.255.255 --rsource -j ACCEPT',
    ),
    (
        "-A INPUT -m recent --set --name a -j DROP --mask 255.255.255.255 --rsource -j ACCEPT",
        '-A INPUT -m recent --set --name "a -j DROP" --mask 255.255.255.255 --rsource -j ACCEPT',
    ),
    (
        '-A INPUT -m recent --set --name a"b --mask 255.255.255.255 --rsource -m comment --comment "x y"',
        '-A INPUT -m recent --set --name "a\\"b" --mask 255.255.255.255 --rsource -m comment --comment "x y"',
    ),
    (
        '-A INPUT -m recent --set --name "a --mask 255.255.255.255 --rsource -j ACCEPT',
        '-A INPUT -m recent --set --name "\\"a" --mask 255.255.255.255 --rsource -j ACCEPT',
    ),
    (
        "-A INPUT -m hashlimit --hashlimit-upto 5/min --hashlimit-burst 5 --hashlimit-name a  b -j ACCEPT",
        '-A INPUT -m hashlimit --hashlimit-upto 5/min --hashlimit-burst 5 --hashlimit-name "a  b" -j ACCEPT',
    ),
    ("-A INPUT -m set ! --match-set a b src,dst -j DROP", '-A INPUT -m set ! --match-set "a b" src,dst -j DROP'),
]


@pytest.mark.parametrize(("printed", "rule"), SAVED)
def test_what_iptables_save_prints_is_read(printed: str, rule: str | None) -> None:
    text = f"*filter\n{printed}\n-A INPUT -j LOG\nCOMMIT\n"
    found = parse_saved(text, V4)
    chain = found.chain("filter", "INPUT")
    assert chain is not None
    assert len(chain.rules) == 2
    assert render(found).partition("-A")[1:] != ("", "")
    assert f"{rule or printed}\n-A INPUT -j LOG\n" in render(found)
    if rule is not None:
        assert _only(rule) == rule


def test_a_line_feed_in_quotes_is_refused_where_rules_are_declared() -> None:
    with pytest.raises(RuleSyntaxError, match="never closed"):
        parse(SAVED[0][0], V4)


@pytest.mark.parametrize(
    ("rule", "readings"),
    [
        ("-p tcp --dport 0443", ("291", "443")),
        ("-p tcp --dport 22:0443", ("291", "443")),
        ("-p tcp -m multiport --dports 80,0443", ("291", "443")),
        ("-s 192.0.2.0/024", ("20", "24")),
        ("-s 192.0.2.010", ("8", "10")),
        ("-s 10.0.0.1,192.0.2.010", ("8", "10")),
        ("-s 192.0.2.0/255.255.255.0300", ("192", "300")),
        ("-p 017", ("15", "17")),
        ("-m iprange --src-range 192.0.2.1-192.0.2.020", ("16", "20")),
        ("-m conntrack --ctproto 017", ("15", "17")),
        ("-m conntrack --ctorigsrc 192.0.2/24", ("192.0.0.2", "192.0.2.0")),
        ("-m conntrack --ctrepldst 10.1", ("10.0.0.1", "10.1.0.0")),
    ],
)
def test_a_number_with_two_readings_is_refused_with_both(rule: str, readings: tuple[str, str]) -> None:
    with pytest.raises(RuleSyntaxError) as caught:
        parse(f"-A INPUT {rule} -j ACCEPT", V4)
    assert all(reading in caught.value.reason for reading in readings)


@pytest.mark.parametrize(
    ("rule", "family"),
    [("-p tcp --dport 08", V4), ("-s 192.0.2.0/08", V4), ("-s 2001:db8::/064", V6), ("-p tcp --dport 0443", V6)],
)
def test_leading_zeros_elsewhere_are_refused(rule: str, family: Family) -> None:
    with pytest.raises(RuleSyntaxError):
        parse(f"-A INPUT {rule} -j ACCEPT", family)


@pytest.mark.parametrize(
    ("rule", "family"),
    [
        ("-s 2001:0db8:0010::/48", V6),
        ("-p tcp --dport 07", V4),
        ("-m comment --comment 010", V4),
        ("-s 192.0.02.1", V4),
    ],
)
def test_zeros_that_make_no_difference_are_fine(rule: str, family: Family) -> None:
    assert parse(f"-A INPUT {rule} -j ACCEPT", family).tables


def test_what_is_saved_is_read_as_the_kernel_reads_it() -> None:
    assert _only("-A INPUT -s 192.0.2.010/32 -p tcp -m tcp --dport 0443", parse_saved) == (
        "-A INPUT -s 192.0.2.8/32 -p tcp -m tcp --dport 291"
    )


@pytest.mark.parametrize("number", ["٤٤٣", "4_3", "+443", " 443", "0b11", "0o17", "-0"])
def test_numbers_are_those_of_c(number: str) -> None:
    for rule in (f'-p tcp --dport "{number}"', f'-m ttl --ttl-eq "{number}"', f'-m mark --mark "{number}"'):
        with pytest.raises(RuleSyntaxError):
            parse(f"-A INPUT {rule} -j ACCEPT", V4)


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("-A INPUT -m pkttype --pkt-type bcast -j DROP", "-A INPUT -m pkttype --pkt-type broadcast -j DROP"),
        ("-A INPUT -m pkttype --pkt-type mcast -j DROP", "-A INPUT -m pkttype --pkt-type multicast -j DROP"),
        ("-A INPUT -m pkttype --pkt-type otherhost -j DROP", "-A INPUT -m pkttype --pkt-type otherhost -j DROP"),
        ("-A FORWARD -c 2,3 -j ACCEPT", "-A FORWARD -j ACCEPT"),
        ("-A FORWARD -c2,3 -j ACCEPT", "-A FORWARD -j ACCEPT"),
        ("-A FORWARD --set-counters=2,3 -j ACCEPT", "-A FORWARD -j ACCEPT"),
        ("-A FORWARD -c 2 3 -j ACCEPT", "-A FORWARD -j ACCEPT"),
        ("-AINPUT --jump=ACCEPT", "-A INPUT -j ACCEPT"),
        ("-A INPUT -j NFLOG --nflog-threshold 1", "-A INPUT -j NFLOG --nflog-threshold 1"),
        ("-A INPUT -j NFLOG --nflog-threshold 0 --nflog-range 0", "-A INPUT -j NFLOG"),
    ],
)
def test_spellings_that_the_kernel_takes(written: str, rule: str) -> None:
    assert _only(written) == rule
    assert _only(rule) == _only(rule, parse_saved) == rule


@pytest.mark.parametrize("counters", ["2", "a,b", "2,", "2, 3", "a b"])
def test_counters_are_numbers(counters: str) -> None:
    with pytest.raises(RuleSyntaxError):
        parse(f"-A FORWARD -c {counters} -j ACCEPT", V4)


def test_a_helper_is_printed_as_the_kernel_prints_it() -> None:
    text = "*raw\n:PREROUTING ACCEPT\n:OUTPUT ACCEPT\n-A PREROUTING -p tcp -j CT --helper Q.931\nCOMMIT\n"
    assert canonical(text, V4) == text
    assert "--ctevents new,destroy --zone 5\n" in canonical(
        "*raw\n-A PREROUTING -j CT --zone 05 --ctevents destroy,new\n", V4
    )

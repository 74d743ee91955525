"""Errors have the position, the reason and what was expected."""

from __future__ import annotations

import pytest

from rules.errors import RuleSyntaxError
from rules.language.parse import parse, parse_rule, parse_saved
from rules.values.family import Family

V4, V6 = Family.IPV4, Family.IPV6
# Text (with ⟨ before the position), a word of the reason or the expectation.
MISTAKES = [
    ("-A INPUT -p tcp --dport ⟨70000 -j ACCEPT", "out of range"),
    ("-A INPUT -p tcp --dport ⟨htpps -j ACCEPT", "did you mean https"),
    ("-A INPUT -p tcp --dport ⟨90:80 -j ACCEPT", "backwards"),
    ("-A INPUT -j ⟨ACCPET", "did you mean ACCEPT"),
    ("-A INPUT -j ⟨log", "did you mean LOG"),
    ("-A INPUT -j ⟨INPUT", "built-in chain"),
    ("-A ⟨INPTU -j ACCEPT", "did you mean INPUT"),
    ("-A INPUT -s ⟨2001:db8::1 -j ACCEPT", "IPv6 address in an IPv4 ruleset"),
    ("-A INPUT -s ⟨300.1.2.3 -j ACCEPT", "not an IPv4 address"),
    ("-A INPUT -j ACCEPT\n-D INPUT ⟨2", "INPUT has 1 rule, number 2 is out of range"),
    ("-A INPUT -s ⟨0x0a000001 -j ACCEPT", "four numbers in decimal"),
    ("-A INPUT -s ⟨10.0x1/8 -j ACCEPT", "four numbers in decimal"),
    ("-A INPUT -s ⟨10.0.0.0/33 -j ACCEPT", "prefix length from 0 to 32"),
    ("-A INPUT -s ⟨a.example/24 -j ACCEPT", "mask on a name"),
    ("-A INPUT ! -s ⟨10.0.0.1,10.0.0.2 -j DROP", "several addresses"),
    ("-A INPUT ⟨! -s 0/0 -j DROP", ""),
    ("-A INPUT ⟨--dport 22 -j ACCEPT", "-p tcp"),
    ("-A INPUT -p icmp ⟨--dport 22 -j ACCEPT", "protocol with ports"),
    ("-A INPUT -p icmp ⟨--icmpv6-type 128 -j ACCEPT", "-p icmp --icmp-type"),
    ("-A INPUT -p icmp --icmp-type ⟨neighbour-solicitation -j ACCEPT", "the other family"),
    ("-A INPUT -p ⟨tpc -j ACCEPT", "did you mean tcp"),
    ("-A INPUT -p tcp ⟨--doprt 22 -j ACCEPT", "did you mean --dport"),
    ("-A INPUT ⟨--state NEW -j ACCEPT", "-m state"),
    ("-A INPUT ⟨--reject-with tcp-reset", "-j REJECT"),
    ("-A INPUT -m ⟨sate --state NEW -j ACCEPT", "did you mean state"),
    ("-A INPUT -m state --state ⟨NWE -j ACCEPT", "did you mean NEW"),
    ("-A INPUT -m ⟨state -j ACCEPT", "--state"),
    ("-A INPUT -m ⟨hl --hl-eq 255 -j ACCEPT", "-m ttl"),
    ("-A INPUT -m ⟨multiport --dports 22 -j ACCEPT", "-p tcp"),
    ("-A INPUT -p tcp -m multiport --dports ⟨1,2,3,4,5,6,7,8,9,10,11,12,13,14:15,16 -j ACCEPT", "at most 15"),
    ("-A INPUT -m limit --limit ⟨5/fortnight -j ACCEPT", "not a rate"),
    ("-A INPUT -m limit ⟨! --limit 5/min -j ACCEPT", "cannot be negated"),
    ("-A INPUT -j REJECT --reject-with ⟨icmp6-port-unreachable", "not for IPv4"),
    ("-A INPUT -j ⟨REJECT --reject-with tcp-reset", "needs -p tcp"),
    ("-A INPUT ⟨-o eth0 -j ACCEPT", "not possible in INPUT"),
    ("-A INPUT -i ⟨averyverylonginterface -j ACCEPT", "1 to 15 characters"),
    ('-A INPUT -j LOG --log-prefix ⟨"a prefix that is far too long for it: "', "kernel keeps 29"),
    ("-A INPUT -j ⟨DNAT --to-destination 10.0.0.1", "table nat"),
    ("-A INPUT -g ⟨ACCEPT", "user chain"),
    ("-A INPUT -j ACCEPT ⟨-j DROP", "second target"),
    ("-A INPUT -p tcp ⟨-p udp -j ACCEPT", "twice"),
    ("-A INPUT -p tcp --dport 1 ⟨--dport 2 -j ACCEPT", "twice"),
    ("-A INPUT -s⟨", "needs a value"),
    ("⟨ACCEPT tcp", "belongs to no option"),
    ("-A INPUT -j ACCEPT ⟨# the web", "line of its own"),
    ("-A INPUT -m comment --comment ⟨'web server' -j ACCEPT", "single quotes"),
    ('-A INPUT -m comment --comment ⟨"web -j ACCEPT', "never closed"),
    ("-A INPUT -p tcp ⟨\u2013dport 22 -j ACCEPT", "en dash (U+2013)"),
    ("-A INPUT -p tcp ⟨\u2014dport 22 -j ACCEPT", "em dash"),
    ("-A INPUT -m comment --comment ⟨\u201cweb\u201d -j ACCEPT", "curly quote"),
    ("-A INPUT -j⟨\u00a0ACCEPT", "no-break space"),
    ("⟨-t nat -A INPUT -j ACCEPT", "*nat"),
    ("⟨*flter", "did you mean filter"),
    (":⟨INPT ACCEPT [0:0]", "no built-in chain"),
    (":INPUT ⟨REJECT [0:0]", "not a policy"),
    (":⟨ACCEPT - [0:0]", "is a target"),
    (":⟨a-chain-name-that-is-longer-than-it-may-be - [0:0]", "28 characters"),
    ("-P INPUT ⟨DORP", "did you mean DROP"),
    ("-I INPUT ⟨3 -j ACCEPT", "out of range"),
    ("-R INPUT ⟨1 -j ACCEPT", "out of range"),
    ("-D ⟨INPUT -j ACCEPT", "no such rule"),
    ("-N ⟨INPUT", "exists already"),
    ("⟨-L INPUT", "changes nothing"),
    ("-A INPUT ⟨-A OUTPUT -j ACCEPT", "second command"),
    ("⟨ip6tables -A INPUT -j ACCEPT", "ip6tables command in an IPv4 ruleset"),
    ("iptables -A INPUT -s ⟨$HOME -j ACCEPT", "shell syntax"),
    ("iptables -A INPUT -j ACCEPT ⟨&& iptables -A INPUT -j DROP", "shell syntax"),
    (":x -\n:y -\n-A x -j y\n-A y -j ⟨x", "loop"),
    ("*filter\nCOMMIT\n⟨*filter", "second time"),
]
MISTAKES_V6 = [
    ("-A INPUT -s ⟨192.0.2.1 -j ACCEPT", "IPv4 address in an IPv6 ruleset"),
    ("-A INPUT -p icmpv6 -m ⟨icmp --icmp-type 8 -j ACCEPT", "-p icmpv6 --icmpv6-type"),
    ("-A INPUT -p icmpv6 ⟨--icmp-type 8 -j ACCEPT", "-p icmpv6 --icmpv6-type"),
    ("-A INPUT -j REJECT --reject-with ⟨icmp-port-unreachable", "not for IPv6"),
    ("-A INPUT ⟨-f -j DROP", "-m frag"),
    ("-A INPUT -j ⟨TTL --ttl-set 5", "not for IPv6"),
    ("⟨iptables -A INPUT -j ACCEPT", "iptables command in an IPv6 ruleset"),
]


@pytest.mark.parametrize(
    ("marked", "said", "family"),
    [*((text, said, V4) for text, said in MISTAKES), *((text, said, V6) for text, said in MISTAKES_V6)],
)
def test_a_mistake_is_shown_where_it_is(marked: str, said: str, family: Family) -> None:
    lines = marked.splitlines()
    number = next(index for index, line in enumerate(lines, 1) if "⟨" in line)
    with pytest.raises(RuleSyntaxError) as caught:
        parse(marked.replace("⟨", ""), family)
    error = caught.value
    assert said in f"{error.reason}; {error.expected}"
    assert error.text == lines[number - 1].replace("⟨", "")
    if said:
        assert (error.line, error.column) == (number, lines[number - 1].index("⟨") + 1)


def test_the_message_shows_line_column_expectation_and_a_caret() -> None:
    with pytest.raises(RuleSyntaxError) as caught:
        parse("# web\n-A INPUT -p tcp --dport 70000 -j ACCEPT\n", V4)
    assert str(caught.value).splitlines() == [
        "2:25: port 70000 is out of range; expected a port from 0 to 65535 or a service name",
        "  -A INPUT -p tcp --dport 70000 -j ACCEPT",
        "                          ^",
    ]


@pytest.mark.parametrize(
    "text", ["-A INPUT -j ACCEPT\n-A INPUT -j DROP", "-I INPUT -j ACCEPT", "-A INPUT -s 10.0.0.1,10.0.0.2"]
)
def test_one_rule_is_wanted(text: str) -> None:
    with pytest.raises(RuleSyntaxError):
        parse_rule(text, V4)


@pytest.mark.parametrize("text", ["hello", '-A INPUT -m comment --comment "x'])
def test_saved_text_must_at_least_be_rules(text: str) -> None:
    with pytest.raises(RuleSyntaxError):
        parse_saved(text, V4)


@pytest.mark.parametrize(
    ("family", "to", "ports"),
    [
        (Family.IPV4, "192.0.2.1", False),
        (Family.IPV4, "192.0.2.1:80", True),
        (Family.IPV4, ":80", True),
        (Family.IPV6, "2001:db8::1", False),
        (Family.IPV6, "::1", False),
        (Family.IPV6, "[2001:db8::1]:80", True),
        (Family.IPV6, ":80", True),
    ],
)
def test_a_translation_to_a_port_needs_a_protocol_that_has_ports(family: Family, to: str, ports: bool) -> None:
    def text(protocol: str) -> str:
        return f"*nat\n-A PREROUTING {protocol} -j DNAT --to-destination {to}\nCOMMIT\n"

    parse(text("-p tcp"), family)
    if not ports:
        parse(text(""), family)
        return
    for protocol in ("", "-p gre"):
        with pytest.raises(RuleSyntaxError, match="DNAT to a port needs a protocol with ports"):
            parse(text(protocol), family)

"""Text as people write it: restore files and command lines."""

from __future__ import annotations

import pytest

from rules.language.parse import parse, parse_rule
from rules.language.render import canonical, render, render_rule
from rules.values.family import Family
from rules.values.typed import IcmpType, KeywordList, Network, PortList, Protocol, Range, Rate, TcpFlags

V4, V6 = Family.IPV4, Family.IPV6


def _rules(text: str, family: Family = V4) -> list[str]:
    return [line for line in canonical(text, family).splitlines() if line.startswith("-A")]


def test_values_are_data() -> None:
    rule = parse_rule(
        "-A INPUT ! -s 10.1.2.3/8 -d 192.0.2.7 -i eth+ -p tcp --dport 1024: --syn -m multiport --sports 1,5:9 "
        "-m state --state NEW,RELATED -m limit --limit 5/minute -j LOG --log-level debug",
        V4,
    )
    assert rule.source == Network(V4, 10 << 24, 0xFF000000)
    assert rule.destination is not None
    assert str(rule.destination) == "192.0.2.7/32"
    assert rule.in_interface == "eth+"
    assert rule.protocol == Protocol(6)
    assert rule.negations == ("source",)
    values = {option.name: option.value for match in rule.matches for option in match.options}
    assert values["dport"] == Range(1024, 65535)
    assert values["tcp-flags"] == TcpFlags(("FIN", "SYN", "RST", "ACK"), ("SYN",))
    assert values["sports"] == PortList((Range(1, 1), Range(5, 9)))
    assert values["state"] == KeywordList(("NEW", "RELATED"))
    assert values["limit"] == Rate(5, "min")
    assert rule.target is not None
    level = rule.target.option("log-level")
    assert level is not None
    assert level.value == 7


def test_icmp_types_are_data() -> None:
    rule = parse_rule("-A INPUT -p icmpv6 ! --icmpv6-type no-route -j DROP", V6)
    match = rule.match("icmp6")
    assert match is not None
    assert match.options[0].value == IcmpType(1, 0)
    assert match.negated


def test_without_a_table_line_rules_are_in_filter() -> None:
    text = "-A INPUT -j ACCEPT\n"
    assert parse(text, V4) == parse(f"*filter\n{text}COMMIT\n", V4)


def test_several_tables_are_kept_apart_and_put_in_order() -> None:
    text = "*filter\n-A INPUT -j DROP\nCOMMIT\n*nat\n-A POSTROUTING -o eth0 -j MASQUERADE\nCOMMIT\n*raw\nCOMMIT\n"
    ruleset = parse(text, V4)
    assert [table.name for table in ruleset.tables] == ["raw", "nat", "filter"]
    assert [rule.chain for _table, rule in ruleset.rules()] == ["POSTROUTING", "INPUT"]


def test_comments_blank_lines_counters_and_source_lines() -> None:
    text = "# rules\n\n  [12:345] -A INPUT -j ACCEPT   \n\t-A INPUT -j DROP -c 5 6\n"
    chain = parse(text, V4).chain("filter", "INPUT")
    assert chain is not None
    assert [rule.source_line for rule in chain.rules] == [3, 4]
    assert _rules(text) == ["-A INPUT -j ACCEPT", "-A INPUT -j DROP"]


def test_source_lines_make_no_difference_to_equality() -> None:
    assert parse("-A INPUT -j ACCEPT", V4) == parse("\n\n-A INPUT -j ACCEPT", V4)


def test_chains_are_declared_either_way_and_sorted_by_name() -> None:
    text = ":zeta - [0:0]\n-N alpha\n--new-chain Mid\n-P FORWARD DROP\n:INPUT DROP [5:6]\n-A INPUT -j alpha\n"
    assert render(parse(text, V4)).splitlines()[1:7] == [
        ":INPUT DROP",
        ":FORWARD DROP",
        ":OUTPUT ACCEPT",
        ":Mid -",
        ":alpha -",
        ":zeta -",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-I INPUT -j DROP", ["DROP", "ACCEPT", "RETURN"]),
        ("-I INPUT 2 -j DROP", ["ACCEPT", "DROP", "RETURN"]),
        ("-I INPUT 3 -j DROP", ["ACCEPT", "RETURN", "DROP"]),
        ("-R INPUT 1 -j DROP", ["DROP", "RETURN"]),
        ("-D INPUT 2", ["ACCEPT"]),
        ("-D INPUT -j ACCEPT", ["RETURN"]),
        ("-F INPUT", []),
        ("-F", []),
        ("-Z INPUT", ["ACCEPT", "RETURN"]),
        ("sudo iptables -w 5 -t filter -I INPUT 1 --jump DROP", ["DROP", "ACCEPT", "RETURN"]),
        ("$ sudo /sbin/iptables --insert INPUT -j DROP  # first", ["DROP", "ACCEPT", "RETURN"]),
        ("iptables-nft -D INPUT 1", ["RETURN"]),
        ("iptables -I INPUT \\\n  2 \\\n  -j DROP", ["ACCEPT", "DROP", "RETURN"]),
    ],
)
def test_commands_in_order(text: str, expected: list[str]) -> None:
    lines = _rules(f"-A INPUT -j ACCEPT\n-A INPUT -j RETURN\n{text}\n")
    assert [line.split()[-1] for line in lines] == expected


def test_a_rule_is_deleted_by_any_spelling_of_it() -> None:
    text = "-A INPUT -p tcp --dport 22 -m state --state NEW,RELATED -j ACCEPT\n"
    assert _rules(text + "-D INPUT --protocol 6 --destination-port ssh -m state --state RELATED,NEW -j ACCEPT\n") == []


def test_a_list_of_addresses_is_a_rule_each() -> None:
    assert _rules("-A INPUT -s 10.0.0.1,10.0.0.2 -d 192.0.2.1,192.0.2.2 -j DROP") == [
        f"-A INPUT -s 10.0.0.{source}/32 -d 192.0.2.{destination}/32 -j DROP"
        for source in (1, 2)
        for destination in (1, 2)
    ]


def test_shell_quoting_in_command_lines() -> None:
    wanted = ['-A INPUT -m comment --comment "it\\\'s \\"here\\"" -j ACCEPT']
    assert _rules('iptables -A INPUT -m comment --comment "it\'s \\"here\\"" -j ACCEPT') == wanted
    assert _rules("iptables -A INPUT -m comment --comment 'it'\\''s \"here\"' -j ACCEPT") == wanted
    assert _rules('-A INPUT -m comment --comment "it\'s \\"here\\"" -j ACCEPT') == wanted


def test_any_word_may_be_in_quotes() -> None:
    wanted = ['-A INPUT ! -p tcp -m conntrack --ctstate NEW -m comment --comment "!" -j ACCEPT']
    text = '"-A" INPUT "!" "-p" "tcp" -m conntrack "--ctstate" "NEW" -m comment --comment "!" "-j" ACCEPT'
    assert _rules(text) == wanted
    assert _rules(f"iptables {text}") == wanted


def test_typography_in_quotes_is_text() -> None:
    assert _rules('-A INPUT -m comment --comment "a \u2013 b" -j ACCEPT') == [
        '-A INPUT -m comment --comment "a \u2013 b" -j ACCEPT'
    ]


def test_a_command_in_a_comment_is_a_comment() -> None:
    assert _rules("# iptables -A INPUT -j ACCEPT\n#iptables -F\n-A INPUT -j DROP\n") == ["-A INPUT -j DROP"]


def test_lines_of_the_other_family_are_left_out() -> None:
    text = "-A INPUT -4 -p icmp -j ACCEPT\n-A INPUT -6 -p icmpv6 -j ACCEPT\n"
    assert _rules(text) == ["-A INPUT -p icmp -j ACCEPT"]
    assert _rules(text, V6) == ["-A INPUT -p ipv6-icmp -j ACCEPT"]


def test_policies_that_are_not_given_are_accept() -> None:
    assert canonical("-A INPUT -j DROP", V4) == canonical(":INPUT ACCEPT\n:FORWARD ACCEPT\n-A INPUT -j DROP", V4)


def test_opaque_extensions_are_kept_in_what_people_write() -> None:
    (line,) = _rules("-A INPUT -m policy --dir in --pol ipsec --proto esp -s 10.0.0.0/8 -j ACCEPT")
    assert line == "-A INPUT -s 10.0.0.0/8 -m policy --dir in --pol ipsec --proto esp -j ACCEPT"


def test_one_rule_alone() -> None:
    rule = parse_rule("-A somewhere -s 2001:db8::1 -g elsewhere", V6)
    assert render_rule(rule, V6) == "-A somewhere -s 2001:db8::1/128 -g elsewhere"
    assert rule.target is not None
    assert rule.target.goto


@pytest.mark.parametrize("text", ["", "\n# nothing\n", "COMMIT\n"])
def test_nothing_is_an_empty_ruleset(text: str) -> None:
    assert canonical(text, V4) == ""

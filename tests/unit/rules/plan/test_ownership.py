"""The ownership of rules, and plans that change only ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.language.parse import parse, parse_rule, parse_saved
from rules.language.render import render, render_rule
from rules.model import Ruleset
from rules.plan.foreign import with_filled_chains
from rules.plan.ownership import UNMOVED, Plan, is_foreign, own_rules, plan, spellings, strip_foreign
from rules.presets import guide as presets
from rules.values.family import Family
from tests.unit.rules.situations import foreign_part, situation

V4 = Family.IPV4
SAVED = Path(__file__).parents[1] / "data" / "saved"


def _saved(name: str) -> Ruleset:
    return parse_saved((SAVED / f"{name}.txt").read_text(), Family(name.rsplit(".", maxsplit=1)[-1]))


def _carried_out(current: Ruleset, made: Plan) -> Ruleset:
    """The kernel's ruleset afterwards: the parser supports every command of a transaction."""
    return parse_saved(render(current) + made.transaction(), current.family)


def _edits(made: Plan) -> list[str]:
    """The transaction without the lines that check the rule numbers."""
    lines = made.transaction().splitlines()
    return [*lines[: lines.index(f"-N {UNMOVED}")], *lines[lines.index(f"-X {UNMOVED}") + 1 :]]


def _chain(ruleset: Ruleset, chain: str, table: str = "filter") -> list[str]:
    found = ruleset.chain(table, chain)
    assert found is not None
    return [render_rule(rule, ruleset.family) for rule in found.rules]


@pytest.mark.parametrize(
    ("line", "table", "foreign"),
    [
        ("-A INPUT -p tcp -j f2b-sshd", "filter", True),
        ("-A INPUT -p tcp -g f2b-sshd", "filter", True),
        ("-A INPUT -p tcp -j ours", "filter", False),
        ("-A INPUT -p tcp -j LOG", "filter", False),
        ("-A INPUT -i docker0 -j ACCEPT", "filter", False),
        ("-A FORWARD -i docker0 ! -o docker0 -j ACCEPT", "filter", True),
        ("-A FORWARD ! -o br-0a1b2c3d4e5f -j DROP", "filter", True),
        ("-A FORWARD -i eth0 -o eth1 -j ACCEPT", "filter", False),
        ("-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE", "nat", True),
        ("-A POSTROUTING -o eth0 -j MASQUERADE", "nat", False),
        ("-A OUTPUT -o virbr0 -p udp --dport 68 -j CHECKSUM --checksum-fill", "mangle", True),
        ("-A f2b-sshd -j RETURN", "filter", True),
        ("-A ours -i docker0 -j RETURN", "filter", False),
    ],
)
def test_who_owns_a_rule(line: str, table: str, foreign: bool) -> None:
    assert is_foreign(parse_rule(line, V4, table), {"ours"}, table=table) is foreign


def test_patterns_of_interfaces_can_be_chosen() -> None:
    rule = parse_rule("-A FORWARD -i wg0 -j ACCEPT", V4)
    assert not is_foreign(rule, ())
    assert is_foreign(rule, (), ("wg*",))


@given(family=st.sampled_from(list(Family)), seed=st.integers(0, 2**32), most=st.integers(0, 6))
def test_a_plan_gives_what_is_declared_and_leaves_the_rest(family: Family, seed: int, most: int) -> None:
    case = situation(family, seed, most)
    made = plan(case.current, case.desired, previous=case.previous)
    after = _carried_out(case.current, made)
    assert own_rules(after, case.desired, previous=case.previous) == case.desired
    before = foreign_part(case.current, case.previous, case.desired)
    assert foreign_part(after, case.previous, case.desired) == before
    assert plan(after, case.desired).empty
    assert not any(line.startswith(":") for line in made.transaction().splitlines())


def test_nothing_to_do_is_an_empty_plan() -> None:
    ruleset = presets.web(V4)
    assert plan(ruleset, ruleset).empty
    assert plan(ruleset, ruleset).transaction() == ""


def test_one_changed_rule_is_one_command() -> None:
    made = plan(presets.web(V4), presets.web(V4, log_rate="3/min"))
    assert made.transaction().splitlines() == [
        "*filter",
        "-N STOCKADE-UNMOVED",
        "-A INPUT -j STOCKADE-UNMOVED",
        "-D INPUT 10",
        "-A FORWARD -j STOCKADE-UNMOVED",
        "-D FORWARD 3",
        "-X STOCKADE-UNMOVED",
        '-R INPUT 8 -m limit --limit 3/min -j LOG --log-prefix "iptables_INPUT_denied: " --log-level 7',
        '-R FORWARD 1 -m limit --limit 3/min -j LOG --log-prefix "iptables_FORWARD_denied: " --log-level 7',
        "COMMIT",
    ]


def test_fail2ban_keeps_its_place_and_its_bans() -> None:
    current = _saved("fail2ban-1.6.ipv4")
    desired = presets.web(V4)
    made = plan(current, desired)
    after = _carried_out(current, made)
    # The jumps to fail2ban's chains come first, then ours; the rule with a set does not jump to a chain, so it goes.
    assert [line.split()[-1] for line in _chain(after, "INPUT")[:3]] == [
        "f2b-recidive",
        "f2b-nginx-http-auth",
        "f2b-sshd",
    ]
    assert _chain(after, "INPUT")[3:] == _chain(desired, "INPUT")
    assert _chain(after, "f2b-sshd") == _chain(current, "f2b-sshd")
    assert "f2b" not in made.transaction()


def test_positions_count_foreign_rules() -> None:
    current = _saved("fail2ban-1.6.ipv4")
    without_set = parse_saved("\n".join(line for line in render(current).splitlines() if "match-set" not in line), V4)
    ours = own_rules(without_set, presets.web(V4))
    added = presets.insert(ours, "filter", "INPUT", 5, parse_rule("-A INPUT -p tcp --dport 80 -j ACCEPT", V4))
    lines = _edits(plan(without_set, added))
    assert lines == ["*filter", "-I INPUT 8 -p tcp -m tcp --dport 80 -j ACCEPT", "COMMIT"]


def test_docker_comes_before_our_reject() -> None:
    current = parse_saved(
        """*filter
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 -o docker0 -j ACCEPT
COMMIT
""",
        V4,
    )
    after = _carried_out(current, plan(current, presets.web(V4)))
    assert _chain(after, "FORWARD") == [*_chain(current, "FORWARD"), *_chain(presets.web(V4), "FORWARD")]


@pytest.mark.parametrize("name", [path.stem for path in sorted(SAVED.iterdir()) if not path.name.startswith("exotic")])
def test_the_preset_over_real_servers_changes_nothing_foreign(name: str) -> None:
    current = _saved(name)
    desired = presets.web(current.family)
    after = _carried_out(current, plan(current, desired))
    assert own_rules(after, desired) == desired
    for table in current.tables:
        for chain in table.user_chains:
            assert _chain(after, chain, table.name) == _chain(current, chain, table.name)
        if table.name != "filter":
            assert after.table(table.name) == table


def test_tables_that_are_not_declared_are_not_touched() -> None:
    current = parse("*nat\n-A POSTROUTING -o eth0 -j MASQUERADE\nCOMMIT\n*filter\nCOMMIT\n", V4)
    assert "*nat" not in plan(current, presets.web(V4)).transaction()
    emptied = parse("*nat\nCOMMIT\n*filter\nCOMMIT\n", V4)
    assert _edits(plan(current, emptied)) == ["*nat", "-D POSTROUTING 1", "COMMIT"]


def test_chains_that_are_declared_no_longer_are_removed() -> None:
    previous = parse(":ours -\n-A INPUT -j ours\n-A ours -j ACCEPT\n", V4)
    desired = parse("-A INPUT -j ACCEPT\n", V4)
    assert _edits(plan(previous, desired, previous=previous)) == [
        "*filter",
        "-R INPUT 1 -j ACCEPT",
        "-F ours",
        "-X ours",
        "COMMIT",
    ]


def test_a_chain_that_others_jump_to_stays() -> None:
    previous = parse(":ours -\n-A INPUT -j ours\n", V4)
    current = parse(":ours -\n:theirs -\n-A INPUT -j ours\n-A INPUT -j theirs\n-A theirs -j ours\n", V4)
    desired = parse("-A INPUT -j ACCEPT\n", V4)
    made = plan(current, desired, previous=previous)
    assert "-X ours" not in made.transaction()
    assert _chain(_carried_out(current, made), "INPUT") == ["-A INPUT -j ACCEPT", "-A INPUT -j theirs"]


def test_policies_change_only_when_they_differ() -> None:
    current = parse(":INPUT DROP\n:FORWARD DROP\n", V4)
    desired = parse(":INPUT DROP\n:FORWARD ACCEPT\n", V4)
    assert plan(current, desired).transaction().splitlines() == ["*filter", "-P FORWARD ACCEPT", "COMMIT"]


def test_a_rule_declared_word_for_word_is_ours() -> None:
    desired = parse("-A FORWARD -i docker0 -j DROP\n-A FORWARD -j ACCEPT\n", V4)
    assert plan(desired, desired).empty
    fewer = parse("-A FORWARD -j ACCEPT\n", V4)
    assert plan(desired, fewer).empty
    assert _edits(plan(desired, fewer, previous=desired))[1] == "-D FORWARD 1"


def test_a_spelling_of_the_kernel_is_no_change() -> None:
    desired = parse("-A OUTPUT -m owner --uid-owner www-data -j ACCEPT\n-A OUTPUT -j DROP\n", V4)
    kernel = parse_saved(render(desired).replace("www-data", "33"), V4)
    assert not plan(kernel, desired).empty
    known = spellings(desired, own_rules(kernel, desired))
    assert known == {"-A OUTPUT -m owner --uid-owner 33 -j ACCEPT": "-A OUTPUT -m owner --uid-owner www-data -j ACCEPT"}
    assert plan(kernel, desired, spelled=known).empty


def test_our_part_of_what_a_kernel_has() -> None:
    current = _saved("docker-legacy-1.4.ipv4")
    desired = presets.web(V4)
    ours = own_rules(current, desired)
    assert [table.name for table in ours.tables] == ["filter"]
    assert "DOCKER" not in render(ours)
    assert "docker0" not in render(ours)
    assert len(_chain(ours, "INPUT")) == 7
    assert plan(current, desired).own(current) == ours
    everywhere = strip_foreign(current, desired)
    assert [table.name for table in everywhere.tables] == ["nat", "filter"]
    assert _chain(everywhere, "POSTROUTING", "nat") == [
        "-A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 3306 -j MASQUERADE"
    ]


def test_names_must_be_resolved_and_families_agree() -> None:
    desired = presets.web(V4, longview=True)
    with pytest.raises(ValueError, match=r"longview\.linode\.com"):
        plan(presets.web(V4), desired)
    with pytest.raises(ValueError, match="IPv6"):
        plan(presets.web(Family.IPV6), presets.web(V4))


def test_chains_that_were_ours_when_recorded_are_ours_when_put_back() -> None:
    recorded = parse_saved(
        "*filter\n:INPUT ACCEPT\n:MINE -\n:f2b-sshd -\n"
        "-A INPUT -j f2b-sshd\n-A INPUT -j MINE\n-A MINE -j DROP\nCOMMIT\n",
        Family.IPV4,
    )
    declared = parse("-A INPUT -j ACCEPT", Family.IPV4)
    back = own_rules(recorded, with_filled_chains(declared, recorded))
    assert [rule.target.name for _, rule in back.rules() if rule.target] == ["MINE", "DROP"]
    assert "MINE" not in render(own_rules(recorded, declared))

"""Compares the language with both backends of the real iptables: random rulesets, and random plans carried out."""

from __future__ import annotations

import re

import pytest

from hosts.text.rawtext import to_text
from rules.language.parse import parse, parse_saved
from rules.language.render import canonical, render
from rules.plan.ownership import own_rules, plan
from rules.values.family import Family
from tests.kernel.tables import BACKENDS, restore_all
from tests.unit.rules.situations import foreign_part, situation
from tests.unit.rules.strategies import Writer

pytestmark = pytest.mark.lab
ROUNDS = 15
backends = pytest.mark.parametrize("backend", BACKENDS)
families = pytest.mark.parametrize("family", list(Family))


@backends
@families
def test_the_kernel_prints_what_was_declared(backend: str, family: Family) -> None:
    texts = [canonical(Writer(family, seed).ruleset(8)[0], family) for seed in range(ROUNDS)]
    printed = restore_all(backend, family, [(text,) for text in texts])
    for text, saved in zip(texts, printed, strict=True):
        assert render(parse_saved(saved, family)) == text


@backends
@families
def test_a_plan_carried_out_gives_what_is_declared_and_leaves_the_rest(backend: str, family: Family) -> None:
    cases = [situation(family, seed) for seed in range(ROUNDS)]
    plans = [plan(case.current, case.desired, previous=case.previous) for case in cases]
    steps = [(render(case.current), made.transaction()) for case, made in zip(cases, plans, strict=True)]
    for case, saved in zip(cases, restore_all(backend, family, steps), strict=True):
        after = parse_saved(saved, family)
        assert render(own_rules(after, case.desired, previous=case.previous)) == render(case.desired)
        assert plan(after, case.desired).empty
        before = foreign_part(case.current, case.previous, case.desired)
        assert foreign_part(after, case.previous, case.desired) == before


@backends
@families
def test_a_plan_does_nothing_where_somebody_added_or_took_a_rule_meanwhile(backend: str, family: Family) -> None:
    cases = [situation(family, seed) for seed in range(ROUNDS)]
    steps: list[tuple[str, ...]] = []
    for case in cases:
        made = plan(case.current, case.desired, previous=case.previous)
        for chain in (chain for table in made.tables for chain in table.chains if chain.size):
            for meanwhile in (f"-I {chain.name} -j RETURN", f"-D {chain.name} 1"):
                steps.append((render(case.current), f"*filter\n{meanwhile}\nCOMMIT\n", made.transaction()))
    assert len(steps) > ROUNDS
    before = restore_all(backend, family, [step[:2] for step in steps])
    after = restore_all(backend, family, steps, refused=True)
    assert [parse_saved(text, family) for text in after] == [parse_saved(text, family) for text in before]


@backends
def test_counters_of_rules_that_stay_survive_a_plan(backend: str) -> None:
    family = Family.IPV4
    rules = "-A INPUT -i lo -j ACCEPT\n-A INPUT -p tcp --dport 22 -j ACCEPT\n-A INPUT -p tcp --dport 80 -j ACCEPT\n"
    current = parse(rules, family)
    desired = parse(rules.replace("--dport 80", "--dport 443") + "-A INPUT -j REJECT\n", family)
    counted = re.sub(r"(?m)^(:.*)$", r"\1 [0:0]", render(current))
    counted = counted.replace("-A INPUT -p tcp -m tcp --dport 22", "[7:420] -A INPUT -p tcp -m tcp --dport 22")
    transaction = plan(current, desired).transaction()
    (saved,) = restore_all(backend, family, [(counted, transaction)], counters=True)
    assert "[7:420] -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT" in saved
    assert "--dport 443" in saved


@backends
@pytest.mark.parametrize(
    "place", ["-m comment --comment {}", "-j LOG --log-prefix {}", "-m string --algo bm --string {}"]
)
def test_every_byte_survives_in_quotes(backend: str, place: str) -> None:
    bytes_ = [bytes([97, number, 98]) for number in range(1, 256) if number != ord("\n")]
    spelled = [to_text(raw).replace("\\", "\\\\").replace('"', '\\"') for raw in bytes_]
    lines = [f"-A INPUT {place.format(f'{chr(34)}{text}{chr(34)}')}" for text in spelled]
    text = "\n".join(["*filter", *lines, "COMMIT", ""])
    (saved,) = restore_all(backend, Family.IPV4, [(text,)])
    declared, kept = parse(text, Family.IPV4).chain("filter", "INPUT"), parse_saved(saved, Family.IPV4)
    assert declared is not None
    assert kept.chain("filter", "INPUT") == declared
    assert all(line in saved for line in render(parse(text, Family.IPV4)).split("\n") if line.startswith("-A "))


@backends
def test_names_with_blanks_and_quotes_are_read_again(backend: str) -> None:
    names = ["a b", "a  b", "a -j DROP", '\\"a', "it's", "-x", "!", "a\\\\b"]
    rules = [f'-A INPUT -m recent --set --name "{name}" --mask 255.255.255.255 --rsource' for name in names]
    text = "\n".join(["*filter", *rules, "COMMIT", ""])
    (saved,) = restore_all(backend, Family.IPV4, [(text,)])
    declared = parse(text, Family.IPV4)
    assert parse_saved(saved, Family.IPV4).chain("filter", "INPUT") == declared.chain("filter", "INPUT")
    (again,) = restore_all(backend, Family.IPV4, [(render(declared),)])
    assert again.partition("-A ")[2] == saved.partition("-A ")[2]

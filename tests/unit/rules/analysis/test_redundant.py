"""Redundant rules really are: without any of them, and without dead rules, the same packets are accepted."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.analysis.reachability import Analysis, analyse
from rules.language.parse import parse
from rules.language.render import render
from rules.model import Ruleset
from rules.packets.outcomes import Place
from rules.values.family import Family

V4 = Family.IPV4
_MATCHES = ("", "-p tcp", "-p udp", "-p tcp --dport 22", "-p tcp --dport 22:23", "-p tcp --dport 23", "-s 10.0.0.0/8")
_MORE = ("-s 10.1.0.0/16 -p tcp", "! -s 10.0.0.0/8", "-m limit --limit 5/min", "-m mark --mark 1", "-i lo")
_TARGETS = ("ACCEPT", "ACCEPT", "ACCEPT", "DROP", "DROP", "REJECT", "RETURN", "LOG")


def _written(random: Random) -> str:
    """A small ruleset with many redundant rules."""
    users = ("one", "two")
    lines = [f"-P INPUT {random.choice(('ACCEPT', 'DROP'))}", *(f"-N {name}" for name in users)]
    for place, chain in enumerate(("INPUT", *users)):
        for _ in range(random.randint(2, 7)):
            match = random.choice(_MATCHES if random.random() < 0.8 else _MORE)
            jump = place < len(users) and random.random() < 0.2
            target = f"-{random.choice('jjjg')} {random.choice(users[place:])}" if jump else ""
            lines.append(f"-A {chain} {match} {target or '-j ' + random.choice(_TARGETS)}")
    return "\n".join(lines)


def without(ruleset: Ruleset, places: Collection[Place]) -> Ruleset:
    """A ruleset without some rules of its filter table."""
    table = ruleset.table("filter")
    assert table is not None
    chains = (
        replace(
            chain,
            rules=tuple(rule for number, rule in enumerate(chain.rules, 1) if Place(chain.name, number) not in places),
        )
        for chain in table.chains
    )
    return ruleset.with_table(replace(table, chains=tuple(chains)))


def _accepted(ruleset: Ruleset, like: Analysis) -> tuple[object, ...]:
    other = Analysis(ruleset, compiler=like.compiler)
    return tuple(other.accepted(chain) for chain in ("INPUT", "FORWARD", "OUTPUT"))


def _choices(analysis: Analysis, random: Random) -> Iterator[list[Place]]:
    could_go = [placed.place for placed in analysis.redundant()]
    dead = [found.placed.place for found in analysis.shadowed()]
    yield from ([place] for place in could_go)
    yield could_go
    yield [*could_go, *dead]
    for _ in range(3):
        yield [place for place in (*could_go, *dead) if random.random() < 0.5]


@given(st.integers(0, 2**32))
def test_without_what_could_go_the_same_is_accepted(seed: int) -> None:
    random = Random(seed)
    ruleset = parse(_written(random), V4)
    analysis = analyse(ruleset)
    before = _accepted(ruleset, analysis)
    for places in _choices(analysis, random):
        assert _accepted(without(ruleset, places), analysis) == before, (places, render(ruleset))


def test_much_of_it_could_go() -> None:
    """The generated rulesets are useful: they have dozens of redundant rules."""
    found = sum(len(analyse(parse(_written(Random(seed)), V4)).redundant()) for seed in range(100))
    assert found > 30


@pytest.mark.parametrize(
    ("rules", "could_go"),
    [
        # A rule that makes another one dead stays.
        (["-p tcp --dport 22 -j ACCEPT", "-j DROP", "-p tcp --dport 3306 -j ACCEPT"], []),
        (["-j DROP", "-p tcp --dport 22 -j LOG", "-p tcp --dport 23 -j DROP"], []),
        # Of rules that can be removed only one at a time, one is reported.
        (
            ["-p tcp --dport 22 -j ACCEPT", "-p tcp --dport 22:23 -j ACCEPT", "-p tcp --dport 23 -j ACCEPT"],
            ["INPUT 1"],
        ),
        # Packets that are dropped before they are logged.
        (["-p udp -j DROP", "-j LOG"], []),
        (["-p udp -j DROP", "-p tcp -j LOG"], ["INPUT 1"]),
        # Packets that would count against a limit.
        (["-s 10.0.0.0/8 -j ACCEPT", "-m limit --limit 5/min -j ACCEPT", "-s 10.0.0.0/8 -j ACCEPT"], []),
        (["-m limit --limit 5/min -j ACCEPT", "-m limit --limit 9/min -j ACCEPT"], []),
        (["-m limit --limit 5/min -j ACCEPT", "-j ACCEPT"], ["INPUT 1"]),
        # Rejected with another reply.
        (["-p tcp -j REJECT --reject-with tcp-reset", "-j REJECT"], []),
        (["-p tcp -j REJECT", "-j REJECT"], ["INPUT 1"]),
    ],
)
def test_kinds(rules: list[str], could_go: list[str]) -> None:
    text = "\n".join(["-P INPUT DROP", *(f"-A INPUT {rule}" for rule in rules)])
    assert [str(placed.place) for placed in analyse(parse(text, V4)).redundant()] == could_go

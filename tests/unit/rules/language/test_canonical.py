"""Canonical form compared with the output of iptables 1.8.9, nf_tables and legacy (`data/kernel`, `capture.py`).

Some 450 rules; each test checks all of them and lists the wrong ones.
"""

from __future__ import annotations

import pytest

from rules.errors import RuleSyntaxError
from rules.language.parse import parse_saved
from rules.language.render import canonical, render
from rules.values.family import Family
from tests.unit.rules.capture import BACKENDS, DATA, Case, read

CASES = {family: list(read(DATA / f"{family}.txt")) for family in Family}
ACCEPTED = {family: [case for case in cases if any(case.printed.values())] for family, cases in CASES.items()}
REFUSED = {family: [case for case in cases if not any(case.printed.values())] for family, cases in CASES.items()}
families = pytest.mark.parametrize("family", list(Family))


def _text(case: Case, lines: list[str]) -> str:
    return "\n".join([f"*{case.table}", ":X - [0:0]", *lines, "COMMIT", ""])


def _canonical(case: Case, family: Family) -> str:
    return canonical(_text(case, [case.written]), family)


def test_the_recording_is_worth_comparing_with() -> None:
    assert sum(map(len, ACCEPTED.values())) > 350
    assert sum(map(len, REFUSED.values())) > 40
    assert all(set(case.printed) == set(BACKENDS) for cases in CASES.values() for case in cases)


@families
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_rule_reads_as_the_kernel_prints_it(family: Family, backend: str) -> None:
    wrong = [
        (case.written, case.printed[backend])
        for case in ACCEPTED[family]
        if render(parse_saved(_text(case, case.printed[backend]), family)) != _canonical(case, family)
    ]
    assert wrong == []


# Differences from the output of both backends: two TCP matches become one, an end date that means none is omitted, and
# words of unknown extensions are quoted only if necessary.
_OTHERWISE = ("-m tcp -m tcp", "NEW -m tcp -j", "--datestop 2038-01-19T03:14:07", '--label "5"')


@families
def test_canonical_text_is_what_a_kernel_prints(family: Family) -> None:
    wrong = []
    for case in ACCEPTED[family]:
        lines = [line for line in _canonical(case, family).splitlines() if line.startswith("-A")]
        if lines not in case.printed.values() and not any(text in case.printed["nft"][0] for text in _OTHERWISE):
            wrong.append((case.written, lines))
    assert wrong == []


@families
def test_canonical_text_is_a_fixed_point(family: Family) -> None:
    texts = [_canonical(case, family) for case in ACCEPTED[family]]
    assert [canonical(text, family) for text in texts] == texts


@families
def test_what_iptables_refuses_is_refused(family: Family) -> None:
    for case in REFUSED[family]:
        with pytest.raises(RuleSyntaxError) as caught:
            pytest.fail(f"{case.written} was read as {_canonical(case, family)}")
        assert (caught.value.line, caught.value.text) == (3, case.written)

"""Canonical form against what the real iptables 1.8.9 printed, nf_tables and legacy (`data/kernel`, `capture.py`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.errors import RuleSyntaxError
from rules.family import Family
from rules.parse import parse_saved
from rules.render import canonical, render
from tests.unit.rules.capture import BACKENDS, DATA, Case, read

CASES = [(family, case) for family in Family for case in read(DATA / f"{family}.txt")]
ACCEPTED = [(family, case) for family, case in CASES if any(case.printed.values())]
REFUSED = [(family, case) for family, case in CASES if not any(case.printed.values())]


def _text(case: Case, lines: list[str]) -> str:
    return "\n".join([f"*{case.table}", ":X - [0:0]", *lines, "COMMIT", ""])


def _written(case: object) -> str | None:
    return case.written if isinstance(case, Case) else None


def test_the_recording_is_worth_comparing_with() -> None:
    assert len(ACCEPTED) > 350
    assert len(REFUSED) > 40
    assert all(len(case.printed) == len(BACKENDS) for _family, case in CASES)


@pytest.mark.parametrize(("family", "case"), ACCEPTED, ids=_written)
def test_a_rule_reads_as_the_kernel_prints_it(family: Family, case: Case) -> None:
    wanted = canonical(_text(case, [case.written]), family)
    for backend in BACKENDS:
        assert render(parse_saved(_text(case, case.printed[backend]), family)) == wanted


@pytest.mark.parametrize(("family", "case"), ACCEPTED, ids=_written)
def test_canonical_text_is_what_a_kernel_prints(family: Family, case: Case) -> None:
    """Except for merged TCP matches (only nf_tables merges), and the end date that time prints for none."""
    lines = [line for line in canonical(_text(case, [case.written]), family).splitlines() if line.startswith("-A")]
    printed = [[line.replace(" --datestop 2038-01-19T03:14:07", "") for line in case.printed[b]] for b in BACKENDS]
    merged = all(line.count("-m tcp ") > 1 for lines_printed in printed for line in lines_printed)
    if not merged and '--label "5"' not in printed[0][0]:
        assert lines in printed


@pytest.mark.parametrize(("family", "case"), REFUSED, ids=_written)
def test_what_iptables_refuses_is_refused(family: Family, case: Case) -> None:
    with pytest.raises(RuleSyntaxError) as caught:
        canonical(_text(case, [case.written]), family)
    assert caught.value.line == 3
    assert caught.value.text == case.written


def test_names_of_files_are_families() -> None:
    assert {path.name for path in Path(DATA).iterdir()} == {f"{family}.txt" for family in Family}

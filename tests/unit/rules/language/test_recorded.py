"""Compares the language with iptables' recorded answers (tests/kernel/language): every difference has a reason."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from rules.options.matches import MATCHES
from rules.options.targets import TARGETS
from rules.values.family import Family
from tests.kernel.language.compare import Verdict, ours, printed, verdict
from tests.kernel.language.differences import DIFFERENCES, reason_of
from tests.kernel.language.grammar import all_cases
from tests.kernel.language.grammar_matches import MATCHES as ASKED_MATCHES
from tests.kernel.language.grammar_targets import TARGETS as ASKED_TARGETS
from tests.kernel.language.recorded import FILE, Record, read, write
from tests.kernel.language.report import figures_table

_DOCS = Path(__file__).parents[4] / "docs" / "firewall.md"
# Options of extensions without cases, with reasons.
_NOT_ASKED = {
    "set": "an alias of --match-set that old rules have",
    "object-pinned": "needs a mounted file system of BPF objects",
    "random-fully": "of MASQUERADE, by its own subject",
}
Found = tuple[Record, Family, Verdict, str | None, str]
"""The case, and of our answer: how it compares, the canonical text (None if refused), and that text or the reason."""


@cache
def _records() -> tuple[Record, ...]:
    return tuple(read(FILE.read_text())[1])


@cache
def _found() -> tuple[Found, ...]:
    others = printed(_records())
    found: list[Found] = []
    for record in _records():
        for family in Family:
            answer = ours(record.case, family)
            kind = verdict(record, family, answer, others)
            found.append((record, family, kind, answer.text, answer.text or answer.reason))
    return tuple(found)


def test_no_answer_differs_without_a_listed_reason() -> None:
    unlisted = [
        f"{kind.name} {family} {record.case.table} {record.case.chain}: {record.case.rule} ({said})"
        for record, family, kind, _text, said in _found()
        if reason_of(record.case, kind) is None
    ]
    assert not unlisted, "\n".join(unlisted[:30])


def test_every_listed_difference_is_one() -> None:
    different = {(kind, reason_of(record.case, kind)) for record, _family, kind, *_ in _found()}
    assert [one.reason for one in DIFFERENCES if (one.kind, one.reason) not in different] == []


def test_canonical_text_is_a_fixed_point_and_what_iptables_prints_is_read_as_printed() -> None:
    assert [record.case.rule for record, _family, kind, *_ in _found() if kind is Verdict.MOVES] == []


def test_a_refusal_names_the_place() -> None:
    wrong = [
        said
        for _record, _family, _kind, text, said in _found()
        if text is None and not re.match(r"3:[1-9]\d*: \S", said)
    ]
    assert wrong == []


def test_the_documents_have_these_figures() -> None:
    figures = Counter(kind for _record, _family, kind, *_ in _found())
    reasons = Counter((kind, reason_of(record.case, kind) or "") for record, _family, kind, *_ in _found())
    assert figures_table(figures, reasons) in _DOCS.read_text(), "run `make test-language LANGUAGE=--docs`"


def test_every_case_of_the_grammar_is_recorded_once() -> None:
    cases = [record.case for record in _records()]
    assert len(cases) == len(set(cases))
    assert set(cases) == set(all_cases())


def test_a_record_is_written_as_it_was_read() -> None:
    versions, records = read(FILE.read_text())
    assert write(records, versions) == FILE.read_text()


@pytest.mark.parametrize("flag", ["-m", "-j"])
def test_every_option_that_the_language_knows_is_asked_about(flag: str) -> None:
    asked: dict[str, set[str]] = {}
    for subject in (*ASKED_MATCHES, *ASKED_TARGETS):
        asked.setdefault(subject.flag, set()).update(name.lstrip("-") for name in subject.options)
    known = MATCHES if flag == "-m" else TARGETS
    lacking = [
        f"{name} --{option}"
        for name, extension in known.items()
        for option in (extension.names if extension.options is not None else ())
        if option not in asked.get(f"{flag} {name}", set()) and option not in _NOT_ASKED and name not in ("icmpv6",)
    ]
    assert lacking == []

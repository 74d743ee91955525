"""Compares our answer to a rule with the recorded one of iptables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from rules.errors import RuleSyntaxError
from rules.language.parse import parse, parse_saved
from rules.language.render import render
from rules.values.family import Family
from tests.kernel.language.cases import Case
from tests.kernel.language.judge import USER_CHAIN
from tests.kernel.language.recorded import BACKENDS, Record
from tests.kernel.language.subject import unnamed

APART = " ; "


class Verdict(Enum):
    """How two answers compare."""

    EQUAL = "accepted by both, equal text"
    REFUSED = "refused by both"
    SPELLING = "accepted here, and sent as another spelling that iptables accepts"
    READ = "accepted by both, another text that means the same"
    ONE_BACKEND = "only one backend of iptables accepts it"
    TOO_MUCH = "accepted here, refused by iptables"
    TOO_LITTLE = "refused here, accepted by iptables"
    TEXT = "accepted by both, another text"
    MOVES = "no fixed point"


ALIKE = (Verdict.EQUAL, Verdict.REFUSED)


@dataclass(frozen=True, slots=True)
class Answer:
    """``text``: the rule as we print it, without ``-A CHAIN``; None, with a ``reason``, if we refuse it."""

    text: str | None
    reason: str = ""


def ours(case: Case, family: Family) -> Answer:
    """Our answer."""
    try:
        return Answer(_printed(render(parse(_loaded(case, [case.rule]), family)), case))
    except RuleSyntaxError as error:
        return Answer(None, str(error).split("\n", maxsplit=1)[0])


def _loaded(case: Case, rules: list[str]) -> str:
    lines = [
        f"*{case.table}",
        f":{USER_CHAIN} - [0:0]",
        *(f"-A {case.chain} {rule}".rstrip() for rule in rules),
        "COMMIT",
        "",
    ]
    return "\n".join(lines)


def _printed(text: str, case: Case) -> str:
    start = f"-A {case.chain}"
    rules = [line for line in text.split("\n") if line == start or line.startswith(f"{start} ")]
    return APART.join(line[len(start) :].strip() for line in rules)


# Table, chain, family and printed text of rules that iptables accepted.
Printed = frozenset[tuple[str, str, Family, str]]


def printed(records: Iterable[Record]) -> Printed:
    """The texts that iptables printed for these records."""
    return frozenset(
        (record.case.table, record.case.chain, family, unnamed(text))
        for record in records
        for (family, _backend), text in record.said.items()
        if text is not None
    )


def verdict(record: Record, family: Family, answer: Answer, others: Printed) -> Verdict:
    """How our answer compares with the recorded one."""
    said = [record.said[family, backend] for backend in BACKENDS]
    accepted = [text for text in said if text is not None]
    if answer.text is None:
        if not accepted:
            return Verdict.REFUSED
        return Verdict.TOO_LITTLE if len(accepted) == len(said) else Verdict.ONE_BACKEND
    if not accepted:
        sent = (record.case.table, record.case.chain, family, unnamed(answer.text))
        return Verdict.SPELLING if sent in others else Verdict.TOO_MUCH
    if _again(record.case, answer.text, family) != answer.text:
        return Verdict.MOVES
    read = {text: _read(record.case, text, family) for text in accepted}
    if answer.text not in accepted:
        return Verdict.READ if set(read.values()) == {answer.text} else Verdict.TEXT
    if read[answer.text] != answer.text:
        return Verdict.MOVES
    if len(accepted) < len(said):
        return Verdict.ONE_BACKEND
    return Verdict.EQUAL if set(read.values()) == {answer.text} else Verdict.TEXT


def _again(case: Case, text: str, family: Family) -> str | None:
    """Our text, read and printed again."""
    if APART in text:
        rules = text.split(APART)
        return APART.join(str(ours(Case(case.table, case.chain, rule), family).text) for rule in rules)
    return ours(Case(case.table, case.chain, text), family).text


def _read(case: Case, text: str, family: Family) -> str:
    """Our text for the text that iptables prints."""
    return _printed(render(parse_saved(_loaded(case, text.split(APART)), family)), case)

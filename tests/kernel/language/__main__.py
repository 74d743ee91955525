"""Compares the rule language with this machine's iptables, over a generated grammar: `make test-language`.

    python -m tests.kernel.language [--write] [--docs] [--show N]

Tries every case with iptables-nft and iptables-legacy, in both families, and prints the figures. Exit status 1 if an
answer of iptables differs from the recorded one, or a difference from our answers is not listed. ``--write`` records
the answers again.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from rules.values.family import Family
from tests.kernel.language.compare import Verdict, ours, printed, verdict
from tests.kernel.language.differences import reason_of
from tests.kernel.language.grammar import all_cases
from tests.kernel.language.judge import ask_all, versions
from tests.kernel.language.recorded import BACKENDS, COLUMNS, FILE, Record, read, write
from tests.kernel.language.report import figures_table
from tests.kernel.tables import missing

DOCS = Path(__file__).parents[3] / "docs" / "firewall.md"
MARK, END = "<!-- make test-language: figures -->\n\n", "\n<!-- end of figures -->"


def main() -> int:
    """Ask iptables, compare, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--write", action="store_true", help="record what iptables says")
    options.add_argument("--show", type=int, default=20, help="how many unlisted differences are shown")
    options.add_argument("--docs", action="store_true", help="write the figures of the record into docs/firewall.md")
    chosen = options.parse_args()
    if chosen.docs:
        return 1 if report(read(FILE.read_text())[1], chosen.show, docs=True) else 0
    for backend in BACKENDS:
        if reason := missing(backend):
            print(reason, file=sys.stderr)
            return 2
    cases = all_cases()
    answers = {family: [ours(case, family) for case in cases] for family in Family}
    likely = {family: [answer.text is not None for answer in answers[family]] for family in Family}
    said = ask_all(cases, likely)
    records = [Record(case, {column: said[column][number] for column in COLUMNS}) for number, case in enumerate(cases)]
    if chosen.write:
        FILE.write_text(write(records, versions()))
    known, recorded = read(FILE.read_text())
    changed = {record.case: record for record in recorded}
    other = [record for record in records if changed.get(record.case) != record]
    print(f"{len(cases)} rules, {versions()}; recorded with {known}")
    print(
        f"{len(other)} of them with another answer than recorded",
        *(f"  {one.case.rule}" for one in other[: chosen.show]),
        sep="\n",
    )
    return 1 if report(records, chosen.show) or other else 0


def report(records: list[Record], show: int, *, docs: bool = False) -> int:
    """Print the figures; returns the number of differences that are not listed."""
    figures: Counter[Verdict] = Counter()
    reasons: Counter[tuple[Verdict, str]] = Counter()
    unlisted = []
    others = printed(records)
    for record in records:
        for family in Family:
            answer = ours(record.case, family)
            kind = verdict(record, family, answer, others)
            figures[kind] += 1
            reason = reason_of(record.case, kind)
            if reason is None:
                unlisted.append((record, family, kind, answer))
            reasons[kind, reason or ""] += 1
    table = figures_table(figures, reasons)
    print(table)
    if docs:
        text = DOCS.read_text()
        start = text.index(MARK) + len(MARK)
        DOCS.write_text(text[:start] + table + text[text.index(END, start) :])
    for record, family, kind, answer in unlisted[:show]:
        nft, legacy = (record.said[family, backend] for backend in ("nft", "legacy"))
        print(f"{kind.name} {family} {record.case.table} {record.case.chain}: {record.case.rule}")
        ours_said = answer.text if answer.text is not None else answer.reason
        print(f"    ours: {ours_said}\n    nft: {nft}\n    legacy: {legacy}")
    print(f"{len(unlisted)} differences are not listed")
    return len(unlisted)


if __name__ == "__main__":
    sys.exit(main())

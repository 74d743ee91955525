"""The file of recorded answers of iptables: one line per rule, after a line with its table and chain.

A line has the rule, then the text that iptables-nft, iptables-legacy, ip6tables-nft and ip6tables-legacy print for it,
separated by tabs: ``=`` if it is the rule itself, ``-`` if it is refused, ``^`` if it is the same as the column before.
Trailing ``^`` are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rules.values.family import Family
from tests.kernel.language.cases import Case

FILE = Path(__file__).parent / "recorded.tsv"
BACKENDS = ("nft", "legacy")
COLUMNS = tuple((family, backend) for family in Family for backend in BACKENDS)
_TAB = "\u2409"
Said = Mapping[tuple[Family, str], str | None]


@dataclass(frozen=True, slots=True)
class Record:
    """A case and the answer of each iptables."""

    case: Case
    said: Said


def write(records: Iterable[Record], versions: str) -> str:
    """The text of the file."""
    lines = [f"# {versions}"]
    place = ("", "")
    for record in sorted(records, key=lambda one: (one.case.table, one.case.chain)):
        case = record.case
        if (case.table, case.chain) != place:
            place = case.table, case.chain
            lines.append(f"@{case.table} {case.chain}")
        cells = [_cell(record.said[column], case) for column in COLUMNS]
        short = [cell if number == 0 or cells[number - 1] != cell else "^" for number, cell in enumerate(cells)]
        while short[-1] == "^":
            short.pop()
        lines.append("\t".join([case.rule.replace("\t", _TAB), *short]))
    return "\n".join([*lines, ""])


def _cell(text: str | None, case: Case) -> str:
    return "-" if text is None else "=" if text == case.rule else text.replace("\t", _TAB)


def read(text: str) -> tuple[str, list[Record]]:
    """The versions, and the records."""
    first, *lines = text.rstrip("\n").split("\n")
    table = chain = ""
    found = []
    for line in lines:
        if line.startswith("@"):
            table, _, chain = line[1:].partition(" ")
            continue
        rule, *cells = (cell.replace(_TAB, "\t") for cell in line.split("\t"))
        case = Case(table, chain, rule)
        full = [*cells, *["^"] * (len(COLUMNS) - len(cells))]
        for number, cell in enumerate(full):
            full[number] = full[number - 1] if cell == "^" else cell
        texts = [None if cell == "-" else rule if cell == "=" else cell for cell in full]
        found.append(Record(case, dict(zip(COLUMNS, texts, strict=True))))
    return first.removeprefix("# "), found

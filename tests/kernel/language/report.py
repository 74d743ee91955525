"""The figures of a comparison as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tests.kernel.language.compare import ALIKE, Verdict

_ORDER = (
    Verdict.EQUAL,
    Verdict.REFUSED,
    Verdict.READ,
    Verdict.SPELLING,
    Verdict.TOO_LITTLE,
    Verdict.TOO_MUCH,
    Verdict.ONE_BACKEND,
    Verdict.TEXT,
    Verdict.MOVES,
)
Reasons = Mapping[tuple[Verdict, str], int]


def figures_table(figures: Mapping[Verdict, int], reasons: Reasons) -> str:
    """A Markdown table of the number of rules by result, with the reasons for differences."""
    lines = ["| answers | rules |", "|---|---|"]
    lines += [f"| {kind.value} | {figures.get(kind, 0):,} |" for kind in _ORDER]
    lines += ["", "| what differs | why | rules |", "|---|---|---|"]
    for kind in _ORDER:
        if kind in ALIKE:
            continue
        mine = Counter({reason: count for (one, reason), count in reasons.items() if one is kind})
        lines += [f"| {kind.value} | {reason} | {count:,} |" for reason, count in mine.most_common()]
    return "\n".join([*lines, ""])

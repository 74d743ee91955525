"""A report in Markdown for pull requests: first failures and totals, then changes.

Text from a stack or a host is fenced, with fences longer than any in it, so none of it is interpreted as Markdown or
HTML. What does not fit is noted at the top and listed at the end. Lines and fences are never cut.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fleet.blocks import ResourceDiff, blocks, marked
from fleet.outcome import StackOutcome
from fleet.summary import differences, failures, table, totals
from hosts.text.masking import one_line

_LEAST = 400
"""Characters: a change with less room than this is named but not shown."""
_NAMED = 40
_LONGEST = 120
"""The most characters of a name in that list."""
_NOTES = 6000
"""Characters reserved for the list of what is not shown."""
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
_CHANGED = re.compile(r"[-+!]")


@dataclass
class _Page:
    """A comment under construction, and what does not fit into it."""

    room: int
    whole: str
    parts: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def fence(self, what: str, text: str, language: str = "") -> None:
        """Add a fenced text, as many whole lines of it as fit."""
        if not text:
            return
        lines = text.split("\n")
        block = fenced(text, language)
        if len(block) > self.room:
            kept = _fitting(lines, self.room - len(fenced("", language)) - _longest(text))
            self.left.append(f"{what}: {_counted(len(lines) - len(kept), 'line')} of {len(lines)}")
            block = fenced("\n".join(kept), language) if kept else ""
        self.parts.append(block)
        self.room -= len(block)

    def text(self, head: Sequence[str]) -> str:
        """Return the whole comment: the head, a note on omissions, the rest, and the list of omissions."""
        if not self.left:
            return "\n".join((*head, "", *self.parts))
        said = f"**Not all of it is shown here: {self.whole}** What is left out is listed at the end."
        more = len(self.left) - _NAMED
        names = [*(name[:_LONGEST] for name in self.left[:_NAMED]), *([f"and {more} more"] if more > 0 else [])]
        return "\n".join((*head, "", said, "", *self.parts, "Not shown here:", "", fenced("\n".join(names))))


def comment(
    title: str,
    command: str,
    outcomes: Sequence[StackOutcome],
    limit: int,
    *,
    failed: bool,
    seconds: float = 0.0,
    would: bool = False,
    error: str = "",
    remarks: Sequence[str] = (),
    whole: str = "",
) -> str:
    """Return the report. `whole`: where the full one is."""
    head = [f"### {inline(title)}: " + (f"**the {command} failed**" if failed else command)]
    page = _Page(limit - len(head[0]) - _NOTES, whole or "the log has all of it.")
    if error:
        page.fence("the error", f"error: {error}")
        return page.text(head)
    head += ["", totals(outcomes, seconds, would=would)]
    page.room -= len(head[-1])
    page.fence("failures", "\n".join(failures(outcomes)))
    page.fence("remarks", "\n".join(remarks))
    page.fence("advice", "\n".join(failures(outcomes, advice=True)))
    if len(outcomes) > 1:
        page.fence("stacks", "\n".join(table(outcomes, would=would)))
    page.fence("differences", "\n".join(differences(outcomes, would=would)))
    _changes(page, [block for outcome in outcomes for block in blocks(outcome.output)])
    return page.text(head)


def _changes(page: _Page, found: Sequence[ResourceDiff]) -> None:
    """Show the changes line by line, creations last: each in full, or only its changed lines, as far as they fit."""
    changed = [block for block in found if block.operation != "create"]
    created = [block for block in found if block.operation == "create"]
    counted = f"+ {len(created)} to create, not shown here line by line: {_by_kind(created)}" if created else ""
    room = page.room - len(fenced("", "diff")) - _longest("\n".join(block.text for block in found)) - len(counted) - 1
    block: list[str] = []
    for some in (changed, created):
        texts, left = _shared(some, room, counted=some is created)
        block += texts if texts or some is changed else [counted]
        page.left += left
        room -= sum(len(text) + 1 for text in texts)
    page.fence("changes", "\n".join(filter(None, block)), "diff")


def _shared(found: Sequence[ResourceDiff], room: int, *, counted: bool) -> tuple[list[str], list[str]]:
    """Return as much of each text as fits, with an equal share for all, and what is left out.

    With `counted`, return none of them if the shares are too small.
    """
    texts = [marked(block.text) for block in found]
    share, open_, spare = 0, sorted(len(text) + 1 for text in texts), max(room, 0)
    for number, size in enumerate(open_):  # room that small texts do not need goes to the others
        share = spare // (len(open_) - number)
        if size > share:
            break
        spare -= size
    else:
        return texts, []
    kept: list[str] = []
    left: list[str] = []
    few = share < _LEAST
    if few and counted:
        return [], [f"{_counted(len(found), 'creation')}, line by line"]
    for block, text in zip(found, texts, strict=True):
        size = len(text) + 1
        if few:  # as many as fit, in order
            if size <= room:
                kept.append(text)
                room -= size
            else:
                left.append(one_line(f"{block.kind} {block.name}: all of it"))
            continue
        if size <= share:
            kept.append(text)
            continue
        lines = text.split("\n")
        some = _fitting([*lines[:2], *(line for line in lines[2:] if _CHANGED.match(line))], share - 1)
        kept.append("\n".join(some))
        left.append(one_line(f"{block.kind} {block.name}: {_counted(len(lines) - len(some), 'line')} of {len(lines)}"))
    return kept, left


def _fitting(lines: Sequence[str], room: int) -> list[str]:
    """Return as many lines as fit, from the first on; single lines that are too long are left out."""
    kept = []
    for line in lines:
        if len(line) + 1 > room:
            if len(line) > room // 2 + _LEAST:
                continue
            break
        kept.append(line)
        room -= len(line) + 1
    return kept


def _by_kind(created: Iterable[ResourceDiff]) -> str:
    counts = Counter(block.kind for block in created)
    return ", ".join(f"{number} {kind}" for kind, number in counts.most_common())


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def inline(text: str) -> str:
    """Return a text for a line of Markdown: anything more than a name becomes code, so that it is not interpreted."""
    if _PLAIN.fullmatch(text):
        return text
    ticks = "`" * (max((len(found) for found in re.findall(r"`+", text)), default=0) + 1)
    return f"{ticks} {one_line(text)} {ticks}"


def fenced(text: str, language: str = "") -> str:
    """Return a text as a code block with a fence that the text cannot close."""
    fence = "`" * (3 + _longest(text))
    return f"{fence}{language}\n{text}\n{fence}\n"


def _longest(text: str) -> int:
    return max((len(found) - 2 for found in re.findall(r"`{3,}", text)), default=0)

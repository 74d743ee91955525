"""Rule text to a ruleset: restore files as people write them, command lines, and the output of iptables-save."""

from __future__ import annotations

import re
from functools import lru_cache

from rules.errors import RuleSyntaxError, did_you_mean
from rules.language.draft import Draft, DraftTable
from rules.language.statement import StatementReader, command_of
from rules.language.tokens import BLANKS, Line, saved_lines
from rules.model import TABLES, Rule, Ruleset
from rules.values.family import Family

__all__ = ["RuleSyntaxError", "parse", "parse_rule", "parse_saved"]

DEFAULT_TABLE = "filter"
_CHAIN_LINE = re.compile(r"\s*:\s*(?P<name>\S+)(?:\s+(?P<policy>\S+))?(?:\s+\[\d+:\d+\])?\s*(?P<rest>.*)", re.ASCII)


# Both are pure, and one operation parses the same text a dozen times.
@lru_cache(maxsize=64)
def parse(text: str, family: Family) -> Ruleset:
    """Parse rules that a person wrote.

    Accepted: restore files (comments, ``*table``, ``:CHAIN POLICY [0:0]``, counters, ``COMMIT``), in the table filter
    if none is named; command lines (``sudo iptables -I INPUT 9 …``), which apply to what precedes them; long options;
    negation before or after an option.

    Raises :class:`RuleSyntaxError` with line and column, also for what the kernel would reject: unknown targets and
    chains, ports out of range, addresses of the other family, options without their match, loops of chains.
    """
    return _Parser(text, family, lenient=False).run()


@lru_cache(maxsize=64)
def parse_saved(text: str, family: Family) -> Ruleset:
    """Parse the output of iptables-save or ip6tables-save (1.4 to 1.8, legacy or nf_tables).

    Anything unknown is kept as opaque words: the kernel accepted it, so it is never an error. Text that is not in this
    format at all still raises :class:`RuleSyntaxError`.
    """
    return _Parser(text, family, lenient=True).run()


def parse_rule(text: str, family: Family, table: str = DEFAULT_TABLE) -> Rule:
    """Parse one rule, ``-A CHAIN …``. The chains it names need not exist.

    Raises :class:`RuleSyntaxError` as :func:`parse` does, or if the text is not exactly one rule.
    """
    line = Line(1, text)
    statement = StatementReader(line, family, table, lenient=False).read()
    if statement is None or statement.command != "append" or len(statement.rules) != 1:
        raise line.error(1, "this is not one rule", "-A CHAIN with matches and a target")
    return statement.rules[0]


class _Parser:
    def __init__(self, text: str, family: Family, lenient: bool) -> None:
        self.lines = [Line(number, line) for number, line in enumerate(text.split("\n"), 1)]
        self.family = family
        self.lenient = lenient
        self.draft = Draft(family, lenient)
        self.open: str | None = None
        self.seen: set[str] = set()

    def run(self) -> Ruleset:
        for line in saved_lines(self.lines) if self.lenient else _joined(self.lines):
            stripped = line.text.strip(BLANKS)
            if stripped == "COMMIT":
                self.open = None
            elif not stripped or stripped.startswith("#"):
                continue
            elif stripped.startswith("*"):
                self._start_table(line, stripped[1:].strip(BLANKS))
            elif stripped.startswith(":"):
                self._declare(line)
            else:
                self._statement(line)
        return self.draft.finish()

    def _start_table(self, line: Line, name: str) -> None:
        column = line.text.index("*") + 1
        if name not in TABLES and not self.lenient:
            reason = f'there is no table "{name}"{did_you_mean(name, TABLES)}'
            raise line.error(column, reason, f"one of {', '.join(TABLES)}")
        if name in self.seen and not self.lenient:
            reason = f"table {name} is here a second time, loading it would flush the first"
            raise line.error(column, reason, "each table once")
        self.seen.add(name)
        self.open = name
        self.draft.table(name)

    def _table(self) -> DraftTable:
        return self.draft.table(self.open or DEFAULT_TABLE)

    def _declare(self, line: Line) -> None:
        found = _CHAIN_LINE.fullmatch(line.text)
        if found is None or (found["rest"] and not self.lenient):
            column = found.start("rest") + 1 if found is not None else len(line.text) + 1
            raise line.error(column, "this is not a chain declaration", ":NAME POLICY [packets:bytes]")
        columns = found.start("name") + 1, max(found.start("policy"), found.start("name")) + 1
        self._table().declare(line, columns, found["name"], found["policy"] or "-")

    def _statement(self, line: Line) -> None:
        statement = StatementReader(line, self.family, self.open or DEFAULT_TABLE, self.lenient).read()
        if statement is not None:
            self.draft.table(statement.table).run(statement)


def _joined(lines: list[Line]) -> list[Line]:
    """Join command lines that are continued with a backslash; restore files do not support that."""
    joined: list[Line] = []
    continued = False
    for line in lines:
        text = line.text.rstrip(BLANKS)
        if continued:
            joined[-1] = Line(joined[-1].number, joined[-1].text + " " + text.strip(BLANKS))
        else:
            joined.append(Line(line.number, text))
        last = joined[-1]
        continued = last.text.endswith("\\") and command_of(last.text) is not None
        if continued:
            joined[-1] = Line(last.number, last.text[:-1].rstrip(BLANKS))
    return joined

"""One line of rule text as a statement: a command such as ``-I INPUT 9``, its table and its rules."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from rules.errors import RuleSyntaxError, did_you_mean
from rules.language.checks import Demand, check_rule, demands
from rules.language.specification import SpecReader
from rules.language.tokens import Line, Token, split_restore, split_shell
from rules.language.words import WordReader
from rules.model import TABLES, Rule
from rules.options.base import (
    COMMANDS,
    COUNTERS,
    FAMILIES,
    IGNORED,
    JUMP,
    MATCH,
    REFUSED,
    TABLE,
    WAIT,
    WITH_VALUE,
    Command,
)
from rules.values.family import Family
from rules.values.ports import is_number

_COMMAND_LINE = re.compile(r"\s*(?:[$%]\s+)?(?:sudo\s+(?:-\w+\s+)*)?(?:\S*/)?(ip6?tables)(?:-legacy|-nft)?(?:[ \t]|$)")
_LONG = frozenset(name for name in (*COMMANDS, *JUMP, *MATCH, *TABLE, *COUNTERS) if name.startswith("--"))
_PROMPT = re.compile(r"\s*[$%]\s+")
_COUNTERS = re.compile(r"\s*\[\d+:\d+\]", re.ASCII)


def command_of(text: str) -> str | None:
    """``iptables`` or ``ip6tables`` if the line is a command line (``sudo`` and a path are allowed), else None."""
    found = _COMMAND_LINE.match(text)
    return found[1] if found is not None else None


@dataclass(frozen=True, slots=True)
class Statement:
    """A command with its words, and the rules after it (several if addresses are given in a list)."""

    line: Line
    command: str
    words: tuple[Token, ...]
    table: str
    rules: tuple[Rule, ...] = ()
    target: Token | None = None
    has_spec: bool = False
    demands: tuple[Demand, ...] = ()

    @property
    def chain(self) -> Token:
        """The chain it applies to."""
        return self.words[0]

    @property
    def number(self) -> int | None:
        """The rule number, if one is given."""
        return int(self.words[1].text) if len(self.words) > 1 and is_number(self.words[1].text) else None

    def error(self, token: Token, reason: str, expected: str) -> RuleSyntaxError:
        """An error at one of its words."""
        return self.line.error(token.column, reason, expected)


class StatementReader:
    """Reads one line. ``table``: the current table; only a command line may name another."""

    def __init__(self, line: Line, family: Family, table: str, lenient: bool) -> None:
        self.line = line
        self.family = family
        self.table = table
        self.lenient = lenient
        self.shell = command_of(line.text) is not None
        self.words = WordReader(line, self._tokens())
        self.spec = SpecReader(self.words, family, lenient)
        self.command: Command | None = None
        self.arguments: tuple[Token, ...] = ()
        self.other_family = False

    def _tokens(self) -> list[Token]:
        if not self.shell:
            counters = _COUNTERS.match(self.line.text)
            start = counters.end() if counters is not None else 0
            blank = Line(self.line.number, " " * start + self.line.text[start:])
            return split_restore(blank, lenient=self.lenient)
        prompt = _PROMPT.match(self.line.text)
        start = prompt.end() if prompt is not None else 0
        return split_shell(Line(self.line.number, " " * start + self.line.text[start:]))

    def read(self) -> Statement | None:
        """The statement, or None for a line that applies only to the other family (``-4``, ``-6``)."""
        if self.shell:
            self._skip_command()
        while self.words.more():
            self._step()
        if self.other_family:
            return None
        if self.command is None:
            raise self.words.error(None, "the line has no command", "-A, -I, -R, -D, -N or -P")
        return self._statement(self.command)

    def _skip_command(self) -> None:
        while True:
            token = self.words.next()
            found = command_of(token.text)
            if found is None:
                continue
            if found != self.family.command:
                reason = f"an {found} command in an {self.family.label} ruleset"
                raise self.words.error(token, reason, self.family.command)
            return

    def _step(self) -> None:
        """Read one option with its words."""
        token = self._apart(self._bare(self.words.next()))
        negation = None
        if token.text == "!" and not token.quoted:
            negation = token
            token = self._apart(self._bare(self.words.value(token, "an option after !")))
        if not self.words.is_flag(token):
            raise self.line.unknown(token.column, self._stray(token), "an option starting with -")
        if token.text in COMMANDS or token.text in REFUSED:
            self._read_command(token)
        elif token.text in MATCH:
            self.spec.load_match(token, negation)
        elif token.text in JUMP:
            self.spec.load_target(token, negation, JUMP[token.text])
        elif not self._read_minor(token):
            self.spec.read_option(token, negation)

    def _bare(self, token: Token) -> Token:
        """An option may be in quotes like any other word; in saved text quotes are part of a name."""
        return token if self.lenient else replace(token, quoted=False)

    def _apart(self, token: Token) -> Token:
        """Split off a value attached to its option (``-p6``); it becomes the next word."""
        name, equals, value = token.text.partition("=")
        if token.quoted or not (equals and name in _LONG):
            if token.quoted or token.text[:2] not in WITH_VALUE or len(token.text) == len("-p"):
                return token
            name, value = token.text[:2], token.text[2:]
        column = token.column + len(token.text) - len(value)
        self.words.tokens.insert(self.words.index, Token(value, False, token.line, column))
        return Token(name, False, token.line, token.column)

    def _stray(self, token: Token) -> str:
        if token.text.startswith("#"):
            return "a comment needs a line of its own"
        return f'"{token.text}" belongs to no option'

    def _read_command(self, token: Token) -> None:
        if token.text in REFUSED:
            raise self.words.error(
                token, f"{token.text} ({REFUSED[token.text]}) changes nothing", "a command that changes rules"
            )
        if self.command is not None:
            raise self.words.error(token, "the line has a second command", "one command in a line")
        self.command = COMMANDS[token.text]
        found: list[Token] = []
        while len(found) < self.command.most:
            following = self.words.peek()
            if following is None or self.words.is_flag(following) or (following.text == "!" and not following.quoted):
                break
            if len(found) == 1 and self.command.name != "policy" and not is_number(following.text):
                break
            found.append(self.words.next())
        if len(found) < self.command.least:
            missing = ("a chain", "a rule number" if self.command.name == "replace" else "ACCEPT or DROP")[len(found)]
            raise self.words.error(self.words.peek(), f"{token.text} needs {missing}", missing)
        self.arguments = tuple(found)

    def _read_minor(self, token: Token) -> bool:
        """Read options that are not part of the rule. False if ``token`` is not one of them."""
        if token.text in TABLE:
            self._read_table(token)
        elif token.text in COUNTERS:
            self._read_counters(token)
        elif token.text in WAIT:
            following = self.words.peek()
            if following is not None and is_number(following.text):
                self.words.next()
        elif token.text in FAMILIES:
            self.other_family = FAMILIES[token.text] != self.family.value
        else:
            return token.text in IGNORED
        return True

    def _read_counters(self, token: Token) -> None:
        """``-c PACKETS BYTES`` or ``-c PACKETS,BYTES``."""
        first = self.words.value(token, "packets and bytes")
        packets, comma, size = first.text.partition(",")
        last = first if comma else self.words.value(token, "bytes")
        for place, text in ((first, packets), (last, size if comma else last.text)):
            if not is_number(text):
                raise self.words.error(place, f'"{place.text}" is no count of packets and bytes', "-c PACKETS BYTES")

    def _read_table(self, token: Token) -> None:
        name = self.words.value(token, "a table")
        if not self.shell:
            raise self.words.error(token, "-t is for command lines", f"a line *{name.text} before the rules")
        if name.text not in TABLES and not self.lenient:
            reason = f'there is no table "{name.text}"{did_you_mean(name.text, TABLES)}'
            raise self.words.error(name, reason, f"one of {', '.join(TABLES)}")
        self.table = name.text

    def _statement(self, command: Command) -> Statement:
        takes_rule = command.name in ("append", "insert", "replace", "delete")
        has_spec = bool(self.spec.base or self.spec.loaded or self.spec.unknown)
        if has_spec and not takes_rule:
            raise self.words.error(self.words.tokens[0], f"--{command.name} takes no rule", "no matches and no target")
        if not takes_rule:
            return Statement(self.line, command.name, self.arguments, self.table)
        chain = self.arguments[0]
        if not self.lenient:
            check_rule(self.spec, self.table, chain.text)
        target = self.spec.target.token if self.spec.target is not None else None
        rules = tuple(self.spec.rules(chain.text))
        wanted = () if self.lenient else demands(self.spec)
        return Statement(self.line, command.name, self.arguments, self.table, rules, target, has_spec, wanted)

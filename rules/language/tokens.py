"""Splits lines into words with their columns: as iptables-restore splits a line, and as a shell splits a command."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rules.errors import RuleSyntaxError, UnknownError

# What web pages and word processors substitute for "-", quotes and spaces.
_TYPOGRAPHIC = {
    "\u2010": "a hyphen",
    "\u2011": "a non-breaking hyphen",
    "\u2012": "a figure dash",
    "\u2013": "an en dash",
    "\u2014": "an em dash",
    "\u2015": "a horizontal bar",
    "\u2212": "a minus sign",
    "\u201c": "a curly quote",
    "\u201d": "a curly quote",
    "\u201e": "a low quote",
    "\u2018": "a curly quote",
    "\u2019": "a curly quote",
    "\u00ab": "a guillemet",
    "\u00bb": "a guillemet",
    "\u00a0": "a no-break space",
    "\u200b": "a zero-width space",
    "\u2026": "an ellipsis",
}
BLANKS = " \t\r"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_RESTORE_WORD = re.compile(r'([^ \t\r\n"]*)(?:"((?:[^"\\]|\\.)*)")?', re.DOTALL)
_ANY_WORD = re.compile(r"[^ \t\r\n]+")
_QUOTED = re.compile(r'(?<![^ \n])"(?:[^"\\]|\\.)*"', re.DOTALL)
_OPEN = re.compile(r'(?<![^ \n])"')
_STARTS = re.compile(r"[ \t\r]*(?:-[A-Z] |--append |[\[:*#]|COMMIT\s*$|(?:sudo |\S*/)?ip6?tables|$)")
# No rule has more lines than this: no text in it is longer than 255 bytes.
_MOST_LINES = 1024
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_SHELL_PART = re.compile(r"""([^ \t\r"'\\$`|&;<>()]+)|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.?)""")
_SHELL_ESCAPE = re.compile(r'\\(["\\$`])')


@dataclass(frozen=True, slots=True)
class Token:
    """One word: its text without quotes, and its column (from 1). ``quoted`` tells ``"!"`` from ``!``."""

    text: str
    quoted: bool
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line of input with its number from 1."""

    number: int
    text: str

    def error(self, column: int, reason: str, expected: str) -> RuleSyntaxError:
        """An error at a column of this line."""
        return RuleSyntaxError(reason, line=self.number, column=column, expected=expected, text=self.text)

    def unknown(self, column: int, reason: str, expected: str) -> UnknownError:
        """The same for something that the kernel may support."""
        return UnknownError(reason, line=self.number, column=column, expected=expected, text=self.text)


def _refuse_typography(line: Line, start: int, word: str) -> None:
    """Raise for the first typographic character of an unquoted word."""
    if word.isascii():
        return
    for index, char in enumerate(word, start):
        if char in _TYPOGRAPHIC:
            plain = "-- or -" if char in _DASHES else "a plain ASCII character"
            what = f"{_TYPOGRAPHIC[char]} (U+{ord(char):04X}), probably pasted from a web page"
            raise line.error(index + 1, what, plain)


def saved_lines(lines: Iterable[Line]) -> Iterator[Line]:
    """Lines of iptables-save output, joined where a newline is inside a comment or a name, which is not quoted."""
    held: list[Line] = []
    for line in lines:
        ended = _STARTS.match(line.text) is not None and _closed(held)
        if held and not ended and held[0].text[:1] in ("-", "[") and len(held) < _MOST_LINES:
            held.append(line)
            continue
        yield from _one(held)
        held = [line]
    # An unclosed quote is part of a name.
    yield from _one(held) if _closed(held) else held


def saved_texts(text: str) -> Iterator[str]:
    """The same for a whole text."""
    return (line.text for line in saved_lines(Line(number, line) for number, line in enumerate(text.split("\n"), 1)))


def _one(lines: list[Line]) -> list[Line]:
    return [Line(lines[0].number, "\n".join(line.text for line in lines).rstrip("\n"))] if lines else []


def _closed(lines: list[Line]) -> bool:
    """Whether every quote is closed."""
    if not any('"' in line.text for line in lines):
        return True
    return _OPEN.search(_QUOTED.sub(" ", "\n".join(line.text for line in lines))) is None


def split_restore(line: Line, *, lenient: bool = False) -> list[Token]:
    """Words of a line of a restore file: spaces separate, only double quotes quote, with backslash escapes inside.

    A closing quote ends the word, as in iptables-restore. Raises :class:`RuleSyntaxError` for an unclosed quote, single
    quotes around a word and typographic characters. ``lenient``: these are part of names, which are never quoted.
    """
    tokens: list[Token] = []
    text, index = line.text, 0
    while (index := _skip_blanks(text, index)) < len(text):
        if text[index] == "'" and not lenient:
            raise line.error(index + 1, "single quotes do not quote in a restore file", "double quotes")
        found = _RESTORE_WORD.match(text, index)
        assert found is not None  # it matches the empty string
        word, quoted = found[1], found[2]
        if not lenient:
            _refuse_typography(line, index, word)
        elif quoted is None and text[found.end() : found.end() + 1] == '"' and (word or _names(tokens)):
            found = _ANY_WORD.match(text, index) or found
            word = found[0]
        elif quoted is not None and word:
            found = _ANY_WORD.match(text, index) or found
            word, quoted = found[0], None
        if quoted is None and text[found.end() : found.end() + 1] == '"':
            raise line.unknown(found.end() + 1, "this quote is never closed", 'a closing "')
        if quoted is not None:
            word += _ESCAPE.sub(r"\1", quoted)
        # `--comment="x y"` is an option, whatever the quotes after it contain.
        named = quoted is not None and found[1].startswith("--") and "=" in found[1]
        tokens.append(Token(word, quoted is not None and not named, line.number, index + 1))
        index = found.end()
    return tokens


def _names(tokens: list[Token]) -> bool:
    """Whether the next word is a name, which is printed without quotes."""
    return bool(tokens) and tokens[-1].text in ("--name", "--hashlimit-name", "--match-set")


def _skip_blanks(text: str, index: int) -> int:
    while index < len(text) and text[index] in " \t\r\n":
        index += 1
    return index


def split_shell(line: Line) -> list[Token]:
    """Words of a command line: both kinds of quotes, backslash, and ``#`` comments; nothing is expanded.

    Raises :class:`RuleSyntaxError` if a shell would expand, redirect or chain commands.
    """
    tokens: list[Token] = []
    text, index = line.text, 0
    while (index := _skip_blanks(text, index)) < len(text) and text[index] != "#":
        start, word, quoted = index, "", False
        while index < len(text) and text[index] not in " \t\r":
            part, index, part_quoted = _shell_part(line, index)
            word, quoted = word + part, quoted or part_quoted
        tokens.append(Token(word, quoted, line.number, start + 1))
    return tokens


def _shell_part(line: Line, start: int) -> tuple[str, int, bool]:
    """A part of a word quoted in one way: its text, the index after it, whether it was quoted."""
    found = _SHELL_PART.match(line.text, start)
    if found is None:
        char = line.text[start]
        if char in "\"'":
            raise line.error(start + 1, "this quote is never closed", f"a closing {char}")
        raise line.error(start + 1, f"shell syntax ({char}) is not evaluated here", "plain words")
    plain, single, double, escaped = found.groups()
    if plain is not None:
        _refuse_typography(line, start, plain)
        return plain, found.end(), False
    if double is not None:
        return _SHELL_ESCAPE.sub(r"\1", double), found.end(), True
    return single if single is not None else escaped, found.end(), True

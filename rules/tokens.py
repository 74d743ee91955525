"""Lines into words, with the column of each: as iptables-restore splits a line, and as a shell splits a command."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rules.errors import RuleSyntaxError

# What web pages and word processors make of "-", quotes and blanks.
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
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_RESTORE_WORD = re.compile(r'([^ \t\r"]*)(?:"((?:[^"\\]|\\.)*)")?')
_ESCAPE = re.compile(r"\\(.)")
_SHELL_PART = re.compile(r"""([^ \t\r"'\\$`|&;<>()]+)|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.?)""")
_SHELL_ESCAPE = re.compile(r'\\(["\\$`])')


@dataclass(frozen=True, slots=True)
class Token:
    """One word: its text without quotes, and where it starts (from 1). ``quoted`` keeps ``"!"`` apart from ``!``."""

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


def _refuse_typography(line: Line, start: int, word: str) -> None:
    """Raise for the first typographic character of an unquoted word."""
    if word.isascii():
        return
    for index, char in enumerate(word, start):
        if char in _TYPOGRAPHIC:
            plain = "-- or -" if char in _DASHES else "a plain ASCII character"
            what = f"{_TYPOGRAPHIC[char]} (U+{ord(char):04X}), probably pasted from a web page"
            raise line.error(index + 1, what, plain)


def split_restore(line: Line) -> list[Token]:
    """Words of a line of a restore file: blanks separate, only double quotes quote, with backslash inside them.

    A closing quote ends the word, as in iptables-restore. Raises :class:`RuleSyntaxError` for an unclosed quote, single
    quotes around a word and typographic characters.
    """
    tokens: list[Token] = []
    text, index = line.text, 0
    while (index := _skip_blanks(text, index)) < len(text):
        if text[index] == "'":
            raise line.error(index + 1, "single quotes do not quote in a restore file", "double quotes")
        found = _RESTORE_WORD.match(text, index)
        assert found is not None  # it matches the empty string
        word, quoted = found[1], found[2]
        _refuse_typography(line, index, word)
        if quoted is None and found.end() < len(text) and text[found.end()] == '"':
            raise line.error(found.end() + 1, "this quote is never closed", 'a closing "')
        if quoted is not None:
            word += _ESCAPE.sub(r"\1", quoted)
        tokens.append(Token(word, quoted is not None, line.number, index + 1))
        index = found.end()
    return tokens


def _skip_blanks(text: str, index: int) -> int:
    while index < len(text) and text[index] in " \t\r":
        index += 1
    return index


def split_shell(line: Line) -> list[Token]:
    """Words of a command line: both kinds of quotes, backslash, and ``#`` comments; nothing is expanded.

    Raises :class:`RuleSyntaxError` where a shell would expand, redirect or chain commands.
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
    """One run of a word that is quoted in one way: its text, the index after it, whether it was quoted."""
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

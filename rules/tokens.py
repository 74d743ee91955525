"""Lines into words, with the column of each: as iptables-restore splits a line, and as a shell splits a command."""

from __future__ import annotations

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
_SHELL_SYNTAX = "$`|&;<>()"


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


def _refuse_typography(line: Line, index: int) -> None:
    char = line.text[index]
    if char not in _TYPOGRAPHIC:
        return
    plain = "-- or -" if char in _DASHES else "a plain ASCII character"
    what = f"{_TYPOGRAPHIC[char]} (U+{ord(char):04X}), probably pasted from a web page"
    raise line.error(index + 1, what, plain)


def split_restore(line: Line) -> list[Token]:
    """Words of a line of a restore file: blanks separate, only double quotes quote, with backslash inside them.

    Raises :class:`RuleSyntaxError` for an unclosed quote, single quotes around a word and typographic characters.
    """
    tokens: list[Token] = []
    text, index = line.text, 0
    while index < len(text):
        if text[index] in " \t\r":
            index += 1
            continue
        if text[index] == "'":
            raise line.error(index + 1, "single quotes do not quote in a restore file", "double quotes")
        word, end, quoted = _restore_word(line, index)
        tokens.append(Token(word, quoted, line.number, index + 1))
        index = end
    return tokens


def _restore_word(line: Line, start: int) -> tuple[str, int, bool]:
    text, index, word = line.text, start, ""
    while index < len(text) and text[index] not in " \t\r":
        if text[index] == '"':
            quoted, end = _double_quoted(line, index, escapes=None)
            return word + quoted, end, True
        _refuse_typography(line, index)
        word += text[index]
        index += 1
    return word, index, False


def _double_quoted(line: Line, start: int, escapes: str | None) -> tuple[str, int]:
    """Text of a quoted part and the index after it; backslash escapes any character, or only ``escapes``."""
    text, index, word = line.text, start + 1, ""
    while index < len(text):
        char = text[index]
        if char == '"':
            return word, index + 1
        if char == "\\" and index + 1 < len(text) and (escapes is None or text[index + 1] in escapes):
            index += 1
            char = text[index]
        word += char
        index += 1
    raise line.error(start + 1, "this quote is never closed", 'a closing "')


def split_shell(line: Line) -> list[Token]:
    """Words of a command line: both kinds of quotes, backslash, and ``#`` comments; nothing is expanded.

    Raises :class:`RuleSyntaxError` where a shell would expand, redirect or chain commands.
    """
    tokens: list[Token] = []
    index = 0
    while index < len(line.text):
        if line.text[index] in " \t\r":
            index += 1
        elif line.text[index] == "#":
            break
        else:
            word, end, quoted = _shell_word(line, index)
            tokens.append(Token(word, quoted, line.number, index + 1))
            index = end
    return tokens


def _shell_word(line: Line, start: int) -> tuple[str, int, bool]:
    text, index, word, any_quoted = line.text, start, "", False
    while index < len(text) and text[index] not in " \t\r":
        char = text[index]
        if char == "'":
            end = text.find("'", index + 1)
            if end < 0:
                raise line.error(index + 1, "this quote is never closed", "a closing '")
            word, index, any_quoted = word + text[index + 1 : end], end + 1, True
        elif char == '"':
            part, index = _double_quoted(line, index, escapes='"\\$`')
            word, any_quoted = word + part, True
        elif char in _SHELL_SYNTAX:
            raise line.error(index + 1, f"shell syntax ({char}) is not evaluated here", "plain words")
        else:
            if char == "\\" and index + 1 < len(text):
                index, any_quoted = index + 1, True
            else:
                _refuse_typography(line, index)
            word, index = word + text[index], index + 1
    return word, index, any_quoted

"""The words of a line while it is read, and the extensions it loads."""

from __future__ import annotations

from dataclasses import dataclass, field

from rules.errors import RuleSyntaxError
from rules.language.tokens import Line, Token
from rules.options.extensions import Extension, Options


def spell(token: Token) -> str:
    """A word of an opaque match as it is printed: quoted only if necessary."""
    text = token.text
    needs = not text or any(char in " \t\"'\\" for char in text) or (token.quoted and text.startswith(("!", "-")))
    if not needs:
        return text
    return '"' + "".join("\\" + char if char in '"\\' else char for char in text) + '"'


@dataclass
class Loaded:
    """One ``-m NAME`` or ``-j NAME`` while its options are being collected. ``raw``: all of its words."""

    token: Token
    extension: Extension | None
    goto: bool = False
    target: bool = False
    opaque: bool = False
    options: Options = field(default_factory=dict)
    raw: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.extension.name if self.extension is not None else self.token.text


class WordReader:
    """The words of one line, read from left to right."""

    def __init__(self, line: Line, tokens: list[Token]) -> None:
        self.line = line
        self.tokens = tokens
        self.index = 0

    def more(self) -> bool:
        return self.index < len(self.tokens)

    def peek(self) -> Token | None:
        return self.tokens[self.index] if self.more() else None

    def next(self) -> Token:
        self.index += 1
        return self.tokens[self.index - 1]

    def value(self, after: Token, expected: str) -> Token:
        """The next word, which ``after`` requires."""
        if not self.more():
            raise self.error(None, f"{after.text} needs a value", expected)
        return self.next()

    def bare(self, found: list[Token], until: str) -> list[Token]:
        """Words of which the first is printed unquoted, spaces included, up to the word ``until`` or an option."""
        rest = self.tokens[self.index :]
        ends = [place for place, token in enumerate(rest) if token.text == until and not token.quoted]
        ends = ends or [place for place, token in enumerate(rest) if self.is_flag(token) or token.text == "!"]
        more = rest[: ends[0] if ends else len(rest)]
        if not more:
            return found
        self.index += len(more)
        first, *others = found
        last = [*found, *more][len(found) + len(more) - len(others) - 1]
        end = last.column - 1 + len(last.text)
        name = Token(self.line.text[first.column - 1 : end], True, first.line, first.column)
        return [name, *[*found, *more][len(found) + len(more) - len(others) :]]

    def error(self, token: Token | None, reason: str, expected: str) -> RuleSyntaxError:
        """An error at a word, or at the end of the line."""
        column = token.column if token is not None else len(self.line.text.rstrip()) + 1
        return self.line.error(column, reason, expected)

    @staticmethod
    def is_flag(token: Token | None) -> bool:
        """Whether a word starts an option rather than being a value."""
        return token is not None and not token.quoted and token.text.startswith("-") and len(token.text) > 1

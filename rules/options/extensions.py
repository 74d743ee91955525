"""What a match or target extension is to the parser and the renderer: an ordered table of options.

The tables themselves are in ``matches.py`` and ``targets.py``. Options are listed in the order in which iptables-save
prints them, so one table drives reading, canonical form and printing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from rules.errors import ExpectedError
from rules.model import Option
from rules.values.family import Family
from rules.values.typed import Pair, Value

Options = dict[str, Option]
Check = Callable[[Options, Family], "tuple[str, str] | None"]
BOTH = (Family.IPV4, Family.IPV6)
_BREAKING = frozenset(" \t\r\n\"'\\")
NO_QUOTE = frozenset("_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


class Quoting(Enum):
    """How iptables-save prints a value: bare, quoted if necessary, or always quoted.

    SPACED is printed bare, but a value with spaces or quotes in it is read as one word only if it is quoted.
    """

    NEVER = "never"
    NEEDED = "needed"
    ALWAYS = "always"
    SPACED = "spaced"


class WordError(ExpectedError):
    """One of several words was rejected: the one at ``place``, or all of them."""

    def __init__(self, place: int | None, expected: str, reason: str) -> None:
        super().__init__(expected, reason)
        self.place = place


@dataclass(frozen=True)
class Kind:
    """A kind of value: its name in errors, how many words it has, how to read and print them.

    ``numerals``: it contains numbers. One with a leading 0 is octal to iptables, and decimal to people.
    """

    expected: str
    read: Callable[[tuple[str, ...], Family], Value]
    arity: int = 1
    quoting: Quoting = Quoting.NEVER
    numerals: bool = False


@dataclass(frozen=True)
class OptionSpec:
    """One option. In canonical form, a value equal to ``default`` is omitted, and ``implied`` is added if missing.

    ``rewrite`` turns a spelling into the option that the kernel stores (``--syn`` into ``--tcp-flags``). ``flag`` names
    the option that prints a value, if that depends on the value (``--hex-string``).
    """

    name: str
    kind: Kind
    negatable: bool = False
    aliases: tuple[str, ...] = ()
    default: Callable[[Family], Value] | None = None
    implied: Callable[[Family], Value] | None = None
    rewrite: Callable[[Option], Option] | None = None
    flag: Callable[[Value], str] | None = None


@dataclass(frozen=True)
class Extension:
    """A match or target extension; ``options`` None means that its options are kept as written (opaque).

    ``protocols``: numbers of the ``-p`` it needs. ``tables``: where the kernel allows it (any if empty). ``hooks``: the
    built-in chains it may be called from (any if empty); ``option_hooks``: the same for single options. ``one_of``:
    groups of options of which exactly one must be given. ``at_most``: groups of which one may be given. ``any_of``:
    options of which it needs at least one. ``check``: what else is wrong with the options, and what is expected.
    ``read_words`` reads the words of an opaque one.
    """

    name: str
    options: tuple[OptionSpec, ...] | None = ()
    aliases: tuple[str, ...] = ()
    families: tuple[Family, ...] = BOTH
    protocols: tuple[int, ...] = ()
    tables: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    option_hooks: tuple[tuple[str, tuple[str, ...]], ...] = ()
    one_of: tuple[tuple[str, ...], ...] = ()
    at_most: tuple[tuple[str, ...], ...] = ()
    any_of: tuple[str, ...] = ()
    normalise: Callable[[Options, Family], Options] | None = None
    check: Check | None = None
    read_words: Callable[[tuple[str, ...], Family], tuple[str, ...]] | None = None
    _index: dict[str, OptionSpec] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for spec in self.options or ():
            for name in (spec.name, *spec.aliases):
                self._index[name] = spec

    def spec(self, name: str) -> OptionSpec | None:
        """The option of that name or alias."""
        return self._index.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Names and aliases of all options."""
        return tuple(self._index)


def finish(extension: Extension, given: Options, family: Family) -> tuple[Option, ...]:
    """The options of one match or target in canonical form: implied ones added, defaults omitted, in saved order."""
    options = extension.normalise(dict(given), family) if extension.normalise is not None else dict(given)
    for spec in extension.options or ():
        if spec.implied is not None and spec.name not in options:
            options[spec.name] = Option(spec.name, spec.implied(family))
        found = options.get(spec.name)
        if found is not None and spec.default is not None and not found.negated and found.value == spec.default(family):
            del options[spec.name]
    return tuple(options[spec.name] for spec in extension.options or () if spec.name in options)


def quote(text: str, quoting: Quoting = Quoting.NEEDED) -> str:
    """A word as iptables-save quotes it (``xtables_save_string``)."""
    if quoting is Quoting.NEVER or (quoting is Quoting.NEEDED and text and NO_QUOTE.issuperset(text)):
        return text
    if quoting is Quoting.SPACED and text and text[0] not in "-!" and not _BREAKING.intersection(text):
        return text
    special = "\"\\'" if quoting is Quoting.NEEDED else '"\\'
    return '"' + "".join("\\" + char if char in special else char for char in text) + '"'


def render_option(extension: Extension, option: Option) -> str:
    """One option as iptables-save prints it, with a leading ``!`` if negated."""
    spec = extension.spec(option.name)
    if spec is None:
        raise KeyError(f"{extension.name} has no option {option.name}")
    flag = spec.flag(option.value) if spec.flag is not None else spec.name
    words = ["!"] if option.negated else []
    words.append(f"--{flag}")
    if spec.kind.arity:
        values = (option.value.first, option.value.second) if isinstance(option.value, Pair) else (option.value,)
        words += [quote(str(value), spec.kind.quoting) for value in values]
    return " ".join(words)

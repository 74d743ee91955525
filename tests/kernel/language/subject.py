"""A match, a target or the rule itself, with values for its options, from which rules are generated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from zlib import crc32

from rules.model import BUILTIN_CHAINS
from tests.kernel.language.cases import Case
from tests.kernel.language.values import Values

# In rules, replaced by a unique name: the kernel's object of that name outlives a rule for a moment.
NAME = "NAME"


def _named(rule: str) -> str:
    return rule.replace(NAME, f"n{crc32(rule.encode()):08x}")


def unnamed(text: str) -> str:
    """A text without such names."""
    return re.sub(r"\bn[0-9a-f]{8}\b", NAME, text)


@dataclass(frozen=True)
class Subject:
    """``flag`` loads it (``-m tcp``); ``before`` must precede it.

    ``needs``: options that each case must have; they are added with their first value if they are missing.
    ``rivals``: groups of options of which a rule has only one, so that ``needs`` does not add a second.
    ``more``: further rules, written after ``before`` and ``flag``. ``table`` and ``chain``: where it is valid.
    """

    flag: str
    options: Mapping[str, Values] = field(default_factory=dict)
    before: str = ""
    needs: tuple[str, ...] = ()
    rivals: tuple[tuple[str, ...], ...] = ()
    table: str = "filter"
    chain: str = "INPUT"
    more: tuple[str, ...] = ()

    def cases(self) -> Iterator[Case]:
        """Every case, in a stable order."""
        yield from (Case(case.table, case.chain, _named(case.rule)) for case in self._cases())

    def _cases(self) -> Iterator[Case]:
        yield from (Case(self.table, self.chain, rule) for rule in self._rules())
        if not self.flag:
            return
        usual = self._rule(*(self._option(name) for name in list(self.options)[:1]))
        for table, chains in BUILTIN_CHAINS.items():
            yield from (Case(table, chain, usual) for chain in (*chains, "other"))
        bare = usual.removeprefix(f"{self.before} ") if self.before else usual
        for protocol in ("", "-p tcp", "! -p tcp", "-p udp", "-p sctp", "-p icmp", "-p icmpv6", "-p all", "-p 50"):
            yield Case(self.table, self.chain, f"{protocol} {bare}".strip())

    def _rules(self) -> Iterator[str]:
        yield " ".join(filter(None, (self.before, self.flag)))
        yield self._rule()
        for name, values in self.options.items():
            yield from self._of_option(name, values)
        for first, second in combinations(self.options, 2):
            yield self._rule(self._option(first), self._option(second))
        every = [self._option(name) for name in self.options]
        yield self._rule(*every)
        yield self._rule(*reversed(every))
        for rule in self.more:
            yield " ".join(filter(None, (self.before, self.flag, rule)))
        if self.flag:
            yield f"{self._rule()} {self.flag}"
            yield f"{self._rule()} {self._rule().removeprefix(self.before)}".replace("  ", " ")

    def _of_option(self, name: str, values: Values) -> Iterator[str]:
        for value in values:
            yield self._rule(self._option(name, value))
        first = values[0]
        yield self._rule(f"! {self._option(name, first)}")
        if first:
            yield self._rule(f"{name} ! {first}")
            yield self._rule(f"! {name} ! {first}")
            yield self._rule(f"{name}={first}")
            for value in values[1:6]:
                yield self._rule(f"! {self._option(name, value)}")
        else:
            yield self._rule(f"{name} x")
            yield self._rule(f"{name}=x")
        yield self._rule(f"{self._option(name, first)} {self._option(name, values[min(1, len(values) - 1)])}")
        yield self._rule(name[:-1] + (f" {first}" if first else ""))
        if first:
            yield self._rule(name)

    def _option(self, name: str, value: str | None = None) -> str:
        chosen = self.options[name][0] if value is None else value
        return f"{name} {chosen}" if chosen else name

    def _rule(self, *given: str) -> str:
        """``given`` and the options that must accompany it."""
        present = {word for option in given for word in option.split()}
        stands = {name for name in present if name in self.options}
        for group in self.rivals:
            if stands & set(group):
                stands |= set(group)
        needed = [self._option(name) for name in self.needs if name not in stands]
        return " ".join(filter(None, (self.before, self.flag, *needed, *given)))

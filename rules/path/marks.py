"""The marks that packets may have: a few values, closed under all changes that the rules make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rules.model import Match, Rule, Target
from rules.path.layers import Layer
from rules.values.intervals import Intervals, numbers
from rules.values.typed import MarkChange, Masked

# The most distinct values; with more, marks are unknown.
MOST_MARKS = 64
_FULL = 0xFFFFFFFF
# The new value for each value, by index.
Effect = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Marks:
    """``values``: all possible marks, 0 first; empty if there are too many to distinguish.

    ``kept``: whether any rule marks connections, so that a restored mark is unknown.
    """

    values: tuple[int, ...]
    kept: bool

    @property
    def known(self) -> bool:
        """Whether marks are distinguished."""
        return bool(self.values)

    @property
    def same(self) -> Effect:
        """The effect that changes no mark."""
        return tuple(range(len(self.values)))

    def effects(self, target: Target) -> tuple[Effect, ...] | None:
        """The possible effects of a target on marks; None if it changes none."""
        change = mark_change(target)
        if change is not None and target.name == "MARK":
            return (self._effect(change),) if self.known else None
        if target.name == "CONNMARK" and target.option("restore-mark") is not None and self.known:
            cleared = self._effect(MarkChange(0, _mask(target)))
            every = [tuple([number] * len(self.values)) for number in range(len(self.values))]
            return tuple(every) if self.kept else (cleared,)
        return None

    def fitting(self, match: Match) -> Intervals | None:
        """The indexes of the marks that a match accepts; None if unknown."""
        option = match.option("mark")
        if not self.known or option is None or not isinstance(option.value, Masked):
            return None
        wanted = option.value
        found = [
            number
            for number, value in enumerate(self.values)
            if (value & wanted.mask == wanted.value) != option.negated
        ]
        return numbers(found)

    def _effect(self, change: MarkChange) -> Effect:
        return tuple(self.values.index(_changed(value, change)) for value in self.values)


def marks_of(layers: Iterable[Layer]) -> Marks:
    """All marks that rules may give to a packet that arrives without one."""
    rules = [rule for layer in layers for chain in layer.table.chains for rule in chain.rules]
    kept = any(_keeps(rule) for rule in rules)
    changes = _changes(rules)
    values: dict[int, None] = {0: None}
    waiting = [0]
    while waiting and len(values) <= MOST_MARKS:
        value = waiting.pop()
        for change in changes:
            new = _changed(value, change)
            if new not in values:
                values[new] = None
                waiting.append(new)
    return Marks((), kept) if len(values) > MOST_MARKS else Marks(tuple(values), kept)


def mark_change(target: Target) -> MarkChange | None:
    """The change that a target which sets a mark makes to it."""
    option = target.option("set-xmark")
    return option.value if option is not None and isinstance(option.value, MarkChange) else None


def _changes(rules: Sequence[Rule]) -> list[MarkChange]:
    found = []
    for target in (rule.target for rule in rules):
        if target is not None and target.name == "MARK" and (change := mark_change(target)) is not None:
            found.append(change)
        if target is not None and target.name == "CONNMARK" and target.option("restore-mark") is not None:
            found.append(MarkChange(0, _mask(target)))
    return list(dict.fromkeys(found))


def _mask(target: Target) -> int:
    option = target.option("nfmask")
    return int(str(option.value), 16) if option is not None else _FULL


def _keeps(rule: Rule) -> bool:
    target = rule.target
    return target is not None and target.name == "CONNMARK" and target.option("restore-mark") is None


def _changed(value: int, change: MarkChange) -> int:
    return (value & ~change.mask & _FULL) ^ change.value

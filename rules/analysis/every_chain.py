"""Dead and redundant rules across all chains: those that are so on every path to the rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from rules.analysis.chain import ChainAnswers, calling
from rules.analysis.dead import Dead
from rules.model import Table
from rules.packets.diagrams import TooIntricateError
from rules.packets.outcomes import Place, Placed

T = TypeVar("T")
# Why no answer is possible, by built-in chain.
Undecided = dict[str, str]


def dead_everywhere(table: Table, parts: Mapping[str, ChainAnswers], undecided: Undecided | None) -> tuple[Dead, ...]:
    """The rules that match no packet, whichever built-in chain it comes from."""
    found = {
        name: {dead.placed.place: dead for dead in answers}
        for name, answers in _answered(parts, _dead, undecided).items()
    }
    callers = _callers(table, parts)
    answers = []
    for placed in _every(table):
        ways = callers[placed.place.chain]
        if not ways:
            answers.append(Dead(placed, (), f"no packet gets to chain {placed.place.chain}"))
        elif all(name in found and placed.place in found[name] for name in ways):
            answers.append(_joined([found[name][placed.place] for name in ways]))
    return tuple(answers)


def redundant_everywhere(
    table: Table, parts: Mapping[str, ChainAnswers], undecided: Undecided | None
) -> tuple[Placed, ...]:
    """The rules that are redundant or dead on every path, except those that are dead on all of them."""
    answers = _answered(parts, lambda part: (part.dead, part.redundant), undecided)
    dead = {name: {one.placed.place for one in found[0]} for name, found in answers.items()}
    could_go = {name: dead[name] | {placed.place for placed in found[1]} for name, found in answers.items()}
    callers = _callers(table, parts)
    return tuple(
        placed
        for placed in _every(table)
        if (ways := callers[placed.place.chain])
        and all(name in answers and placed.place in could_go[name] for name in ways)
        and not all(placed.place in dead[name] for name in ways)
    )


def _dead(part: ChainAnswers) -> tuple[Dead, ...]:
    return part.dead


def _answered(
    parts: Mapping[str, ChainAnswers], ask: Callable[[ChainAnswers], T], undecided: Undecided | None
) -> dict[str, T]:
    found: dict[str, T] = {}
    for name, part in parts.items():
        try:
            found[name] = ask(part)
        except TooIntricateError as error:
            if undecided is None:
                raise
            undecided[name] = str(error)
    return found


def _every(table: Table) -> list[Placed]:
    return [
        Placed(Place(chain.name, number), rule) for chain in table.chains for number, rule in enumerate(chain.rules, 1)
    ]


def _callers(table: Table, parts: Mapping[str, ChainAnswers]) -> dict[str, list[str]]:
    """The built-in chains from which packets may reach each chain."""
    callers: dict[str, list[str]] = {chain.name: [] for chain in table.chains}
    for name in parts:
        # A table has all of its built-in chains, whichever of them lead anywhere.
        for chain in calling(table, name).chains:
            if chain.policy is None or chain.name == name:
                callers[chain.name].append(name)
    return callers


def _joined(found: Sequence[Dead]) -> Dead:
    """Combines the answers for several paths: the shadowing rules of all of them."""
    shadows = {placed.place: placed for one in found for placed in one.shadowed_by}
    first = next((one for one in found if one.shadowed_by), found[0])
    return Dead(first.placed, tuple(shadows.values()), first.reason)

"""From the rules in the kernel to the declared ones: the smallest restore transaction.

The transaction is input for ``iptables-restore --noflush``. It consists of explicit commands only, so counters,
connections and foreign chains survive, and each table changes completely or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rules.language.naming import names
from rules.language.render import render_spec
from rules.model import BUILTIN_CHAINS, Chain, Rule, Ruleset, Table
from rules.plan.edit import Delete, Insert, Replace, edit_script
from rules.plan.foreign import DEFAULT_PRESERVE, Ownership, is_foreign, own_rules, spellings, strip_foreign

__all__ = [
    "DEFAULT_PRESERVE",
    "ChainPlan",
    "Ownership",
    "Plan",
    "TablePlan",
    "is_foreign",
    "own_rules",
    "plan",
    "spellings",
    "strip_foreign",
]

RuleEdit = Insert[Rule] | Replace[Rule] | Delete

UNMOVED = "STOCKADE-UNMOVED"
"""A chain that exists while a transaction checks that the rule numbers in a chain still hold."""


@dataclass(frozen=True)
class ChainPlan:
    """The edits of one chain.

    ``size``: the number of rules before, including foreign ones, which positions count too.
    """

    name: str
    edits: tuple[RuleEdit, ...]
    size: int

    def unmoved(self) -> tuple[str, ...]:
        """Lines of a restore file that fail unless the chain has ``size`` rules.

        A jump is appended and deleted again by the number it must have. If the chain has grown, this deletes another
        rule, the jump stays and ``UNMOVED`` cannot be removed. If it has shrunk, no rule has that number.
        """
        if not self.size:
            return ()
        return f"-A {self.name} -j {UNMOVED}", f"-D {self.name} {self.size + 1}"

    def commands(self) -> Iterator[str]:
        """The edits as lines of a restore file."""
        size = self.size
        for edit in self.edits:
            if isinstance(edit, Delete):
                size -= 1
                yield f"-D {self.name} {edit.position}"
                continue
            if isinstance(edit, Replace):
                head = f"-R {self.name} {edit.position}"
            else:
                size += 1
                head = f"-A {self.name}" if edit.position == size else f"-I {self.name} {edit.position}"
            yield f"{head} {render_spec(edit.rule)}".rstrip()


@dataclass(frozen=True)
class TablePlan:
    """The changes in one table, in the order in which they are carried out."""

    name: str
    new_chains: tuple[str, ...] = ()
    chains: tuple[ChainPlan, ...] = ()
    policies: tuple[tuple[str, str], ...] = ()
    dropped: tuple[str, ...] = ()

    def commands(self) -> tuple[str, ...]:
        """Lines of a restore file between ``*table`` and ``COMMIT``."""
        unmoved = [line for chain in self.chains for line in chain.unmoved()]
        return (
            *((f"-N {UNMOVED}", *unmoved, f"-X {UNMOVED}") if unmoved else ()),
            *(f"-N {name}" for name in self.new_chains),
            *(line for chain in self.chains for line in chain.commands()),
            *(f"-P {chain} {policy}" for chain, policy in self.policies),
            *(f"-F {name}" for name in self.dropped),
            *(f"-X {name}" for name in self.dropped),
        )


@dataclass(frozen=True)
class Plan:
    """All changes; ``tables`` contains only tables that change."""

    tables: tuple[TablePlan, ...]
    ownership: Ownership

    @property
    def empty(self) -> bool:
        """Whether the kernel already has what is declared."""
        return not self.tables

    def transaction(self) -> str:
        """Input for ``iptables-restore --noflush``; empty if there is nothing to do.

        It has no ``:CHAIN`` line, which would reset the counters of the chain, and flushes no chain that stays. It
        changes nothing if a chain gained or lost rules since it was read (fail2ban adds its jump at its first ban),
        because the rule numbers would then mean other rules.
        """
        return "".join("\n".join((f"*{table.name}", *table.commands(), "COMMIT", "")) for table in self.tables)

    def own(self, current: Ruleset) -> Ruleset:
        """Our part of a kernel's rules, in the tables that are declared."""
        wanted = current.only(table.name for table in self.ownership.desired.tables)
        return Ruleset(current.family, tuple(self.ownership.own(table) for table in wanted.tables))


def plan(
    current: Ruleset,
    desired: Ruleset,
    preserve: Sequence[str] = DEFAULT_PRESERVE,
    spelled: Mapping[str, str] | None = None,
    *,
    previous: Ruleset | None = None,
) -> Plan:
    """The smallest change that turns our part of ``current`` into ``desired``; foreign rules stay where they are.

    ``current``: what the kernel has (:func:`rules.language.parse.parse_saved`). ``desired``: what is declared, host
    names resolved; tables that it does not mention are not touched. ``preserve``: patterns of foreign interfaces.
    ``spelled``: maps kernel lines to declared lines, for rules that the kernel spells differently (recorded after the
    last apply, :func:`rules.plan.foreign.spellings`). ``previous``: what was declared last, so that user chains that
    are no longer declared are removed; without it they count as foreign.

    If none of our rules are in a chain yet, they are added after the foreign ones: fail2ban's jump stays before the
    rule that accepts SSH, Docker's before our REJECT. A rule inserted between two of ours goes directly before the
    second, so foreign rules keep their neighbours.

    Raises :class:`ValueError` if ``desired`` still contains host names, or the families differ.
    """
    if current.family is not desired.family:
        raise ValueError(f"rules for {desired.family.label} cannot be planned against {current.family.label}")
    if unresolved := names(desired):
        raise ValueError(f"names must be resolved before rules are loaded: {', '.join(unresolved)}")
    ownership = Ownership(desired, previous, tuple(preserve), spelled or {})
    tables = (_plan_table(ownership, current.table(table.name) or Table(table.name), table) for table in desired.tables)
    return Plan(tuple(table for table in tables if table.commands()), ownership)


def _plan_table(ownership: Ownership, current: Table, desired: Table) -> TablePlan:
    dropped = _dropped(ownership, current, desired)
    # User chains first: they must be ready before anything jumps to them.
    order = sorted(desired.chains, key=lambda chain: chain.name in BUILTIN_CHAINS.get(desired.name, ()))
    chains = (_plan_chain(ownership, desired.name, current.chain(chain.name), chain) for chain in order)
    return TablePlan(
        desired.name,
        tuple(name for name in desired.user_chains if current.chain(name) is None),
        tuple(chain for chain in chains if chain.edits),
        tuple(_policies(current, desired)),
        dropped,
    )


def _plan_chain(ownership: Ownership, table: str, current: Chain | None, desired: Chain) -> ChainPlan:
    present = current or Chain(desired.name)
    foreign = ownership.foreign(table, present)
    places = [index for index, other in enumerate(foreign) if not other]
    script = edit_script([present.rules[index] for index in places], desired.rules, ownership.key)
    return ChainPlan(desired.name, tuple(_placed(script, places, len(foreign))), len(foreign))


def _placed(script: Sequence[RuleEdit], places: Sequence[int], size: int) -> Iterator[RuleEdit]:
    """A script for our rules, moved to positions that count foreign rules too.

    The script runs from left to right, so earlier inserts and deletions have already shifted later positions.
    """
    shift = 0
    for edit in script:
        index = edit.position - 1 - shift
        end = places[-1] + 1 if places else size
        place = places[index] if index < len(places) else end
        position = place + shift + 1
        if isinstance(edit, Delete):
            yield Delete(position)
            shift -= 1
        elif isinstance(edit, Replace):
            yield Replace(position, edit.rule)
        else:
            yield Insert(position, edit.rule)
            shift += 1


def _policies(current: Table, desired: Table) -> Iterator[tuple[str, str]]:
    for chain in desired.chains:
        before = current.chain(chain.name)
        if chain.policy is not None and (before is None or before.policy != chain.policy):
            yield chain.name, chain.policy


def _dropped(ownership: Ownership, current: Table, desired: Table) -> tuple[str, ...]:
    """User chains that were ours, are no longer declared, and that no foreign rule jumps to."""
    gone = ownership.declared_chains(desired.name).difference(desired.user_chains)
    held = {
        rule.target.name
        for chain in current.chains
        for rule, foreign in zip(chain.rules, ownership.foreign(desired.name, chain), strict=True)
        if foreign and rule.target is not None
    }
    return tuple(name for name in current.user_chains if name in gone and name not in held)

"""Tells our rules from foreign ones, so that those of fail2ban, Docker and the like survive every change.

Stockade owns the rules in the built-in chains of the tables it declares, and the user chains it declares. Foreign are:
undeclared user chains, rules of built-in chains that jump to one, and rules of ``FORWARD``, nat and mangle for the
interfaces of container and virtual machine managers (:data:`DEFAULT_PRESERVE`). A rule that is declared word for word
is never foreign.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from rules.language.render import render_rule
from rules.model import BUILTIN_CHAINS, Chain, Rule, Ruleset, Table
from rules.options.targets import TARGETS

# Interfaces created by Docker, Podman, libvirt, LXC and Kubernetes.
DEFAULT_PRESERVE: tuple[str, ...] = (
    "docker0",
    "docker_gwbridge",
    "br-*",
    "virbr*",
    "lxcbr*",
    "lxdbr*",
    "cni*",
    "cali*",
    "flannel*",
    "kube*",
    "podman*",
    "veth*",
)
_INTERFACE_TABLES = ("nat", "mangle")


def is_foreign(
    rule: Rule,
    declared_chains: Collection[str],
    preserve: Sequence[str] = DEFAULT_PRESERVE,
    table: str = "filter",
) -> bool:
    """Whether a rule of ``table`` is foreign.

    ``declared_chains``: the user chains of that table that are ours. ``preserve``: shell patterns of interface names.
    """
    if rule.chain not in BUILTIN_CHAINS.get(table, ()):
        return rule.chain not in declared_chains
    return _jumps_away(rule, declared_chains) or _about_others(rule, preserve, table)


def _jumps_away(rule: Rule, declared_chains: Collection[str]) -> bool:
    target = rule.target
    if target is None or target.verdict or target.opaque or target.name in TARGETS:
        return False
    return target.name not in declared_chains


def _about_others(rule: Rule, preserve: Sequence[str], table: str) -> bool:
    if table not in _INTERFACE_TABLES and (table, rule.chain) != ("filter", "FORWARD"):
        return False
    interfaces = [name for name in (rule.in_interface, rule.out_interface) if name is not None]
    return any(fnmatchcase(name, pattern) for name in interfaces for pattern in preserve)


@dataclass(frozen=True)
class Ownership:
    """What determines who owns a rule: what is declared now, what was declared before, what to preserve."""

    desired: Ruleset
    previous: Ruleset | None = None
    preserve: tuple[str, ...] = DEFAULT_PRESERVE
    spelled: Mapping[str, str] = field(default_factory=dict)

    def key(self, rule: Rule) -> str:
        """The declared line of a kernel rule: its own line, unless the kernel is known to spell it differently."""
        line = render_rule(rule, self.desired.family)
        return self.spelled.get(line, line)

    def declared_chains(self, table: str) -> frozenset[str]:
        """User chains that are or were ours."""
        found = [ruleset.table(table) for ruleset in self._rulesets()]
        return frozenset(name for one in found if one is not None for name in one.user_chains)

    def declared_lines(self, table: str, chain: str) -> frozenset[str]:
        """Lines that are or were declared in a chain."""
        found = [ruleset.chain(table, chain) for ruleset in self._rulesets()]
        return frozenset(
            render_rule(rule, self.desired.family) for one in found if one is not None for rule in one.rules
        )

    def _rulesets(self) -> Iterable[Ruleset]:
        return (self.desired,) if self.previous is None else (self.desired, self.previous)

    def foreign(self, table: str, chain: Chain) -> tuple[bool, ...]:
        """Whether each rule of a kernel's chain is foreign."""
        chains = self.declared_chains(table)
        lines = self.declared_lines(table, chain.name)
        return tuple(
            is_foreign(rule, chains, self.preserve, table) and self.key(rule) not in lines for rule in chain.rules
        )

    def own(self, table: Table) -> Table:
        """A kernel's table without its foreign chains and rules."""
        kept = []
        declared = self.declared_chains(table.name)
        for chain in table.chains:
            if chain.name in table.user_chains and chain.name not in declared:
                continue
            marks = self.foreign(table.name, chain)
            rules = tuple(rule for rule, foreign in zip(chain.rules, marks, strict=True) if not foreign)
            kept.append(Chain(chain.name, chain.policy, rules))
        return Table(table.name, tuple(kept))


def own_rules(
    current: Ruleset,
    desired: Ruleset,
    preserve: Sequence[str] = DEFAULT_PRESERVE,
    *,
    previous: Ruleset | None = None,
) -> Ruleset:
    """The kernel's rules in the tables of ``desired``, without foreign ones, in the kernel's spelling.

    A table that the kernel does not have is included without rules. Used for the record, and to compare with it.
    """
    return strip_foreign(current.only(table.name for table in desired.tables), desired, preserve, previous=previous)


def strip_foreign(
    current: Ruleset,
    desired: Ruleset,
    preserve: Sequence[str] = DEFAULT_PRESERVE,
    *,
    previous: Ruleset | None = None,
) -> Ruleset:
    """All tables of ``current`` without foreign chains and rules."""
    ownership = Ownership(desired, previous, tuple(preserve))
    return Ruleset(current.family, tuple(ownership.own(table) for table in current.tables))


def with_filled_chains(declared: Ruleset, recorded: Ruleset) -> Ruleset:
    """Return `declared` with the user chains of `recorded` that have rules: they were declared when it was recorded."""
    for table in recorded.tables:
        for chain in table.chains:
            if chain.rules and chain.name in table.user_chains and declared.chain(table.name, chain.name) is None:
                home = declared.table(table.name) or Table(table.name)
                declared = declared.with_table(home.with_chain(Chain(chain.name)))
    return declared


def spellings(declared: Ruleset, printed: Ruleset) -> dict[str, str]:
    """Maps kernel lines to declared lines, where the kernel spells a rule differently.

    ``printed``: the result of :func:`own_rules` right after ``declared`` (names resolved) was loaded, with the same
    rules in the same order. Chains that do not pair up are left out.
    """
    found: dict[str, str] = {}
    for table in declared.tables:
        for chain in table.chains:
            kernel = printed.chain(table.name, chain.name)
            if kernel is None or len(kernel.rules) != len(chain.rules):
                continue
            for ours, theirs in zip(chain.rules, kernel.rules, strict=True):
                line, declared_line = render_rule(theirs, printed.family), render_rule(ours, declared.family)
                if line != declared_line:
                    found[line] = declared_line
    return found

"""Random situations for plans: the kernel's ruleset, with foreign rules, and the former and current declarations."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from rules.language.parse import parse, parse_rule
from rules.model import BUILTIN_CHAINS, Chain, Rule, Ruleset, Table
from rules.values.family import Family
from tests.unit.rules.strategies import USER_CHAINS, Writer

FOREIGN_CHAINS = ("f2b-sshd", "DOCKER-USER")


@dataclass(frozen=True)
class Situation:
    """``current`` is ``previous`` with foreign rules in between; ``desired`` is the current declaration."""

    current: Ruleset
    previous: Ruleset
    desired: Ruleset


def situation(family: Family, seed: int, most: int = 6) -> Situation:
    """A random situation in the filter table."""
    random, writer = Random(seed), Writer(family, seed)
    previous = parse(writer.ruleset(most)[0], family)
    table = previous.table("filter")
    assert table is not None
    desired = _changed(random, writer, table)
    current = _with_foreign(random, table, _foreign_rules(family))
    return Situation(Ruleset(family, (current,)), previous, Ruleset(family, (desired,)))


def _changed(random: Random, writer: Writer, table: Table) -> Table:
    """Rules dropped, replaced and added; user chains dropped and added with the jumps to them."""
    kept = {name for name in USER_CHAINS if random.random() < 0.6}
    chains = []
    for name in (*BUILTIN_CHAINS["filter"], *kept):
        old = table.chain(name) or Chain(name)
        targets = tuple(kept) if name in BUILTIN_CHAINS["filter"] else ()
        others = [parse_rule(writer.rule(name, targets)[0], writer.family) for _ in range(4)]
        policy = random.choice(("ACCEPT", "DROP")) if name in BUILTIN_CHAINS["filter"] else None
        rules = [rule for rule in old.rules if not _leads_to(rule, set(USER_CHAINS) - kept)]
        chains.append(Chain(name, policy, _mutated(random, rules, others)))
    return Table("filter", tuple(chains))


def _leads_to(rule: Rule, names: set[str]) -> bool:
    return rule.target is not None and rule.target.name in names


def _mutated(random: Random, rules: list[Rule], others: list[Rule]) -> tuple[Rule, ...]:
    found: list[Rule] = []
    for rule in rules:
        if random.random() < 0.2:
            found.append(random.choice(others))
        if random.random() < 0.7:
            found.append(rule)
    return (*found, *random.sample(others, random.randrange(3)))


def _foreign_rules(family: Family) -> list[Rule]:
    lines = (
        "-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd",
        "-A FORWARD -j DOCKER-USER",
        "-A FORWARD -i docker0 ! -o docker0 -j ACCEPT",
        "-A FORWARD -o br-0123456789ab -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    )
    return [parse_rule(line, family) for line in lines]


def _with_foreign(random: Random, table: Table, foreign: list[Rule]) -> Table:
    chains = []
    for chain in table.chains:
        rules = list(chain.rules)
        place = 0
        for rule in (rule for rule in foreign if rule.chain == chain.name):
            place = random.randrange(place, len(rules) + 1)
            rules.insert(place, rule)
            place += 1
        chains.append(Chain(chain.name, chain.policy, tuple(rules)))
    chains += [Chain(name, None, (Rule(name, (), None),)) for name in FOREIGN_CHAINS]
    return Table(table.name, tuple(chains))


def foreign_part(ruleset: Ruleset, previous: Ruleset, desired: Ruleset) -> list[Rule]:
    """The rules of the filter table that are not ours, in order."""
    from rules.plan.ownership import own_rules

    own = {id(rule) for _table, rule in own_rules(ruleset, desired, previous=previous).rules()}
    return [rule for _table, rule in ruleset.rules() if id(rule) not in own]

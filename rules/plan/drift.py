"""What changed on a host since the last look, in the spelling of the declared rules.

The kernel prints rules in its own spelling. So its output right after the rules were applied is kept, and paired rule
by rule with what was declared. The same kernel text later means the same declared rule, whatever its spelling. Pure
functions.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from rules.language.naming import resolve
from rules.language.render import render_rule
from rules.language.tokens import saved_texts
from rules.model import BUILTIN_CHAINS, Chain, Rule, Ruleset, Table

Addresses = Mapping[str, Sequence[str]]


def watched(*rulesets: Ruleset) -> tuple[str, ...]:
    """Name every chain of `rulesets` as `table/chain`, without duplicates: those that a plan depends on."""
    found = {
        f"{table.name}/{chain.name}": None for rules in rulesets for table in rules.tables for chain in table.chains
    }
    return tuple(found)


def watched_lines(saved: str, chains: Iterable[str]) -> str:
    """Return the lines of iptables-save output that describe `chains` (`table/chain`), without counters.

    The host computes the same with awk, to detect changes since a plan was made.
    """
    wanted = frozenset(chains)
    return "\n".join(_watched(saved, wanted))


def _watched(saved: str, wanted: frozenset[str]) -> Iterator[str]:
    table = ""
    for line in saved.split("\n"):  # awk knows nothing of a newline in a comment
        words = [*line.split(), "", ""]
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":"):
            if f"{table}/{words[0][1:]}" in wanted:
                yield f"{table} {words[0]} {words[1]}"
        elif line.startswith("-A ") and f"{table}/{words[1]}" in wanted:
            yield f"{table} {line}"


def visible(saved: str, declared: Ruleset) -> str:
    """Return iptables-save output without dates, counters and the rules in foreign chains."""
    kept = {f"{table.name}/{chain}" for table in declared.tables for chain in table.user_chains}
    kept |= {f"{table}/{chain}" for table, chains in BUILTIN_CHAINS.items() for chain in chains}
    return "\n".join(_visible(saved, kept))


def _visible(saved: str, kept: set[str]) -> Iterator[str]:
    table = ""
    for line in saved_texts(saved):
        if line.startswith("*"):
            table = line[1:]
        if line.startswith(":"):
            yield " ".join(line.split()[:2])
        elif line.startswith(("*", "COMMIT")) or (line.startswith("-A ") and f"{table}/{line.split()[1]}" in kept):
            yield line


def as_shown(declared: Ruleset, addresses: Addresses, then: Ruleset, now: Ruleset) -> Ruleset:
    """Return the ruleset that the kernel shows `now`, with declared rules in their declared spelling.

    `then`: the kernel's output after `declared`, with names resolved to `addresses`, had been applied.
    """
    tables = []
    for table in declared.tables:
        current = next((other for other in now.tables if other.name == table.name), Table(table.name))
        chains = [_chain_as_shown(declared, addresses, then, table.name, chain) for chain in current.chains]
        tables.append(Table(table.name, tuple(chains)))
    return replace(declared, tables=tuple(tables))


def _chain_as_shown(declared: Ruleset, addresses: Addresses, then: Ruleset, table: str, chain: Chain) -> Chain:
    words = dict(_words(declared, addresses, then, table, chain.name))
    lines = tuple(render_rule(rule, declared.family) for rule in chain.rules)
    shown: list[Rule] = []
    index = 0
    while index < len(lines):
        group, rule = words.get(lines[index], ((), chain.rules[index]))
        if lines[index : index + len(group)] != group:
            group, rule = (), chain.rules[index]
        shown.append(rule)
        index += len(group) or 1
    return Chain(chain.name, chain.policy, tuple(shown))


def _words(
    declared: Ruleset, addresses: Addresses, then: Ruleset, table: str, chain: str
) -> Iterator[tuple[str, tuple[tuple[str, ...], Rule]]]:
    """Pair each declared rule with the lines that the kernel printed for it, keyed by the first of them.

    A rule with a name has one line per address. Nothing is paired if the numbers of lines differ.
    """
    family = declared.family
    lines = tuple(render_rule(rule, family) for rule in _rules(then, table, chain))
    rules = _rules(declared, table, chain)
    counts = [len(_rules(resolve(_alone(declared, table, rule), addresses), table, chain)) for rule in rules]
    if sum(counts) != len(lines):
        return
    position = 0
    for rule, count in zip(rules, counts, strict=True):
        yield lines[position], (lines[position : position + count], rule)
        position += count


def _alone(ruleset: Ruleset, table: str, rule: Rule) -> Ruleset:
    return replace(ruleset, tables=(Table(table, (Chain(rule.chain, None, (rule,)),)),))


def _rules(ruleset: Ruleset, table: str, chain: str) -> tuple[Rule, ...]:
    found = next((item.chain(chain) for item in ruleset.tables if item.name == table), None)
    return found.rules if found else ()

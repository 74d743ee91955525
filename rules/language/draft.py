"""A ruleset while its text is being read: commands are applied to it in order, as iptables would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from rules.errors import RuleSyntaxError, did_you_mean
from rules.language.statement import Statement
from rules.language.tokens import Line, Token
from rules.model import BUILTIN_CHAINS, VERDICTS, Chain, Rule, Ruleset, Table
from rules.options.targets import TARGETS
from rules.values.family import Family
from rules.values.octets import octets

CHAIN_NAME_LIMIT = 28


@dataclass
class DraftChain:
    policy: str | None
    rules: list[tuple[Rule, Statement]] = field(default_factory=list)


class DraftTable:
    """One table. ``lenient``: undeclared chains are created, and unknown targets become opaque."""

    def __init__(self, name: str, lenient: bool) -> None:
        self.name = name
        self.lenient = lenient
        self.chains = {chain: DraftChain("ACCEPT") for chain in BUILTIN_CHAINS.get(name, ())}

    # -- chains

    def declare(self, line: Line, columns: tuple[int, int], name: str, policy: str) -> None:
        """Read a line ``:NAME POLICY [counters]``; ``columns`` are those of the name and the policy."""
        column, policy_column = columns
        if name in BUILTIN_CHAINS.get(self.name, ()) or (self.lenient and policy != "-"):
            self.chains.setdefault(name, DraftChain("ACCEPT")).policy = self._policy(line, policy_column, policy)
            return
        if policy != "-":
            known = ", ".join(BUILTIN_CHAINS[self.name])
            raise line.error(
                column, f"{name} is no built-in chain of table {self.name}", f"one of {known}, or - as policy"
            )
        self.add(line, column, name)

    def _policy(self, line: Line, column: int, policy: str) -> str:
        if policy == "-":
            return "ACCEPT"
        if policy not in ("ACCEPT", "DROP") and not self.lenient:
            raise line.error(
                column, f'"{policy}" is not a policy{did_you_mean(policy, ("ACCEPT", "DROP"))}', "ACCEPT or DROP"
            )
        return policy

    def add(self, line: Line, column: int, name: str) -> None:
        """Create an empty user chain."""
        if not self.lenient:
            self._check_name(line, column, name)
        self.chains.setdefault(name, DraftChain(None))

    def _check_name(self, line: Line, column: int, name: str) -> None:
        expected = f"a chain name of at most {CHAIN_NAME_LIMIT} characters"
        if len(octets(name)) > CHAIN_NAME_LIMIT:
            raise line.error(column, f"the name has {len(octets(name))} characters", expected)
        if name.startswith(("-", "!")) or not name.isprintable() or any(char.isspace() for char in name):
            raise line.error(column, f"{name!r} cannot name a chain", expected)
        if name in VERDICTS or name in TARGETS:
            raise line.error(column, f"{name} is a target", "another name for the chain")

    def chain(self, statement: Statement) -> DraftChain:
        """The chain that a statement applies to."""
        token = statement.chain
        if token.text not in self.chains:
            if not self.lenient:
                reason = f"table {self.name} has no chain {token.text}{did_you_mean(token.text, self.chains)}"
                raise statement.error(token, reason, f"a line :{token.text} - [0:0] or -N {token.text} before it")
            self.chains[token.text] = DraftChain(None)
        return self.chains[token.text]

    # -- commands

    def run(self, statement: Statement) -> None:
        """Carry out one statement."""
        self._COMMANDS[statement.command](self, statement)

    def _append(self, statement: Statement) -> None:
        chain = self.chain(statement)
        if len(statement.words) > 1:
            raise statement.error(statement.words[1], "-A takes no rule number", "-I to insert at a number")
        chain.rules += [(rule, statement) for rule in statement.rules]

    def _insert(self, statement: Statement) -> None:
        chain = self.chain(statement)
        index = self._index(statement, len(chain.rules) + 1) if len(statement.words) > 1 else 0
        for rule in statement.rules:
            chain.rules.insert(index, (rule, statement))

    def _replace(self, statement: Statement) -> None:
        chain = self.chain(statement)
        index = self._index(statement, len(chain.rules))
        if len(statement.rules) > 1:
            raise statement.error(statement.chain, "-R cannot replace one rule by several", "one address each")
        chain.rules[index] = (statement.rules[0], statement)

    def _delete(self, statement: Statement) -> None:
        chain = self.chain(statement)
        if len(statement.words) > 1:
            if statement.has_spec:
                raise statement.error(statement.words[1], "-D takes a rule or its number, not both", "one of them")
            del chain.rules[self._index(statement, len(chain.rules))]
            return
        for rule in statement.rules:
            index = next((place for place, (old, _) in enumerate(chain.rules) if old == rule), None)
            if index is None:
                raise statement.error(
                    statement.chain, f"{statement.chain.text} has no such rule", "a rule that is there"
                )
            del chain.rules[index]

    def _index(self, statement: Statement, most: int) -> int:
        number = statement.number or 0
        if not 1 <= number <= most:
            count = len(self.chain(statement).rules)
            rules = "1 rule" if count == 1 else f"{count} rules"
            reason = f"{statement.chain.text} has {rules}, number {number} is out of range"
            raise statement.error(
                statement.words[1], reason, f"a rule number from 1 to {most}" if most else "a rule first"
            )
        return number - 1

    def _new(self, statement: Statement) -> None:
        token = statement.chain
        if token.text in self.chains and not self.lenient:
            raise statement.error(token, f"chain {token.text} exists already", "another name")
        self.add(statement.line, token.column, token.text)

    def _set_policy(self, statement: Statement) -> None:
        chain, policy = statement.words
        if chain.text not in BUILTIN_CHAINS.get(self.name, (chain.text,)):
            known = ", ".join(BUILTIN_CHAINS[self.name])
            raise statement.error(
                chain, f"{chain.text} is not a built-in chain of table {self.name}", f"one of {known}"
            )
        self.chain(statement).policy = self._policy(statement.line, policy.column, policy.text)

    def _flush(self, statement: Statement) -> None:
        chains = [self.chain(statement)] if statement.words else list(self.chains.values())
        for chain in chains:
            chain.rules.clear()

    def _delete_chain(self, statement: Statement) -> None:
        names = [statement.chain.text] if statement.words else [n for n in self.chains if self.chains[n].policy is None]
        for name in names:
            if statement.words:
                self.chain(statement)
            if name in BUILTIN_CHAINS.get(self.name, ()) or self.chains[name].rules:
                raise statement.error(
                    statement.words[0] if statement.words else _start(statement),
                    f"{name} cannot be deleted",
                    "an empty user chain",
                )
            del self.chains[name]

    def _zero(self, _statement: Statement) -> None:
        """Do nothing: counters are not part of a ruleset."""

    _COMMANDS: dict[str, Callable[[DraftTable, Statement], None]] = {
        "append": _append,
        "insert": _insert,
        "replace": _replace,
        "delete": _delete,
        "new-chain": _new,
        "policy": _set_policy,
        "flush": _flush,
        "delete-chain": _delete_chain,
        "zero": _zero,
    }

    # -- the result

    def finish(self) -> Table:
        """The table, after checking that every jump has a destination."""
        chains = []
        for name, chain in self.chains.items():
            rules = tuple(self._resolved(rule, statement) for rule, statement in chain.rules)
            chains.append(Chain(name, chain.policy, rules))
        if not self.lenient:
            self._check_loops()
            self._check_hooks()
        return Table(self.name, tuple(chains))

    def _resolved(self, rule: Rule, statement: Statement) -> Rule:
        target = rule.target
        if target is None or target.opaque or target.verdict or target.name in TARGETS:
            return rule
        if target.name in self.chains and target.name not in BUILTIN_CHAINS.get(self.name, ()):
            return rule
        if self.lenient:
            return replace(rule, target=replace(target, opaque=True))
        place = statement.target or statement.chain
        raise statement.line.unknown(place.column, *self._unknown_target(target.name))

    def _unknown_target(self, name: str) -> tuple[str, str]:
        if name in self.chains:
            return f"{name} is a built-in chain, a rule cannot jump to it", "a target or a user chain"
        known = (*VERDICTS, *TARGETS, *self.chains)
        shown = name or '""'
        reason = f"{shown} is neither a target nor a chain of table {self.name}{did_you_mean(name, known)}"
        return reason, "a target, or a chain declared in this text"

    def _check_loops(self) -> None:
        """Reject chains that form a loop, as the kernel does."""
        done: set[str] = set()
        for name in self.chains:
            self._walk(name, (), done)

    def _walk(self, name: str, path: tuple[str, ...], done: set[str]) -> None:
        for rule, statement in self.chains[name].rules if name not in done else ():
            following = rule.target.name if rule.target is not None and not rule.target.opaque else ""
            if following in (*path, name):
                loop = " -> ".join((*path, name, following))
                raise statement.error(statement.target or statement.chain, f"chains in a loop: {loop}", "another chain")
            if following in self.chains:
                self._walk(following, (*path, name), done)
        done.add(name)

    def _check_hooks(self) -> None:
        """Reject matches and targets in chains reached from hooks where they are invalid, as the kernel does."""
        for hook in BUILTIN_CHAINS.get(self.name, ()):
            seen, waiting = {hook}, [hook]
            while waiting:
                name = waiting.pop()
                for rule, statement in self.chains[name].rules:
                    for demand in statement.demands:
                        if hook not in demand.hooks and (demand.called or name == hook):
                            way = f"in {name}" if name == hook else f"in {name}, which {hook} leads to"
                            known = [chain for chain in BUILTIN_CHAINS[self.name] if chain in demand.hooks]
                            place = " or ".join(known) or "another table"
                            raise statement.error(demand.token, f"{demand.what} is not possible {way}", place)
                    following = rule.target.name if rule.target is not None else ""
                    if following in self.chains and following not in seen:
                        seen.add(following)
                        waiting.append(following)


def _start(statement: Statement) -> Token:
    return Token("", False, statement.line.number, 1)


class Draft:
    """All tables read so far."""

    def __init__(self, family: Family, lenient: bool) -> None:
        self.family = family
        self.lenient = lenient
        self.tables: dict[str, DraftTable] = {}

    def table(self, name: str) -> DraftTable:
        """The table of that name, created if it does not exist."""
        return self.tables.setdefault(name, DraftTable(name, self.lenient))

    def finish(self) -> Ruleset:
        """The ruleset. Raises :class:`RuleSyntaxError` for jumps to missing chains and for loops."""
        return Ruleset(self.family, tuple(table.finish() for table in self.tables.values()))


__all__ = ["Draft", "DraftTable", "RuleSyntaxError"]

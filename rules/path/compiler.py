"""Chains of all tables as diagrams: what they do to every packet, including marks and translations."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rules.analysis.chain import calling
from rules.model import Rule
from rules.packets.chains import Compiled, Compiler
from rules.packets.diagrams import Diagrams, Node
from rules.packets.layout import Layout
from rules.packets.operations import binary
from rules.packets.outcomes import Outcome, Placed, Verdict, sure
from rules.packets.predicates import Predicate, predicate
from rules.path.layers import Hook, Layer
from rules.path.marks import MOST_MARKS, Effect, marks_of
from rules.path.outcomes import Happening, Happenings
from rules.path.readings import MARK, Readings
from rules.path.sets import Members
from rules.path.translation import TRANSLATING
from rules.values.family import Family

_MANGLING = ("TTL", "HL", "TOS", "DSCP")


@dataclass(frozen=True, slots=True)
class Share:
    """The packets to which something happens: at most and at least."""

    happening: Happening
    possibly: Node
    surely: Node


class PathCompiler(Compiler):
    """Compiles the chains of all layers into one store."""

    def __init__(self, family: Family, layers: Sequence[Layer], sets: Mapping[str, Members]) -> None:
        self.happenings = Happenings()
        super().__init__(family, (Layout(MOST_MARKS - 1),))
        self.marks = marks_of(layers)
        rules = [rule for layer in layers for chain in layer.table.chains for rule in chain.rules]
        mangled = any(rule.target is not None and rule.target.name in _MANGLING for rule in rules)
        self.changes_hops = any(rule.target is not None and rule.target.name in ("TTL", "HL") for rule in rules)
        self.readings = Readings(family, self.marks, sets, mangled=mangled)
        self._join = binary(self.store, self._joined_cases)
        self._decided: dict[tuple[object, ...], Node] = {}

    def chain(self, layer: Layer, hook: Hook, became: Mapping[int, int] | None = None) -> Node:
        """The diagram of a chain at a hook, with its policy.

        With ``became``, the diagram is over the original packets (`Readings`).
        """
        key = layer.name, hook.hook, hook.chain, tuple(sorted((became or {}).items()))
        found = self._decided.get(key)
        if found is None:
            self.readings.became = became or {}
            self.readings.hops = int(hook.hook in ("FORWARD", "POSTROUTING"))
            try:
                compiled = self.compile(calling(layer.table, hook.chain))[hook.chain]
            finally:
                self.readings.became, self.readings.hops = {}, 0
            found = self._decided[key] = self.decided(compiled)
        return found

    def shares(self, packets: Node, diagram: Node, values: Mapping[int, int]) -> list[Share]:
        """What happens to packets in a diagram that sees them with other values of fields, and to which of them."""
        found = self._split(self._within(packets, diagram, values))
        return [
            Share(one, self.store.union([node for _, node in parts]), self._sure(one, parts))
            for one, parts in sorted(_by_happening(self, found).items(), key=lambda pair: str(pair[0]))
        ]

    def _sure(self, one: Happening, parts: Sequence[tuple[Outcome, Node]]) -> Node:
        bit = self.happenings.bit(one)
        return self.store.union([node for outcome, node in parts if outcome.surely & bit])

    def _within(self, packets: Node, diagram: Node, values: Mapping[int, int]) -> Node:
        """A diagram applied to packets, in their original form, whose fields have these values by now."""
        store = self.store
        digits = {
            store.start[field] + place: value >> shift & (1 << store.tops[store.start[field] + place].bit_length()) - 1
            for field, value in values.items()
            for place, shift in enumerate(store.fields[field].shifts)
        }
        done: dict[tuple[Node, Node], Node] = {}

        def visit(those: Node, at: Node) -> Node:
            while (digit := digits.get(store.level[at])) is not None:
                at = store.kids[at][bisect_left(store.ends[at], digit)]
            if those == store.none or (those == store.all and store.is_leaf(at)):
                return at if those == store.all else those
            if (those, at) in done:
                return done[those, at]
            level = min(store.level[those], store.level[at])
            ends: list[int] = []
            kids: list[Node] = []
            for end, one, other in _spans(store, level, those, at):
                kid = visit(one, other)
                if kids and kids[-1] == kid:
                    ends[-1] = end
                else:
                    ends.append(end)
                    kids.append(kid)
            done[those, at] = store.node(level, ends, kids)
            return done[those, at]

        return visit(packets, diagram)

    def _split(self, diagram: Node) -> dict[Node, Node]:
        """For each leaf of a diagram, the packets that reach it."""
        store = self.store
        done: dict[Node, dict[Node, Node]] = {}

        def visit(at: Node) -> dict[Node, Node]:
            if at == store.none:
                return {}
            if store.is_leaf(at):
                return {at: store.all}
            if at not in done:
                level, start = store.level[at], 0
                runs: dict[Node, list[tuple[int, int, Node]]] = {}
                for end, kid in zip(store.ends[at], store.kids[at], strict=True):
                    for leaf, node in visit(kid).items():
                        runs.setdefault(leaf, []).append((start, end, node))
                    start = end + 1
                done[at] = {leaf: store.filled(level, found, store.none) for leaf, found in runs.items()}
            return done[at]

        return visit(diagram)

    def whatever(self, node: Node, field: int, *, surely: bool) -> Node:
        """The packets that are in a set for any value of a one-digit field; with ``surely``, for all of its values."""
        store, level = self.store, self.store.start[field]

        def change(at: Node) -> Node:
            if store.level[at] != level:
                return at
            found = store.kids[at][0]
            for kid in store.kids[at][1:]:
                found = store.both(found, kid) if surely else store.either(found, kid)
            return found

        return store.map(node, change, level)

    def predicate(self, rule: Rule) -> Predicate:
        return predicate(rule, self.family, self.readings)

    def _body(self, placed: Placed, done: dict[str, Compiled]) -> Node | None:
        target = placed.rule.target
        if target is None:
            return None
        if target.name in TRANSLATING:
            bit = self.happenings.bit(Happening(Verdict.ACCEPT, by=placed.place))
            return self.store.leaf(Outcome(frozenset([bit])))
        if target.name == "NOTRACK" or (target.name == "CT" and target.option("notrack") is not None):
            bit = self.happenings.bit(Happening(Verdict.PASS, untracked=True))
            return self.store.leaf(Outcome(frozenset([bit])))
        effects = self.marks.effects(target)
        if effects is not None:
            bits = (self.happenings.bit(Happening(Verdict.PASS, self._told(effect))) for effect in effects)
            return self.store.leaf(Outcome(frozenset(bits)))
        return super()._body(placed, done)

    def _told(self, effect: Effect) -> Effect:
        return () if effect == self.marks.same else effect

    def _renamed(self, node: Node, old: Verdict, new: Verdict) -> Node:
        return self.store.map(node, lambda leaf: self.store.leaf(self.happenings.renamed(self.outcome(leaf), old, new)))

    def _then(self, first: Node, second: Node) -> Node | None:
        store = self.store
        if first == self.passing:
            return second
        if not store.is_leaf(first):
            return first if second == self.passing else None
        if first == store.none:
            return first
        outcome = self.outcome(first)
        passing = outcome.possibly & self.happenings.passing
        if not passing or second in (store.none, self.passing):
            return second if passing and second == store.none else first
        effects = {one.mark for one in self.happenings.happenings(passing)}
        if effects == {()}:
            return store.leaf(self.happenings.then(outcome, self.outcome(second))) if store.is_leaf(second) else None
        return self._marked(outcome, effects, second)

    def _marked(self, outcome: Outcome, effects: set[Effect], second: Node) -> Node:
        """``second`` after a change of marks, so that it sees the new ones.

        Each of several changes is a case of its own.
        """
        store, found = self.store, None
        for effect in sorted(effects):
            behind = self._remarked(second, effect) if effect else second
            part = self._only(outcome, effect)
            made = store.map(
                behind,
                lambda leaf, part=part: (
                    leaf  # type: ignore[misc]
                    if leaf == store.none
                    else store.leaf(self.happenings.then(part, self.outcome(leaf)))
                ),
            )
            found = made if found is None else self._join(found, made)
        return store.none if found is None else found

    def _only(self, outcome: Outcome, effect: Effect) -> Outcome:
        """The outcome without the cases that pass with another effect."""
        keep = ~self.happenings.passing
        for one in self.happenings.happenings(self.happenings.passing):
            keep |= self.happenings.bit(one) if one.mark == effect else 0
        return Outcome(frozenset(case & keep for case in outcome.cases if case & keep) or sure(Verdict.DROP).cases)

    def _remarked(self, node: Node, effect: Effect) -> Node:
        store, level = self.store, self.store.start[MARK]

        def change(at: Node) -> Node:
            if store.level[at] != level:
                return at
            ends, kids = store.ends[at], store.kids[at]
            becomes = [*effect, *range(len(effect), MOST_MARKS)]
            chosen = [kids[next(place for place, end in enumerate(ends) if value <= end)] for value in becomes]
            return self._node(level, list(range(MOST_MARKS)), chosen)

        return store.map(node, change, level)

    def _node(self, level: int, ends: Sequence[int], kids: Sequence[Node]) -> Node:
        """A node; adjacent children may be equal."""
        places = [place for place, kid in enumerate(kids) if place + 1 == len(kids) or kids[place + 1] != kid]
        return self.store.node(level, [ends[place] for place in places], [kids[place] for place in places])

    def _joined_cases(self, one: Node, other: Node) -> Node | None:
        if one == other or self.store.none in (one, other):
            return one if one == other else self.store.none
        if self.store.is_leaf(one) and self.store.is_leaf(other):
            return self.store.leaf(Outcome(self.outcome(one).cases | self.outcome(other).cases))
        return None


def _by_happening(compiler: PathCompiler, found: Mapping[Node, Node]) -> dict[Happening, list[tuple[Outcome, Node]]]:
    parts: dict[Happening, list[tuple[Outcome, Node]]] = {}
    for leaf, node in found.items():
        outcome = compiler.outcome(leaf)
        for one in compiler.happenings.happenings(outcome.possibly):
            parts.setdefault(one, []).append((outcome, node))
    return parts


def _spans(store: Diagrams, level: int, one: Node, other: Node) -> Iterator[tuple[int, Node, Node]]:
    """The pairs of children of two nodes at a level, for each interval of its digit."""
    sides = [
        (store.ends[node], store.kids[node]) if store.level[node] == level else ((store.tops[level],), (node,))
        for node in (one, other)
    ]
    (ends_a, kids_a), (ends_b, kids_b) = sides
    i = j = 0
    while True:
        end = min(ends_a[i], ends_b[j])
        yield end, kids_a[i], kids_b[j]
        if end == store.tops[level]:
            return
        i, j = i + (ends_a[i] == end), j + (ends_b[j] == end)

"""Redundant rules: those that can be removed, each alone or all together, and the same packets are accepted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rules.analysis.arrivals import Arrivals, arrivals
from rules.analysis.difference import Difference
from rules.analysis.visits import Visit, Visits
from rules.packets.chains import GOING_ON, Compiled, Compiler, Leaf
from rules.packets.diagrams import Node
from rules.packets.operations import meeting
from rules.packets.outcomes import Place, Placed

# RETURN at the end of a chain, and jumps to chains that do not decide anything yet, are good style.
_VERDICTS = ("ACCEPT", "DROP", "REJECT")
# After this many rounds of restoring rules that cannot be removed together, all remaining ones are restored at once.
_ROUNDS = 20


def redundant(found: Arrivals) -> tuple[Placed, ...]:
    """The rules whose removal changes nothing, in chain order; dead rules are not among them.

    Only verdicts count: other targets have other purposes. Any subset of these rules and the dead ones can be removed
    together. So a rule that keeps a dead one from deciding is not redundant, and of two rules of which either can be
    removed, but not both, one is reported. Rules that log, count or mark see the same packets as before. In a chain
    that one packet can enter twice, some redundant rules may be missed.
    """
    compiler, chains = found.compiler, found.chains
    candidates = _Candidates(compiler, compiler.without(chains, found.dead))
    candidates.walk()
    could_go = candidates.found
    for attempt in range(_ROUNDS + 1):
        if not could_go:
            return ()
        wrong = set(_Together(found, could_go).wrong(every=attempt == _ROUNDS))
        if not wrong:
            break
        could_go = [placed for placed in could_go if placed.place not in wrong]
    order = {place: number for number, place in enumerate(_places(chains))}
    return tuple(sorted(could_go, key=lambda placed: order[placed.place]))


def _places(chains: Mapping[str, Compiled]) -> Iterator[Place]:
    return (leaf.placed.place for compiled in chains.values() for leaf in compiled.leaves)


def _verdict(leaf: Leaf) -> str:
    target = leaf.placed.rule.target
    return target.name if target is not None else ""


class _Candidates(Visits):
    """Finds the rules whose removal alone changes nothing, as long as the dead ones stay dead."""

    def __init__(self, compiler: Compiler, chains: dict[str, Compiled]) -> None:
        super().__init__(compiler, chains)
        self._unlike = Difference(compiler)
        answers = {
            target.options
            for compiled in chains.values()
            for leaf in compiled.leaves
            if (target := leaf.placed.rule.target) is not None and target.name == "REJECT"
        }
        # Denied is denied, but the answers to the sender differ.
        self._verdicts = _VERDICTS if len(answers) < 2 else _VERDICTS[:2]
        self.found: list[Placed] = []

    def rule(self, leaf: Leaf, visits: Sequence[Visit]) -> None:
        if (
            leaf.acts
            and _verdict(leaf) in self._verdicts
            and not any(self._unlike(visit.packets, leaf.diagram, visit.after) for visit in visits)
        ):
            self.found.append(leaf.placed)


class _Together(Visits):
    """Examines the chains without the candidates and without dead rules.

    If adding back any single one would not change the fate of the packets that then reach it, neither would adding back
    any subset: a packet's fate is the same up to the first of them that it meets, and from there on.
    """

    claims = False

    def __init__(self, found: Arrivals, could_go: Sequence[Placed]) -> None:
        self._whole = found
        self._could_go = [placed.place for placed in could_go]
        away = {name: set(numbers) for name, numbers in found.dead.items()}
        for place in self._could_go:
            away[place.chain].add(place.number - 1)
        self._away = away
        super().__init__(found.compiler, found.compiler.without(found.chains, away))
        self._unlike = Difference(found.compiler)
        self._overlap = meeting(found.compiler.store)
        self._met: dict[Place, Node] = {}
        self._changed: list[Place] = []
        self._woken: list[Node] = []

    def wrong(self, *, every: bool) -> Iterator[Place]:
        """The rules that cannot be removed after all: some of them at a time, the last ones first, or ``every`` one."""
        self.walk()
        self._woken += self._newly_noticed()
        if every:
            yield from self._changed
            yield from (place for place in self._could_go for woken in self._woken if self._meets(place, woken))
            return
        kept: list[Node] = []
        for place in reversed(self._changed):
            # What a later rule that is kept may correct is left to the next round.
            if not any(self._meets(place, packets) for packets in kept):
                kept.append(self._met[place])
                yield place
        for woken in self._woken:
            if not any(self._overlap(woken, packets) for packets in kept):
                yield next(
                    (place for place in reversed(self._could_go) if self._meets(place, woken)), self._could_go[-1]
                )

    def rule(self, leaf: Leaf, visits: Sequence[Visit]) -> None:
        place = leaf.placed.place
        if place.number - 1 not in self._away[place.chain]:
            return
        rule = self._whole.chains[place.chain].leaves[place.number - 1]
        met = self._store.union([visit.packets for visit in visits])
        dead = place.number - 1 in self._whole.dead[place.chain]
        if not dead:
            self._met[place] = met
        target = rule.placed.rule.target
        leads = target is not None and target.name in self._chains
        if (leads and rule.acts) or any(self._unlike(visit.packets, rule.diagram, visit.after) for visit in visits):
            if dead:
                self._woken.append(met)
            else:
                self._changed.append(place)

    def _newly_noticed(self) -> Iterator[Node]:
        """The packets that would newly reach rules that do more than decide."""
        after = arrivals(self._compiler, self._chains, notices)
        before = arrivals(self._compiler, self._whole.chains, notices)
        for place, packets in after.noticed.items():
            new = self._store.minus(packets, before.noticed.get(place, self._store.none))
            if new != self._store.none:
                yield new

    def _meets(self, place: Place, packets: Node) -> bool:
        return self._overlap(self._met.get(place, self._store.none), packets)


def notices(leaf: Leaf) -> bool:
    """Whether a rule does more than decide: it logs, marks or counts, or its match keeps state."""
    target = leaf.placed.rule.target
    if target is not None and target.name in GOING_ON:
        return True
    return any(match.opaque or match.name in _REMEMBERING for match in leaf.placed.rule.matches)


_REMEMBERING = ("limit", "hashlimit", "recent", "statistic", "connlimit", "quota")

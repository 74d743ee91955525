"""What a ruleset lets in, exactly: accepted packets, reachable services, default-deny, dead and redundant rules.

Every answer follows from what the rules do, for all packets at once. Only one table is considered, with packets as its
chains see them. What NAT or another table did before is ignored, except for packets that the raw table exempts from
tracking. A host name stands for a few addresses of its own, because they are known only when the rule is loaded. Limits
(``limit``, ``hashlimit``, ``statistic``, ``connlimit``, ``recent --hitcount``) do not decide: what they let through at
some time counts as let through. An unknown match gives a lower and an upper bound.

An answer raises :class:`TooIntricateError` if hundreds of rules that differ in many fields at once overlap in more ways
than fit into memory. Only answers about the built-in chain that leads to these rules do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from rules.analysis.chain import ChainAnswers
from rules.analysis.dead import Dead
from rules.analysis.default_deny import OpenLimits, open_to, without_exceptions
from rules.analysis.every_chain import Undecided, dead_everywhere, redundant_everywhere
from rules.analysis.exposure import Exposed, exposed
from rules.analysis.outside import outside
from rules.analysis.reach import BLAMED, Reach, sources_of
from rules.analysis.trace import Decision, Walker
from rules.language.render import render_match
from rules.model import Chain, Ruleset, Table
from rules.packets.chains import GOING_ON, Compiler
from rules.packets.diagrams import Node, TooIntricateError
from rules.packets.outcomes import Outcome, Place, Placed, Verdict
from rules.packets.packet import Field, Packet
from rules.packets.predicates import predicate
from rules.packets.regions import Bounds, PacketSet, Region
from rules.values.family import Family
from rules.values.intervals import Intervals

__all__ = [
    "Analysis",
    "Bounds",
    "Dead",
    "Decision",
    "OpenLimits",
    "Packet",
    "PacketSet",
    "Placed",
    "Region",
    "TooIntricateError",
    "UnknownMatch",
    "analyse",
    "difference",
    "exposure",
]


@dataclass(frozen=True, slots=True)
class UnknownMatch:
    """A match that the analysis does not understand, as ``iptables-save`` prints it, and its rule."""

    placed: Placed
    text: str

    def __str__(self) -> str:
        place = self.placed.place
        where = f"rule {place.number}" if place.chain == "INPUT" else f"rule {place.number} of {place.chain}"
        return f"{where}: {self.text}"


class Analysis:
    """Answers about one table of a ruleset. Each is computed once, on demand."""

    def __init__(self, ruleset: Ruleset, table: str = "filter", compiler: Compiler | None = None) -> None:
        self.ruleset = ruleset
        self.family: Family = ruleset.family
        self.table = ruleset.table(table) or Table(table)
        self.compiler = compiler or Compiler(ruleset.family)
        self.store = self.compiler.store
        self._parts: dict[str, ChainAnswers] = {}

    def accepted(self, chain: str = "INPUT") -> Bounds:
        """The packets that a built-in chain accepts: at least and at most.

        Raises :class:`KeyError` if there is no such chain.
        """
        decided = self.part(chain).decided
        return Bounds(
            *(
                PacketSet(self.family, self.store, self.compiler.where(decided, Verdict.ACCEPT, surely=surely))
                for surely in (True, False)
            )
        )

    def reachable(self, chain: str = "INPUT") -> tuple[Exposed, ...]:
        """Services and the sources from which a first packet to them may be accepted, in order; doubts are marked."""
        return self._beyond(None, chain)

    def beyond(self, other: Analysis, chain: str = "INPUT") -> tuple[Exposed, ...]:
        """What can be reached here and not in ``other``, or only here for certain; both must share a compiler."""
        return self._beyond(other, chain)

    def exposure(self, chain: str = "INPUT") -> tuple[str, ...]:
        """:meth:`reachable` in lines such as ``tcp/443 from anywhere``."""
        return tuple(map(str, self.reachable(chain)))

    def sources(self, protocol: int, service: int, interfaces: Intervals | None = None) -> Intervals:
        """The sources from which INPUT may accept a first packet to a service, through the given interfaces or any."""
        box: dict[int, Intervals] = {
            int(Field.PROTOCOL): ((protocol, protocol),),
            int(Field.SERVICE): ((service, service),),
        }
        if interfaces is not None:
            box[int(Field.IN)] = interfaces
        asked = self.store.box(box, self.store.all, self.store.none)
        packets = self.store.both(outside(self.compiler, "INPUT", self.ruleset), asked)
        node = Reach(self.compiler, self.part("INPUT").decided, packets).possibly
        for first, last, services in self.store.spans(node, Field.PROTOCOL):
            if first <= protocol <= last:
                for low, high, found in self.store.spans(services, Field.SERVICE):
                    if low <= service <= high:
                        return sources_of(self.store, found)
        return ()

    def default_deny(self, chain: str = "INPUT", limits: OpenLimits | None = None) -> bool | None:
        """Whether only few public sources reach most TCP ports, most UDP ports, or most protocols.

        None if that depends on unknown matches. Raises :class:`ValueError` for invalid limits.
        """
        reached = self.part(chain).reached(near=None)
        chosen = limits or OpenLimits()
        if not open_to(self.store, reached.possibly, self.family, chosen):
            return True
        return False if self.wide_open(chain, chosen) else None

    def wide_open(self, chain: str = "INPUT", limits: OpenLimits | None = None) -> tuple[str, ...]:
        """Why a chain is not default-deny, in words, if that is certain."""
        bare = without_exceptions(self.table)
        same = bare == self.table
        judged = self if same else Analysis(self.ruleset.with_table(bare), bare.name, self.compiler)
        return open_to(self.store, judged.part(chain).reached(near=None).surely, self.family, limits or OpenLimits())

    def shadowed(self, undecided: Undecided | None = None) -> tuple[Dead, ...]:
        """The rules that match no packet, each with the rules that shadow it.

        ``undecided``: collects the reason for each built-in chain that cannot be analysed, instead of raising
        :class:`TooIntricateError`.
        """
        return dead_everywhere(self.table, self._every_part, undecided)

    def redundant(self, undecided: Undecided | None = None) -> tuple[Placed, ...]:
        """The rules, except dead ones, that can be removed without effect: each alone, or all with the dead ones."""
        return redundant_everywhere(self.table, self._every_part, undecided)

    def unknown_matches(self) -> tuple[UnknownMatch, ...]:
        """Matches and targets that are not understood, in rules that affect the verdict."""
        return tuple(
            UnknownMatch(Placed(Place(chain.name, number), rule), text)
            for chain in self.table.chains
            for number, rule in enumerate(chain.rules, 1)
            for text in self._unknown(Placed(Place(chain.name, number), rule))
        )

    def verdict(self, packet: Packet, chain: str = "INPUT") -> Decision:
        """What happens to one packet, and the rule that decides. Raises :class:`KeyError` if there is no such chain."""
        return self._walker.decide(packet, chain)

    def outcome(self, packet: Packet, chain: str = "INPUT") -> Outcome:
        """All that may happen to one packet, depending on limits and unknown matches."""
        return self.compiler.outcome_at(self.part(chain).decided, self.store.digits(packet.point()))

    def refuses(self, packet: Packet, chain: str = "INPUT") -> Decision | None:
        """The decision by which a packet is not surely accepted; None if it is accepted."""
        decision = self.verdict(packet, chain)
        return None if decision.verdict == "ACCEPT" else decision

    def part(self, chain: str) -> ChainAnswers:
        """The answers about one built-in chain. Raises :class:`KeyError` if there is no such chain."""
        found = self._parts.get(chain)
        if found is None:
            found = self._parts[chain] = ChainAnswers(self.compiler, self.ruleset, self.table, chain)
        return found

    @property
    def _every_part(self) -> dict[str, ChainAnswers]:
        return {chain.name: self.part(chain.name) for chain in self.table.chains if chain.policy is not None}

    @cached_property
    def _walker(self) -> Walker:
        return Walker(Ruleset(self.family, (self.table,)), self.table.name)

    def _beyond(self, other: Analysis | None, chain: str) -> tuple[Exposed, ...]:
        """From anywhere, then from the link; within each, the certain before the possible, without repetition."""
        store, said = self.store, self.store.none
        found: list[Exposed] = []
        for near, where in ((False, ""), (True, " on the link")):
            mine = self.part(chain).reached(near)
            surely, possibly = (said, said)
            if other is not None:
                theirs = other.part(chain).reached(near)
                surely, possibly = store.either(theirs.surely, said), store.either(theirs.possibly, said)
            gained = store.minus(mine.surely, surely)
            found += exposed(store, gained, self.family, said=surely, where=where)
            said, known = store.either(said, gained), store.either(possibly, mine.surely)
            for blame, node in mine.doubts(lambda: self._noticed(chain)).items():
                gained = store.minus(node, known)
                found += exposed(store, gained, self.family, said=known, where=where, doubts=self._texts(blame))
                said, known = store.either(said, gained), store.either(known, gained)
        return tuple(sorted(found))

    def _noticed(self, chain: str) -> dict[Place, Node]:
        """The rules that are not understood, with the packets from a built-in chain that may match them."""
        return self.part(chain).noticed(lambda leaf: bool(self._unknown(leaf.placed)))

    def _texts(self, blame: tuple[Place, ...]) -> tuple[str, ...]:
        """The unknown matches of rules; only the first ones if there are many."""
        named = map(self._placed, blame[:BLAMED])
        texts = tuple(str(UnknownMatch(placed, text)) for placed in named for text in self._unknown(placed))
        return (*texts, f"and {len(blame) - BLAMED} more rules") if len(blame) > BLAMED else texts

    def _placed(self, place: Place) -> Placed:
        chain = self.table.chain(place.chain) or Chain(place.chain)
        return Placed(place, chain.rules[place.number - 1])

    def _unknown(self, placed: Placed) -> list[str]:
        """What is not understood in a rule."""
        target = placed.rule.target
        if target is None or target.name in GOING_ON:
            return []
        texts = [render_match(match) for match in predicate(placed.rule, self.family).unknown]
        if not target.verdict and target.name != "REJECT" and self.table.chain(target.name) is None:
            texts.append(f"-j {target.name}")
        return texts + (["-j QUEUE"] if target.name == "QUEUE" else [])


def analyse(ruleset: Ruleset, table: str = "filter") -> Analysis:
    """What the chains of one table let through. A table that is missing from the ruleset accepts everything."""
    return Analysis(ruleset, table)


def exposure(ruleset: Ruleset) -> tuple[str, ...]:
    """One line for each service that INPUT lets others reach, in a stable order."""
    return analyse(ruleset).exposure()


def difference(before: Ruleset, after: Ruleset, chain: str = "INPUT") -> tuple[str, ...]:
    """What becomes reachable, and what no longer is: ``now also reachable: tcp/8080 from anywhere``.

    Raises :class:`ValueError` for rulesets of different families.
    """
    if before.family is not after.family:
        raise ValueError("rulesets of two families cannot be compared")
    compiler = Compiler(before.family)
    old, new = (Analysis(ruleset, compiler=compiler) for ruleset in (before, after))
    return (
        *(f"no longer reachable: {line}" for line in old.beyond(new, chain)),
        *(f"now also reachable: {line}" for line in new.beyond(old, chain)),
    )

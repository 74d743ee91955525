"""One packet's path through a chain, rule by rule: its verdict and the rule that decides. Uses no diagrams."""

from __future__ import annotations

from dataclasses import dataclass

from rules.model import Ruleset
from rules.packets.chains import GOING_ON
from rules.packets.outcomes import Place, Placed
from rules.packets.packet import Packet
from rules.packets.predicates import Predicate, predicate
from rules.values.family import Family


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to a packet.

    ``verdict``: ACCEPT, DROP, REJECT, or None if it depends on a limit, an unknown match or a program. ``decided_by``:
    the rule that gives the verdict, or on which it depends; None for the chain's policy.
    """

    verdict: str | None
    decided_by: Placed | None


class Walker:
    """Follows packets through the chains of one table."""

    def __init__(self, ruleset: Ruleset, table: str = "filter") -> None:
        found = ruleset.table(table)
        self.family: Family = ruleset.family
        self.chains = {chain.name: chain for chain in found.chains} if found is not None else {}
        self._predicates: dict[Place, Predicate] = {}

    def decide(self, packet: Packet, chain: str = "INPUT") -> Decision:
        """The verdict of a built-in chain. Raises :class:`KeyError` if there is no such chain."""
        return self.decide_point(packet.point(), chain)

    def decide_point(self, point: tuple[int, ...], chain: str = "INPUT") -> Decision:
        """The same for a packet given by the numbers of its fields."""
        found = self._walk(chain, point)
        return found if found is not None else Decision(self.chains[chain].policy, None)

    def _walk(self, chain: str, point: tuple[int, ...]) -> Decision | None:
        """The decision of a chain; None if it returns the packet to its caller."""
        for number, rule in enumerate(self.chains[chain].rules, 1):
            place = Place(chain, number)
            target = rule.target
            if target is None or target.name in GOING_ON:
                continue
            wanted = self._predicates.get(place) or self._predicates.setdefault(place, predicate(rule, self.family))
            if not wanted.fits(point):
                continue
            placed = Placed(place, rule)
            doubtful = wanted.limited or bool(wanted.unknown)
            if target.name == "RETURN":
                if doubtful:
                    return Decision(None, placed)
                return None
            if target.name in self.chains:
                inner = self._walk(target.name, point)
                if inner is not None:
                    return Decision(None, placed) if doubtful else inner
                if doubtful and target.goto:
                    return Decision(None, placed)
                if target.goto:
                    return None
                continue
            known = target.name in ("ACCEPT", "DROP", "REJECT") and not doubtful
            return Decision(target.name if known else None, placed)
        return None

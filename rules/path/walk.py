"""A packet through the chains of one table, rule by rule. Where a match is unknown, both paths are followed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rules.model import Rule, Table, Target
from rules.packets.chains import GOING_ON
from rules.packets.outcomes import Place
from rules.packets.packet import Field
from rules.path.carried import Carried, TraceStep
from rules.path.conditions import Conditions
from rules.path.effects import changed
from rules.path.translation import TRANSLATING

# The most paths followed in parallel; of more, only the first.
MOST_WAYS = 64
_VERDICTS = ("ACCEPT", "DROP", "REJECT")


@dataclass(frozen=True, slots=True)
class Ended:
    """A packet on which a table has decided. ``target``: that of the rule that decided, None for the policy."""

    packet: Carried
    verdict: str
    target: Target | None = None


@dataclass(slots=True)
class Walk:
    """One packet's paths through a table: ``ended`` collects those on which it decides."""

    name: str
    table: Table
    conditions: Conditions
    ended: list[Ended] = field(default_factory=list)
    cut: bool = False

    def through(self, chain: str, packet: Carried) -> None:
        """Follow a packet through a built-in chain."""
        found = self.table.chain(chain)
        if found is None:
            self.ended.append(Ended(packet, "ACCEPT"))
            return
        for one in self._chain(chain, [packet]):
            step = TraceStep(self.name, f"policy {found.policy}", Place(chain, 0))
            shown = one.met(step) if found.policy != "ACCEPT" or found.rules else one
            self.ended.append(Ended(shown, found.policy or "ACCEPT"))

    def _chain(self, name: str, entering: list[Carried]) -> list[Carried]:
        """The paths on which the chain does not decide."""
        live, left = entering, []
        chain = self.table.chain(name)
        for number, rule in enumerate(chain.rules if chain is not None else (), 1):
            rest: list[Carried] = []
            matching: list[tuple[Carried, bool]] = []
            for packet in live:
                fits = self.conditions.fits(rule, packet)
                if fits is not True:
                    rest.append(packet)
                if fits is not False:
                    matching.append((packet, fits is True))
            if not matching:
                continue
            onward, returned = self._matched(Place(name, number), rule, matching)
            rest += onward
            left += returned
            live = self._distinct(rest)
            if not live:
                break
        return self._distinct([*live, *left])

    def _matched(
        self, place: Place, rule: Rule, packets: list[tuple[Carried, bool]]
    ) -> tuple[list[Carried], list[Carried]]:
        """The packets that a rule matches: those that continue after it, and those that leave the chain."""
        target = rule.target
        entered = []
        for packet, sure in packets:
            behind, text = changed(packet, target) if target is not None else (packet, "")
            entered.append(behind.met(TraceStep(self.name, text, place, rule, sure)))
        if target is None or target.name in GOING_ON:
            return entered, []
        if target.name == "RETURN":
            return [], entered
        if self.table.chain(target.name) is not None:
            back = self._chain(target.name, entered)
            return ([], back) if target.goto else (back, [])
        if target.name in (*_VERDICTS, *TRANSLATING):
            verdict = target.name if target.name in _VERDICTS else "ACCEPT"
            self.ended += [Ended(packet, verdict, target) for packet in entered]
            return [], []
        if target.name == "TPROXY":
            # A proxy on the host may accept it, or it continues unchanged.
            self.ended += [Ended(packet.having(unknown=(Field.DESTINATION_TYPE,)), "ACCEPT") for packet in entered]
            return [], []
        # A program decides, or a target that is not understood.
        self.ended += [Ended(packet, verdict, target) for packet in entered for verdict in ("ACCEPT", "DROP")]
        return ([] if target.name in ("QUEUE", "NFQUEUE") else entered), []

    def _distinct(self, packets: Iterable[Carried]) -> list[Carried]:
        found = list({packet.key: packet for packet in reversed(list(packets))}.values())[::-1]
        self.cut = self.cut or len(found) > MOST_WAYS
        return found[:MOST_WAYS]

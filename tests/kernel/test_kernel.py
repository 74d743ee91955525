"""Compares the analysis with the kernel: random rulesets, real packets, every verdict.

``STOCKADE_KERNEL_RULESETS`` is the number of rulesets, with 42 packets each: 500 take two to three minutes.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from rules.analysis.reachability import Analysis, analyse
from rules.language.parse import parse
from rules.language.render import render
from rules.model import Ruleset
from rules.packets.outcomes import Verdict
from rules.packets.packet import Packet
from rules.values.family import Family
from tests.kernel.namespaces import STATES, Wires, missing
from tests.kernel.rulesets import Author
from tests.kernel.traffic import Flow, Sender, connect
from tests.unit.rules.analysis.test_redundant import without

pytestmark = [pytest.mark.lab, pytest.mark.skipif(missing() is not None, reason=missing() or "")]
RULESETS = int(os.environ.get("STOCKADE_KERNEL_RULESETS", "60"))
PACKETS = 42
# The share of rulesets for each backend, in tenths.
SHARES = {"nft": 7, "legacy": 3}


class Comparison:
    """Loads rulesets, sends packets, and counts comparisons."""

    def __init__(self, wires: Wires, flows: list[Flow], backend: str) -> None:
        self.wires = wires
        self.flows = flows
        self.backend = backend
        self.seen: Counter[str] = Counter()

    def run(self, seed: int, size: int) -> None:
        random = Random(f"{seed} {size}")
        family = random.choice(list(Family))
        text = Author(family, random).ruleset(size)
        ruleset = parse(text, family)
        self._tried(ruleset, text, random)

    def run_without_what_could_go(self, seed: int, size: int) -> None:
        """Compare the verdicts of rulesets without their redundant rules with the original ones."""
        random = Random(f"{seed} {size}")
        family = random.choice(list(Family))
        ruleset = parse(Author(family, random).ruleset(size), family)
        analysis = analyse(ruleset)
        could_go = [placed.place for placed in analysis.redundant()]
        if not could_go:
            return
        self.seen["could go"] += len(could_go)
        dead = [found.placed.place for found in analysis.shadowed()]
        for places in ([random.choice(could_go)], [*could_go, *dead]):
            self._tried(ruleset, render(without(ruleset, places)), random)

    def _tried(self, ruleset: Ruleset, text: str, random: Random) -> None:
        """Load a text and send packets; the kernel's verdicts must be those of the ruleset."""
        family = ruleset.family
        self.wires.load(self.backend, family, text)
        frames = Sender(ruleset, random, self.flows).frames(PACKETS)
        self.wires.send(frames)
        found = self.wires.verdicts(family, len(frames))
        analysis = Analysis(ruleset)
        for frame in frames:
            packet = self._as_met(frame.packet, frame.number, found)
            self.seen["sent"] += 1
            if packet is not None:
                self._compare(analysis, packet, frame.number in found["accepted"], text)

    def _as_met(self, packet: Packet, number: int, found: dict[str, set[int]]) -> Packet | None:
        """The packet with the state that the kernel gave it; None if it did not reach INPUT."""
        states = [state for state in STATES if number in found[state]]
        if not states:
            return None
        (state,) = states
        self.seen[state] += 1
        return replace(packet, state=state.upper(), reply=number in found["reply"])

    def _compare(self, analysis: Analysis, packet: Packet, accepted: bool, text: str) -> None:
        bounds = analysis.accepted("INPUT")
        decision = analysis.verdict(packet)
        told = f"the kernel {'accepts' if accepted else 'refuses'} {packet}\n{text}"
        self.seen["accepted" if accepted else "refused"] += 1
        self.seen["certain"] += decision.verdict is not None
        if accepted:
            assert packet in bounds.upper, f"the diagram refuses, {told}"
            assert decision.verdict in ("ACCEPT", None), f"{decision}, {told}"
        else:
            limited = analysis.outcome(packet)
            assert limited.possibly & ~Verdict.ACCEPT, f"the diagram accepts, {told}"
            assert decision.verdict != "ACCEPT", f"{decision}, {told}"


@pytest.fixture(params=SHARES)
def comparison(request: pytest.FixtureRequest) -> Iterator[Comparison]:
    with Wires() as wires:
        flows = connect(wires)
        wires.silence()
        yield Comparison(wires, flows, request.param)


def _compared(rulesets: int, run: Callable[[int, int], None]) -> None:
    @settings(
        max_examples=rulesets,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(seed=st.integers(0, 2**32), size=st.integers(3, 16))
    def compare(seed: int, size: int) -> None:
        run(seed, size)

    compare()


def test_verdicts_are_those_of_the_kernel(comparison: Comparison) -> None:
    rulesets = max(RULESETS * SHARES[comparison.backend] // 10, 1)
    _compared(rulesets, comparison.run)
    seen = comparison.seen
    print(f"{comparison.backend}: {rulesets} rulesets, {dict(sorted(seen.items()))}")
    compared = seen["accepted"] + seen["refused"]
    assert compared >= 0.9 * seen["sent"], seen
    assert min(seen["accepted"], seen["refused"]) >= 0.2 * compared, seen
    assert seen["certain"] >= 0.8 * compared, seen
    assert all(seen[state] for state in STATES), seen


def test_the_kernel_accepts_the_same_without_what_could_go(comparison: Comparison) -> None:
    _compared(max(RULESETS * SHARES[comparison.backend] // 20, 1), comparison.run_without_what_could_go)
    print(f"{comparison.backend}: {dict(sorted(comparison.seen.items()))}")
    assert comparison.seen["could go"] >= 3

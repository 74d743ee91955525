"""The goals: each a ratio or a difference within one run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.costs.tables import FLOOR, PER_HOST, Value, floor_of, middle, short
from bench.series import Sample
from bench.tools.base import Phase

OURS = "stockade"
OTHERS = ("pulumi-command", "pyinfra", "ansible")


@dataclass(frozen=True)
class Goal:
    """`measured` of at most `limit`, with so many hosts."""

    what: str
    hosts: int
    limit: float
    measured: Callable[[Sequence[Sample], int], float | None]


def _times_raw(phase: Phase) -> Callable[[Sequence[Sample], int], float | None]:
    def ratio(samples: Sequence[Sample], hosts: int) -> float | None:
        ours = middle(samples, OURS, hosts, phase, lambda s: s.wall)
        raw = middle(samples, FLOOR, hosts, phase, lambda s: s.wall)
        return ours / raw if ours and raw else None

    return ratio


def _beyond_raw(phase: Phase, value: Value) -> Callable[[Sequence[Sample], int], float | None]:
    def difference(samples: Sequence[Sample], hosts: int) -> float | None:
        ours, raw = middle(samples, OURS, hosts, phase, value), middle(samples, FLOOR, hosts, floor_of(phase), value)
        return None if ours is None or raw is None else ours - raw

    return difference


def _times_best(samples: Sequence[Sample], hosts: int) -> float | None:
    ours = middle(samples, OURS, hosts, Phase.FIRST, lambda s: s.wall)
    others = [middle(samples, tool, hosts, Phase.FIRST, lambda s: s.wall) for tool in OTHERS]
    there = [one for one in others if one]
    return ours / min(there) if ours and there else None


def _controller(samples: Sequence[Sample], hosts: int) -> float | None:
    return middle(samples, OURS, hosts, Phase.FIRST, PER_HOST["controller's CPU seconds"])


GOALS = (
    Goal("first apply, by the raw script's time", 1, 1.2, _times_raw(Phase.FIRST)),
    Goal("first apply, by the raw script's time", 8, 1.2, _times_raw(Phase.FIRST)),
    Goal("first apply, by the time of the fastest other tool", 8, 1.0, _times_best),
    Goal(
        "first apply: host's CPU seconds beyond the raw script's",
        8,
        2.0,
        _beyond_raw(Phase.FIRST, PER_HOST["host's CPU seconds"]),
    ),
    Goal("first apply: controller's CPU seconds per host", 8, 0.35, _controller),
    Goal(
        "drift check: seconds beyond the raw script with nothing to do",
        1,
        1.2,
        _beyond_raw(Phase.DRIFT, lambda s: s.wall),
    ),
    Goal(
        "drift check: seconds beyond the raw script with nothing to do",
        8,
        1.2,
        _beyond_raw(Phase.DRIFT, lambda s: s.wall),
    ),
    Goal("one rule changed, by the raw script's time", 8, 3.0, _times_raw(Phase.RULE)),
)


def goals(samples: Sequence[Sample]) -> str:
    """The goals, with what was measured, in Markdown."""
    lines = ["| goal | hosts | at most | measured | |", "|---|---|---|---|---|"]
    for goal in GOALS:
        value = goal.measured(samples, goal.hosts)
        if value is not None:
            verdict = "reached" if value <= goal.limit else "not reached"
            lines.append(f"| {goal.what} | {goal.hosts} | {goal.limit:g} | {short(value)} | {verdict} |")
    return "\n".join(lines)

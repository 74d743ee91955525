"""Published results over time: a line of bench/history.jsonl each, as ratios, and their chart.

A ratio compares two tools of one run on one machine, so that lines from different machines can stand side by side.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from bench.chart import lines
from bench.series import Sample
from bench.tools.base import Phase

FILE = Path("bench/history.jsonl")
FLOOR, OURS = "raw", ("stockade", "stockade-cli")


@dataclass(frozen=True)
class Entry:
    """One published run. `ratios`: seconds of wall time by those of the raw script, named `TOOL, PHASE, HOSTS hosts`.
    A drift check, which the raw script has not, is compared with its `nothing to do`."""

    day: str
    commit: str
    machine: str
    ratios: Mapping[str, float]


def ratios(samples: Sequence[Sample]) -> dict[str, float]:
    """Return the ratios of Stockade's phases, verified runs only."""
    found = {}
    for hosts in sorted({sample.hosts for sample in samples}):
        for phase in Phase:
            floor = _wall(samples, FLOOR, hosts, Phase.NOTHING if phase is Phase.DRIFT else phase)
            for tool in OURS:
                ours = _wall(samples, tool, hosts, phase)
                if floor and ours:
                    found[f"{tool}, {phase.value}, {hosts} host{'s' if hosts > 1 else ''}"] = round(ours / floor, 2)
    return found


def _wall(samples: Iterable[Sample], tool: str, hosts: int, phase: Phase) -> float:
    walls = [s.wall for s in samples if (s.tool, s.hosts, s.phase) == (tool, hosts, phase.value) and not s.fault]
    return median(walls) if walls else 0.0


def add(entry: Entry, file: Path = FILE) -> list[Entry]:
    """Append an entry, and return all of them, oldest first."""
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(asdict(entry)) + "\n")
    return [Entry(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def draw(entries: Sequence[Entry]) -> str:
    """The chart: each ratio over the entries that have it."""
    names = dict.fromkeys(name for entry in entries for name in entry.ratios)
    points = {name: [entry.ratios.get(name) for entry in entries] for name in names}
    return lines("Times the raw script, less is better", [f"{e.day} {e.commit}" for e in entries], points)

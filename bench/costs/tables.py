"""What runs cost the controller and the hosts, beside the raw script."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median

from bench.series import Sample
from bench.tools.base import Phase

FLOOR = "raw"
NONE = "-"
Value = Callable[[Sample], float]

PER_HOST: Mapping[str, Value] = {
    "controller's CPU seconds": lambda sample: sample.cpu / sample.hosts,
    "host's CPU seconds": lambda sample: sample.host_cpu / sample.hosts,
    "processes and threads on the host": lambda sample: sample.processes / sample.hosts,
    "connections": lambda sample: sample.connections / sample.hosts,
    "kB sent and received": lambda sample: sample.traffic / sample.hosts / 1000,
}
_BESIDE_RAW = ("host's CPU seconds", "processes and threads on the host")


def floor_of(phase: Phase) -> Phase:
    """The raw script's phase to compare with: it has no drift check, but running it again changes nothing."""
    return Phase.NOTHING if phase is Phase.DRIFT else phase


def middle(samples: Sequence[Sample], tool: str, hosts: int, phase: Phase, value: Value) -> float | None:
    """The median of the verified samples; None if there are none."""
    found = [value(s) for s in samples if (s.tool, s.hosts, s.phase) == (tool, hosts, phase.value) and not s.fault]
    return median(found) if found else None


def table(samples: Sequence[Sample], hosts: int) -> str:
    """What each phase costs per host, by tool, in Markdown; in brackets what is beyond the raw script's."""
    mine = [sample for sample in samples if sample.hosts == hosts]
    tools = list(dict.fromkeys(sample.tool for sample in mine))
    lines = ["| per host | " + " | ".join(tools) + " |", "|---" * (len(tools) + 1) + "|"]
    for phase in Phase:
        for name, value in PER_HOST.items():
            floor = middle(mine, FLOOR, hosts, floor_of(phase), value) if name in _BESIDE_RAW else None
            cells = [_cell(middle(mine, tool, hosts, phase, value), None if tool == FLOOR else floor) for tool in tools]
            lines.append(f"| {phase.value}: {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(value: float | None, floor: float | None) -> str:
    if value is None:
        return NONE
    more = "" if floor is None else f" ({'-' if value < floor else '+'}{short(abs(value - floor))})"
    return f"{short(value)}{more}"


def short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"

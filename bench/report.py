"""Prints the samples as tables and publishes them: in docs/performance.md between markers, with a chart beside it."""

import platform
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench import history
from bench.chart import chart
from bench.costs import tables
from bench.costs.goals import goals
from bench.series import Sample
from bench.tools.base import Phase

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
NONE = "-"
PAGE = Path("docs/performance.md")


_COSTS: Mapping[str, Callable[[Sequence[Sample]], float]] = {
    "controller's memory at the peak, MB": lambda samples: max((s.memory for s in samples), default=0) / 1e6,
}


def spread(values: Sequence[float]) -> str:
    """`median (lowest to highest)`, or a single value; seconds."""
    if not values:
        return NONE
    middle = _seconds(median(values))
    low, high = _seconds(min(values)), _seconds(max(values))
    return middle if low == high else f"{middle} ({low} to {high})"


def _seconds(value: float) -> str:
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(samples: Iterable[Sample], hosts: int) -> str:
    """Wall time of each phase by tool, in Markdown; runs that were not verified are shown as `failed`."""
    mine = [sample for sample in samples if sample.hosts == hosts]
    tools = list(dict.fromkeys(sample.tool for sample in mine))
    lines = ["| | " + " | ".join(tools) + " |", "|---" * (len(tools) + 1) + "|"]
    for phase in Phase:
        cells = [_cell([s for s in mine if s.tool == tool and s.phase == phase.value], hosts) for tool in tools]
        lines.append(f"| {phase.value} | " + " | ".join(cells) + " |")
    for what, sums in _COSTS.items():
        values = {tool: sums([s for s in mine if s.tool == tool and not s.fault]) for tool in tools}
        cells = [f"{value:.3g}" if value else NONE for value in values.values()]
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(samples: Sequence[Sample], hosts: int) -> str:
    if any(sample.fault for sample in samples):
        return "failed"
    text = spread([sample.wall for sample in samples])
    looked = [sample.looked for sample in samples if sample.looked is not None]
    if not all(count == hosts for count in looked):
        seen = max(looked)
        text += ", touches no host" if seen == 0 else f", looks at {seen} hosts"
    return text


def machine() -> str:
    """A short description of this machine."""
    cpus = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    memory = Path("/proc/meminfo").read_text().split()[1]
    model = cpus[0].partition(": ")[2] if cpus else platform.machine()
    return f"{len(cpus) or 1} cores ({model}), {int(memory) / 1e6:.0f} GB, Linux {platform.release().split('-')[0]}"


def markdown(samples: Sequence[Sample], versions: Mapping[str, str], commands: Sequence[str]) -> str:
    """Everything between the markers."""
    counts = sorted({sample.hosts for sample in samples})
    day = _today()
    run = ", ".join(f"`{command}`" for command in commands)
    parts = [f"Measured on {day} by {run}: {machine()}, Debian 12 hosts on the same machine."]
    parts.append("; ".join(f"{tool}: {version}" for tool, version in versions.items()) + ".")
    for hosts in counts:
        parts += [f"#### {hosts} host{'s' if hosts > 1 else ''}", table(samples, hosts), tables.table(samples, hosts)]
    parts += ["The goals, with the embedded engine:", goals(samples)]
    parts.append("![seconds by tool](performance.svg)")
    parts.append(
        "Stockade's times by those of the raw script, from each run that was published (`bench/history.jsonl`):"
    )
    parts.append("![ratios over time](history.svg)")
    return "\n\n".join(parts)


def draw(samples: Sequence[Sample]) -> str:
    """The chart: the median of each phase, by number of hosts."""
    groups: dict[str, list[tuple[str, float]]] = {}
    for hosts in sorted({sample.hosts for sample in samples}):
        for phase in Phase:
            bars = []
            for tool in dict.fromkeys(sample.tool for sample in samples):
                walls = [
                    s.wall for s in samples if (s.tool, s.hosts, s.phase) == (tool, hosts, phase.value) and not s.fault
                ]
                if walls:
                    bars.append((tool, median(walls)))
            if bars:
                groups[f"{phase.value}, {hosts} host{'s' if hosts > 1 else ''}"] = bars
    return chart("Seconds, less is better", groups)


def publish(samples: Sequence[Sample], versions: Mapping[str, str], commands: Sequence[str], page: Path = PAGE) -> None:
    """Write the tables between the markers of the page, the charts beside it, and a line of the history.

    Raises ValueError if there are no markers.
    """
    text = page.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no markers: {BEGIN} {END}")
    body = markdown(samples, versions, commands)
    page.write_text(f"{head}{BEGIN}\n{body}\n{END}{tail}", encoding="utf-8")
    page.with_suffix(".svg").write_text(draw(samples), encoding="utf-8")
    entry = history.Entry(_today(), _commit(), machine(), history.ratios(samples))
    page.with_name("history.svg").write_text(history.draw(history.add(entry)), encoding="utf-8")


def _today() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d")


def _commit() -> str:
    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"

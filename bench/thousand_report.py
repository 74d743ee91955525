"""Prints the rows of `bench.thousand` as a table and publishes it: in docs/performance.md between its own markers."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.report import NONE, PAGE, machine

BEGIN, END = "<!-- thousand: begin -->", "<!-- thousand: end -->"
HEAD = ("", "hosts", "seconds", "CPU s", "peak MB", "connections", "remote runs", "state kB per host")


@dataclass(frozen=True)
class Row:
    """One measured command. `servers`: CPU seconds of the simulated hosts, which are not included in `cpu`."""

    tool: str
    hosts: int
    phase: str
    wall: float
    cpu: float
    memory: int
    connections: int
    runs: int
    servers: float
    state: int = 0
    fault: str = ""

    def repeated(self, others: Sequence["Row"]) -> bool:
        """Whether one of the others has the same tool, number of hosts and phase."""
        return any((self.tool, self.hosts, self.phase) == (row.tool, row.hosts, row.phase) for row in others)

    def line(self) -> str:
        """A line for the console while measuring."""
        verdict = f"NOT COUNTED: {self.fault}" if self.fault else "as recorded"
        return (
            f"{self.tool:13} {self.hosts:5} hosts  {self.phase:13} {self.wall:7.2f} s  CPU {self.cpu:7.2f} s  "
            f"{self.memory / 1e6:5.0f} MB  {self.connections:5} connections  {self.runs:6} runs  "
            f"servers {self.servers:6.2f} s  {verdict}"
        )

    def cells(self) -> tuple[str, ...]:
        """The cells of a table row."""
        if self.fault:
            return (f"{self.tool}: {self.phase}", str(self.hosts), "failed", *[NONE] * 5)
        return (
            f"{self.tool}: {self.phase}",
            str(self.hosts),
            f"{self.wall:.1f}",
            f"{self.cpu:.1f}",
            f"{self.memory / 1e6:.0f}",
            str(self.connections),
            str(self.runs),
            f"{self.state / 1000 / self.hosts:.0f}" if self.state else NONE,
        )


def keep(file: Path, rows: Sequence[Row]) -> list[Row]:
    """Store the rows for a later run; returns them."""
    file.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    return list(rows)


def kept(file: Path) -> list[Row]:
    """The rows that `keep` last stored; empty if there are none."""
    return [Row(**row) for row in json.loads(file.read_text())] if file.exists() else []


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, by phase, then tool."""
    ordered = sorted(rows, key=lambda row: (_first(rows, "phase", row), _first(rows, "tool", row), row.hosts))
    lines = [HEAD, ["---"] * len(HEAD), *(row.cells() for row in ordered)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _first(rows: Sequence[Row], field: str, row: Row) -> int:
    return [getattr(other, field) for other in rows].index(getattr(row, field))


def publish(rows: Sequence[Row], versions: Sequence[str], command: str, delay: float, page: Path = PAGE) -> None:
    """Write the table between the page's markers. Raises ValueError if there are none."""
    text = page.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no markers: {BEGIN} {END}")
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    servers = max((row.servers / row.wall for row in rows), default=0)
    said = (
        f"Measured on {day} by `{command}`: {machine()}. {'; '.join(versions)}. Each host answers after {delay:g} s. "
        f"The simulated hosts share the machine: they took up to {servers:.1f} of its cores besides."
    )
    page.write_text(f"{head}{BEGIN}\n{said}\n\n{table(rows)}\n{END}{tail}", encoding="utf-8")

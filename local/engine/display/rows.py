"""Lines of progress: one row per resource, and a tree of rows that is redrawn on a terminal."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass, replace
from typing import TextIO

from hosts.text.masking import one_line
from local.engine.display.style import Style

_INTERVAL = 0.2


@dataclass(frozen=True)
class Row:
    """The progress of one resource."""

    urn: str
    parent: str
    mark: str
    type: str
    name: str
    status: str
    changed: str
    seconds: float | None
    started: float | None
    failed: bool
    quiet: bool
    message: str = ""

    def state(self) -> str:
        """Status, elapsed time and changed properties."""
        text = self.status
        if self.started is not None and text:
            text += f" ({time.monotonic() - self.started:.0f}s)"
        elif self.seconds is not None:
            text += f" ({self.seconds:.2f}s)"
        return " ".join(part for part in (text, self.changed, self.message) if part)

    def plain(self, style: Style) -> str:
        """The row as a line of its own."""
        kind = "error" if self.failed else self.mark
        return f" {style.op(kind, f'{self.mark:<2}')} {self.type} {self.name} {style.op(kind, self.state())}".rstrip()


class LiveTree:
    """Rows as a tree of components, redrawn in place during the run and printed in full at its end."""

    def __init__(self, out: TextIO, style: Style) -> None:
        self._out = out
        self._style = style
        self._rows: dict[str, Row] = {}
        self._drawn = 0
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def put(self, row: Row) -> None:
        """Add a row or replace that of the same resource."""
        with self._lock:
            old = self._rows.get(row.urn)
            self._rows[row.urn] = replace(row, message=old.message) if old else row

    def message(self, urn: str, text: str) -> None:
        """Show the first line of a message beside its resource."""
        with self._lock:
            row = self._rows.get(urn) or next(iter(self._rows.values()), None)
            if row:
                self._rows[row.urn] = replace(row, message=one_line(text.partition("\n")[0]))

    def _run(self) -> None:
        while not self._closed.wait(_INTERVAL):
            self._draw(live=True)

    def close(self) -> None:
        """Stop redrawing; leave the whole tree on the screen."""
        self._closed.set()
        self._thread.join()
        self._draw(live=False)
        print(file=self._out)

    def _draw(self, live: bool) -> None:
        with self._lock:
            columns, lines = shutil.get_terminal_size()
            text = self._lines()
            if live and len(text) > lines - 2:
                text = [*text[: lines - 3], "..."] if lines > 3 else []
            clear = f"\x1b[{self._drawn}A\x1b[J" if self._drawn else ""
            self._out.write(clear + "".join(f"{cut(line, columns - 1)}\n" for line in text))
            self._out.flush()
            self._drawn = len(text)

    def _lines(self) -> list[str]:
        shown = self._shown()
        children: dict[str, list[Row]] = {}
        for row in shown.values():
            children.setdefault(row.parent if row.parent in shown else "", []).append(row)
        ordered: list[tuple[int, Row]] = []

        def visit(parent: str, depth: int) -> None:
            for row in children.get(parent, ()):
                ordered.append((depth, row))
                visit(row.urn, depth + 1)

        visit("", 0)
        if not ordered:
            return []
        wide = max(len(row.type) + 3 * depth for depth, row in ordered) + 2
        name = max(len(row.name) for _, row in ordered) + 2
        lines = [self._style.op("dim", f"     {'Type':<{wide}}{'Name':<{name}}Status")]
        for depth, row in ordered:
            label = ("   " * (depth - 1) + "└─ " if depth else "") + row.type
            kind = "error" if row.failed else row.mark
            lines.append(
                f" {self._style.op(kind, f'{row.mark:<2}')}  {label:<{wide}}{row.name:<{name}}"
                + self._style.op(kind, row.state())
            )
        return lines

    def _shown(self) -> dict[str, Row]:
        """Rows with something to show, and the components that contain them."""
        wanted: set[str] = set()
        for row in self._rows.values():
            if row.quiet and not row.message and row.parent:
                continue
            urn = row.urn
            while urn and urn not in wanted:
                wanted.add(urn)
                urn = self._rows[urn].parent if urn in self._rows else ""
        return {urn: row for urn, row in self._rows.items() if urn in wanted}


def cut(line: str, width: int) -> str:
    """A line cut to a width on the screen, not counting colour codes."""
    out, shown, position = [], 0, 0
    while position < len(line):
        if line[position] == "\x1b":
            end = line.index("m", position) + 1
            out.append(line[position:end])
            position = end
            continue
        if shown < width:
            out.append(line[position])
        shown += 1
        position += 1
    return "".join(out)

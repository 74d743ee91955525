"""Records what the real iptables prints for rules as people write them: `python -m tests.unit.rules.capture`.

`data/kernel/*.txt` has blocks: `table NAME`, `in RULE` as written, then the output of iptables-save for it, `nft` and
`legacy` (once per rule, or `refused`). This rewrites the printed lines from the `in` lines, each rule in its own
network namespace. Needs root and both backends.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

DATA = Path(__file__).parent / "data" / "kernel"
BACKENDS = ("nft", "legacy")
REFUSED = "refused"


@dataclass
class Case:
    """One rule as written, and the printed lines per backend; no lines if it was refused."""

    table: str
    written: str
    printed: dict[str, list[str]] = field(default_factory=dict)


def read(path: Path) -> Iterator[Case]:
    """The cases of a file."""
    case: Case | None = None
    table = "filter"
    for line in path.read_text().splitlines():
        word, _, rest = line.partition(" ")
        if word == "table":
            table = rest
        elif word == "in":
            case = Case(table, rest)
        elif word in BACKENDS and case is not None:
            case.printed.setdefault(word, []).extend([] if rest == REFUSED else [rest])
        elif not line and case is not None:
            yield case
            case = None
    if case is not None:
        yield case


def write(path: Path, cases: list[Case]) -> None:
    """The cases as text that `read` reads."""
    lines: list[str] = []
    table = ""
    for case in cases:
        if case.table != table:
            table = case.table
            lines += [f"table {table}", ""]
        lines.append(f"in {case.written}")
        for backend, printed in case.printed.items():
            lines += [f"{backend} {line}" for line in printed] or [f"{backend} {REFUSED}"]
        lines.append("")
    path.write_text("\n".join(lines))


def capture(case: Case, command: str) -> None:
    """Load a rule into a new network namespace and record the output."""
    text = f"*{case.table}\n:X - [0:0]\n{case.written}\nCOMMIT\n"
    for backend in BACKENDS:
        tool = f"{command}-{backend}"
        run = subprocess.run(
            ["unshare", "-n", "sh", "-c", f"{tool}-restore && {tool}-save -t {case.table}"],
            input=text,
            text=True,
            capture_output=True,
            check=False,
        )
        lines = [line for line in run.stdout.splitlines() if line.startswith("-A")]
        case.printed[backend] = lines if run.returncode == 0 else []


def main() -> None:
    """Rewrite every file."""
    for command, name in (("iptables", "ipv4.txt"), ("ip6tables", "ipv6.txt")):
        cases = list(read(DATA / name))
        for case in cases:
            capture(case, command)
        write(DATA / name, cases)
        print(f"{name}: {len(cases)} rules")


if __name__ == "__main__":
    main()

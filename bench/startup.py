"""`python -m bench.startup [NAME ...]`: how much each startup optimisation saves in typical runs.

A copy of this checkout is made without the optimisation. It and the checkout run in turn: `up` with nothing to do, a
refresh of one lab host, and `up` with nothing to do for a stack of many hosts (bench/shards.py). A row for each
optimisation shows how much longer the runs take without it, in wall-clock and CPU time. The lab's stack must be up
(`make up`).
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.measure import measure

ROOT = Path(__file__).resolve().parents[1]
MANY = 50
"""Hosts of the larger stack."""
RUNS: Mapping[str, tuple[str, ...]] = {
    "nothing to do": ("local", "up", "--stack", "lab", "--yes", "--skip-preview"),
    "refresh": ("local", "refresh", "--stack", "lab", "--yes", "--skip-preview"),
    f"nothing to do, {MANY} hosts": ("bench.shards", "--hosts", str(MANY)),
}


@dataclass(frozen=True)
class Edit:
    """Text in a file that is removed or replaced to leave out an optimisation."""

    file: str
    text: str
    instead: str = ""

    def make(self, folder: Path) -> None:
        """Edit a copy. Raises SystemExit if the text no longer exists."""
        path = folder / self.file
        before = path.read_text("utf-8")
        if self.text not in before:
            raise SystemExit(f"bench/startup.py: {self.file} has no {self.text!r} any more")
        path.write_text(before.replace(self.text, self.instead), "utf-8")


RUNNER, PROVIDER = "local/engine/processes/runner.py", "provider/__main__.py"
LAUNCH = "local/engine/processes/launch.py"
MEASURES: Mapping[str, tuple[Edit, ...]] = {
    "none (the same code twice)": (),
    "fork server": (Edit(LAUNCH, "        self._share(package)\n"),),
    "provider started before it is asked for": (Edit(LAUNCH, "        self.prestart(package)\n"),),
    "fewer collections of garbage": (
        Edit(RUNNER, "    gc.set_threshold(500_000, 50, 50)"),
        Edit(PROVIDER, "    gc.set_threshold(500_000, 50, 50)", "    pass"),
        Edit("local/engine/__main__.py", "    gc.set_threshold(100_000, 50, 50)"),
    ),
    "what the provider skips at import": (
        Edit(PROVIDER, '    sys.meta_path.insert(0, LazyFinder("pulumi.automation"))\n'),
        Edit(PROVIDER, '    leave_out("oqs", "liboqs")\n'),
        Edit("provider/loaded.py", 'leave_out("oqs", "liboqs")\n'),
    ),
    "the engine without the whole SDK": (Edit("local/engine/__main__.py", "    skip_sdk()\n"),),
}


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.startup", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="measures, by part of their name; all when missing")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each, in turn (5)")
    options = parser.parse_args()
    print(f"| left out | {' | '.join(f'{run} | CPU' for run in RUNS)} |")
    print("|---|" + "---|---|" * len(RUNS))
    for name, edits in MEASURES.items():
        if not options.names or any(part in name for part in options.names):
            print(f"| {name} | {' | '.join(_cells(edits, options.rounds))} |", flush=True)


def _cells(edits: tuple[Edit, ...], rounds: int) -> list[str]:
    """How much longer each run takes without these: wall-clock and CPU time, in percent."""
    with tempfile.TemporaryDirectory(prefix="stockade-bench-") as place:
        folders = [_copy(Path(place) / name) for name in ("with", "without")]
        for edit in edits:
            edit.make(folders[1])
        return [cell for arguments in RUNS.values() for cell in _more(folders, arguments, rounds)]


def _copy(folder: Path) -> Path:
    """Copy the checkout with the lab's keys and the stack's state."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    for name in (".lab", ".state"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


def _more(folders: list[Path], arguments: tuple[str, ...], rounds: int) -> list[str]:
    seen: list[list[tuple[float, float]]] = [[], []]
    for number in range(rounds + 1):
        for index in (0, 1) if number % 2 else (1, 0):
            figures = _run(folders[index], arguments)
            if number:  # the first run compiles
                seen[index].append(figures)
    cells = []
    for kind in (0, 1):
        usual, without = (statistics.median(run[kind] for run in runs) for runs in seen)
        cells.append(f"{100 * (without / usual - 1):+.0f} % of {usual:.2f} s")
    return cells


def _run(folder: Path, arguments: tuple[str, ...]) -> tuple[float, float]:
    compiled = {"PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    done = measure([sys.executable, "-m", *arguments], folder, {**os.environ, **compiled})
    if done.status:
        raise SystemExit(done.output)
    if arguments[0] == "bench.shards":
        *_, wall, cpu = (cell.strip() for cell in done.output.splitlines()[-1].strip("| ").split("|"))
        return MANY * float(wall) / 1000, MANY * float(cpu) / 1000
    return done.wall, done.cpu


if __name__ == "__main__":
    main()

"""Tries a sample of mutants of each room: `make mutants`.

    python -m tests.mutants [--sample N] [--seed S] [--jobs J] [--anew] [ROOM ...]

Each mutant is tried in a copy of the checkout with the fast tests that run the changed function, the quick ones first;
the first failing test kills it. Survivors are printed as diffs, and a table at the end. Exit status 1 if a room is
below `WANTED`. Mutants that change nothing are listed, with reasons, in `equivalent.yaml`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import Any

import yaml

from tests.mutants.made import Mutant
from tests.mutants.rooms import FAST, REPOSITORY, ROOMS, named
from tests.mutants.seen import Seen, recorded
from tests.mutants.trial import BROKEN, TIME

WANTED = 0.85
BUDGET = 60.0
"""Seconds of tests for one mutant."""
LIMIT, SLOWER = 60.0, 8
"""When tests count as never ending: after so many seconds, and so many times as long as they took before."""
NAMED = "named"
"""The room of those that some test must notice, all of them."""
EQUIVALENT = Path(__file__).with_name("equivalent.yaml")


@dataclass
class Place:
    """A copy of the checkout, and the process that tries mutants in it."""

    process: subprocess.Popen[str]

    def failing(self, mutant: Mutant | None, tests: Sequence[str], limit: float, number: int = 0) -> str:
        """Return the first test that fails with a mutant, or without one; "" if none does."""
        file, text = (mutant.file, mutant.after) if mutant else ("", None)
        # no two mutants of a file have the same time, which tells stale bytecode
        order = {"file": file, "text": text, "time": 2_000_000_000 + number, "tests": list(tests), "limit": limit}
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return str(json.loads(self.process.stdout.readline())["by"])


@dataclass
class Trials:
    """All trials of a run."""

    seen: Seen
    places: Queue[Place] = field(default_factory=Queue)
    sound: dict[str, bool] = field(default_factory=dict)
    """Tests that failed with some mutant: whether they pass without one."""
    number: int = 0

    def killer(self, mutant: Mutant) -> str:
        """Return which test notices a mutant; "" if none does."""
        tests = self.seen.by(mutant, BUDGET)
        place = self.places.get()
        self.number += 1
        number = self.number
        try:
            while tests := [test for test in tests if self.sound.get(test, True)]:
                limit = LIMIT + SLOWER * sum(self.seen.seconds[test] for test in tests)
                test = place.failing(mutant, tests, limit, number)
                if test == TIME and place.failing(None, tests, limit / 2) == TIME:  # a slow machine: nothing is known
                    test = place.failing(mutant, tests, 5 * limit, number)
                if test in ("", BROKEN, TIME) or self._is_sound(place, test):
                    return test
            return ""
        finally:
            self.places.put(place)

    def _is_sound(self, place: Place, test: str) -> bool:
        if test not in self.sound:
            self.sound[test] = not place.failing(None, [test], 5 * LIMIT)
        return self.sound[test]


def _copied(place: Path) -> Path:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True).stdout
    for name in names.decode().split("\0")[:-1]:
        if (REPOSITORY / name).exists():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, place / name, follow_symlinks=False)
    (place / ".venv").symlink_to(REPOSITORY / ".venv")
    return place


@contextmanager
def _places(jobs: int) -> Iterator[Queue[Place]]:
    caches = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")
    environment = {name: value for name, value in os.environ.items() if name not in caches}
    places: Queue[Place] = Queue()
    with tempfile.TemporaryDirectory(prefix="stockade-mutants-") as folder:
        processes = []
        for number in range(jobs):
            copy = _copied(Path(folder) / str(number))
            argv = [sys.executable, "-m", "tests.mutants.trial"]
            pipe = subprocess.PIPE
            process = subprocess.Popen(argv, cwd=copy, env=environment, stdin=pipe, stdout=pipe, text=True)
            processes.append(process)
            places.put(Place(process))
        try:
            yield places
        finally:
            for process in processes:
                process.communicate()


def equivalent() -> list[dict[str, Any]]:
    """The mutants that change nothing: `file`, `line` (the changed one) and `reason`."""
    return list(yaml.safe_load(EQUIVALENT.read_text("utf-8")) or [])


def main(arguments: Sequence[str] | None = None) -> int:
    """Try a sample of each room."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=", ".join((NAMED, *ROOMS)))
    parser.add_argument("--sample", type=int, default=40, help="mutants of each room")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--anew", action="store_true", help="record again what each test runs")
    options = parser.parse_args(arguments)
    if unknown := sorted({*options.rooms} - {*ROOMS, NAMED}):
        parser.error(f"no such room: {', '.join(unknown)}; there are {NAMED}, {', '.join(ROOMS)}")
    chosen = options.rooms or (NAMED, *ROOMS)
    os.nice(10)
    slow = {folder for name in chosen if name in ROOMS for folder in ROOMS[name].slow}
    seen = recorded((*FAST, *sorted(slow)), options.jobs, anew=options.anew)
    same = {(entry["file"], entry["line"]) for entry in equivalent()}
    table, low = [], []
    with _places(options.jobs) as places, ThreadPoolExecutor(options.jobs) as pool:
        trials = Trials(seen, places)
        for name in chosen:
            began = time.monotonic()
            all_there = named() if name == NAMED else ROOMS[name].mutants()
            there = [mutant for mutant in all_there if (mutant.file, mutant.line) not in same]
            sample = (
                there
                if name == NAMED
                else random.Random(f"{options.seed} {name}").sample(there, min(options.sample, len(there)))
            )
            killers = list(pool.map(trials.killer, sample))
            for mutant, killer in zip(sample, killers, strict=True):
                if not killer:
                    print(f"{mutant}\n# {len(seen.by(mutant, BUDGET))} tests\n", flush=True)
            dead, ended = sum(map(bool, killers)), killers.count(TIME)
            low += [name] if dead < (1 if name == NAMED else WANTED) * len(sample) else []
            share = dead / (len(sample) or 1)
            table.append(f"| {name} | {len(there)} | {len(sample)} | {dead} | {share:.0%} | {ended} |")
            print(f"{table[-1]} {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print(
        f"Seed {options.seed}\n\n| room | mutants | sample | killed | | by the time limit |\n|---|--:|--:|--:|--:|--:|"
    )
    print("\n".join(table))
    if unsound := sorted(test for test, sound in trials.sound.items() if not sound):
        print("not counted, as they fail without a mutant:", *unsound, sep="\n    ", file=sys.stderr)
    if low:
        print(f"below {WANTED:.0%}: {', '.join(low)}", file=sys.stderr)
    return int(bool(low))


if __name__ == "__main__":
    raise SystemExit(main())

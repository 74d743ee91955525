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
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import Any

import yaml

from tests.mutants.made import Mutant
from tests.mutants.rooms import FAST, REPOSITORY, ROOMS, named, tests_of
from tests.mutants.seen import Seen, recorded
from tests.mutants.trial import BROKEN

WANTED = 0.85
BUDGET = 25.0
"""Seconds of tests for one mutant."""
LIMIT, SLOWER = 30.0, 8
"""When a test counts as never ending: after so many seconds, and so many times as long as it took before."""
FEW = 40
"""So many tests are tried first: most mutants are killed by them, and to collect all takes seconds."""
NAMED = "named"
"""The room of those that some test must notice, all of them."""
EQUIVALENT = Path(__file__).with_name("equivalent.yaml")


@dataclass
class Place:
    """A copy of the checkout, and the process that tries mutants in it."""

    process: subprocess.Popen[str]

    def failing(
        self, mutant: Mutant | None, limits: Mapping[str, float], number: int = 0
    ) -> tuple[str, bool, Sequence[str]]:
        """Return the first test that fails with a mutant, or without one, whether it did not end in time, and the tests
        that passed before."""
        file, text = (mutant.file, mutant.after) if mutant else ("", None)
        # no two mutants of a file have the same time, which tells stale bytecode
        order = {"file": file, "text": text, "time": 2_000_000_000 + number, "limits": limits}
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        found = json.loads(self.process.stdout.readline())
        return str(found["by"]), bool(found["timed"]), found["passed"]


@dataclass
class Trials:
    """All trials of a run."""

    seen: Seen
    places: Queue[Place] = field(default_factory=Queue)
    sound: dict[str, bool] = field(default_factory=dict)
    """Tests that failed with some mutant: whether they pass without one."""
    number: int = 0

    def tests(self, mutant: Mutant) -> list[str]:
        """Return the tests to try."""
        return self.seen.by(mutant, BUDGET, tests_of(mutant))

    def killer(self, mutant: Mutant) -> tuple[str, bool]:
        """Return which test notices a mutant, "" if none does, and whether it did not end."""
        tests = self.tests(mutant)
        place = self.places.get()
        self.number += 1
        number = self.number
        try:
            for some in (tests[:FEW], tests[FEW:]):
                killer, timed = self._killer(place, mutant, number, some)
                if killer:
                    return killer, timed
            return "", False
        finally:
            self.places.put(place)

    def _killer(self, place: Place, mutant: Mutant, number: int, tests: list[str]) -> tuple[str, bool]:
        while tests := [test for test in tests if self.sound.get(test, True)]:
            test, timed, passed = place.failing(mutant, self._limits(tests), number)
            if test in ("", BROKEN):
                return test, timed
            # alone, it must fail with the mutant and pass without, or it depends on the tests before it
            if place.failing(mutant, self._limits([test]), number)[0] and self._is_sound(place, test, anew=timed):
                return test, timed
            tests = [one for one in tests if one not in (test, *passed)]
        return "", False

    def _limits(self, tests: Sequence[str]) -> Mapping[str, float]:
        return {test: LIMIT + SLOWER * self.seen.seconds[test] for test in tests}

    def _is_sound(self, place: Place, test: str, *, anew: bool) -> bool:
        """Return whether a test passes without a mutant, in the same time."""
        if anew or test not in self.sound:
            self.sound[test] = not place.failing(None, self._limits([test]))[0]
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
    """The mutants that change nothing: `file` (`*`: any), `line` (the changed one) and `reason`."""
    return list(yaml.safe_load(EQUIVALENT.read_text("utf-8")) or [])


def _sample(name: str, seed: int, size: int) -> tuple[list[Mutant], int]:
    """Return a sample of a room's mutants, and how many there are."""
    same = {(entry["file"], entry["line"]) for entry in equivalent()}
    there = named() if name == NAMED else ROOMS[name].mutants()
    there = [mutant for mutant in there if not {(mutant.file, mutant.line), ("*", mutant.line)} & same]
    size = len(there) if name == NAMED else min(size, len(there))
    return random.Random(f"{seed} {name}").sample(there, size), len(there)


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
    os.nice(10)
    samples = {name: _sample(name, options.seed, options.sample) for name in options.rooms or (NAMED, *ROOMS)}
    more = {folder.rstrip("/") for sample, _ in samples.values() for mutant in sample for folder in tests_of(mutant)}
    seen = recorded((*FAST, *sorted(more - {*FAST})), options.jobs, anew=options.anew)
    table, low = [], []
    with _places(options.jobs) as places, ThreadPoolExecutor(options.jobs) as pool:
        trials = Trials(seen, places)
        for name, (sample, there) in samples.items():
            began = time.monotonic()
            killers = list(pool.map(trials.killer, sample))
            for mutant, (killer, _) in zip(sample, killers, strict=True):
                if not killer:
                    print(f"{mutant}\n# {len(trials.tests(mutant))} tests\n", flush=True)
            dead, ended = (sum(map(bool, column)) for column in zip(*killers, strict=True))
            low += [name] if dead < (1 if name == NAMED else WANTED) * len(sample) else []
            table.append(f"| {name} | {there} | {len(sample)} | {dead} | {dead / len(sample):.0%} | {ended} |")
            print(f"{table[-1]} {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print(f"Seed {options.seed}\n\n| room | mutants | sample | killed | | by a time limit |")
    print("|---|--:|--:|--:|--:|--:|", *table, sep="\n")
    if unsound := sorted(test for test, sound in trials.sound.items() if not sound):
        print("not counted, as they fail without a mutant:", *unsound, sep="\n    ", file=sys.stderr)
    if low:
        print(f"below {WANTED:.0%}: {', '.join(low)}", file=sys.stderr)
    return int(bool(low))


if __name__ == "__main__":
    raise SystemExit(main())

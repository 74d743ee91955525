"""Which tests can notice a mutant: those that run its function. Recorded once, and again for test files that change."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.mutants.made import MODULE, Mutant
from tests.mutants.recorder import FOLDER, FOLDERS
from tests.mutants.rooms import GENERATED, OF_SCRIPTS, REPOSITORY, whole

COLLECTING = 0.005
"""Seconds to collect a test."""
QUICK = 1.0
"""Seconds of a quick test."""
KEPT = REPOSITORY / ".mutants" / "seen.json"


@dataclass
class TestFile:
    """What the tests of one file run, as numbers of scopes, and how long each test takes."""

    digest: str
    tests: dict[str, list[int]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass
class Seen:
    """All recordings."""

    scopes: list[str]
    files: dict[str, TestFile]

    def __post_init__(self) -> None:
        self._tests: dict[str, set[str]] = defaultdict(set)
        self._of_file: dict[str, set[str]] = defaultdict(set)
        self.seconds: dict[str, float] = {}
        for file in self.files.values():
            self.seconds.update(file.seconds)
            for test, numbers in file.tests.items():
                for number in numbers:
                    self._tests[self.scopes[number]].add(test)
                    self._of_file[self.scopes[number].partition(":")[0]].add(test)
        self._importers: dict[str, set[str]] = defaultdict(set)
        for folder in (*FOLDERS, "tests"):
            for path in (REPOSITORY / folder).rglob("*.py"):
                for module in _imported(path.read_text("utf-8")):
                    self._importers[module].add(str(path.relative_to(REPOSITORY)))

    def by(self, mutant: Mutant, budget: float, folders: Sequence[str] = ()) -> list[str]:
        """Return the tests that can notice a mutant, within `budget` seconds, first those in the folder of
        the same name. `folders` of tests may notice any."""
        running = self._tests[f"{mutant.file}:{mutant.scope}"]
        if mutant.file.endswith(".sh") or (mutant.scope != MODULE and running):
            ranked = [running]
        else:  # constants, fields, what runs at the import: who imports it, who runs what is beside it, and so on
            importers = self._importers[mutant.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")]
            tests = {test for file in importers if file in self.files for test in self.files[file].tests}
            others = {test for file in importers - {*self.files} for test in self._of_file[file]}
            ranked = [tests & self._of_file[mutant.file], tests, self._of_file[mutant.file], others]
        beside = {test.partition("::")[0] for test in ranked[0]}  # fixtures run for the first test of a file
        ranked.append({test for file in beside for test in self.files[file].tests})
        ranked.append({test for test in self.seconds if test.startswith(tuple(folders))})
        ranked.append({test for test in self.seconds if self._near(test, mutant.file)})  # what records itself nowhere
        if folders:  # a program that a module's tests share records itself for the first of them alone
            beginnings = tuple(folders)
            ranked.insert(0, {one for one, took in self.seconds.items() if one.startswith(beginnings) and took < QUICK})
        if mutant.file.endswith(".py") and mutant.scope == MODULE:
            ranked.insert(0, {test for test in self.seconds if test.startswith(GENERATED)})
        first = (*whole(mutant), *mutant.tests)
        of_text = f"[{mutant.file}]"
        chosen = dict.fromkeys(
            test
            for test in self.seconds
            if (first and test.startswith(first)) or (test.startswith(OF_SCRIPTS) and test.endswith(of_text))
        )
        for tests in ranked:
            near = {test for test in tests if self._near(test, mutant.file)}
            for test in (*self._spread(near), *self._spread(tests - near)):
                cost = self.seconds[test] + COLLECTING
                if test not in chosen and cost < budget:
                    budget -= cost
                    chosen[test] = None
        return list(chosen)

    @staticmethod
    def _near(test: str, file: str) -> bool:
        """Return whether a test's file is about a file, by its folder or its name."""
        folder, _, name = file.rpartition("/")
        words = (folder.rpartition("/")[2], name.partition(".")[0])
        place = test.partition("::")[0]
        return folder in place or any(word in place.rpartition("/")[2] for word in words)

    def _spread(self, tests: set[str]) -> Iterator[str]:
        """Yield the quick ones first. What the others of a parametrised test took counts for each."""
        spent: dict[str, float] = defaultdict(float)
        ranked = []
        for test in sorted(tests, key=lambda test: (self.seconds[test], test)):
            function = test.partition("[")[0]
            spent[function] += self.seconds[test] + COLLECTING
            ranked.append((spent[function], test))
        yield from (test for _, test in sorted(ranked))


_IMPORT = re.compile(r"^\s*(?:from (\S+) import (\([^)]*\)|.*)|import (\S+))", re.M)


def _imported(text: str) -> Iterator[str]:
    for module, names, other in _IMPORT.findall(text):
        if module:
            yield module
            yield from (f"{module}.{name}" for name in re.findall(r"\w+", names))
        else:
            yield other


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def recorded(folders: Sequence[str], jobs: int, *, anew: bool = False) -> Seen:
    """Return what the tests of some folders run, after recording those that are not recorded."""
    old = Seen([], {})
    if KEPT.exists() and not anew:
        kept = json.loads(KEPT.read_text())
        old = Seen(kept["scopes"], {name: TestFile(**values) for name, values in kept["files"].items()})
    there = {
        str(file.relative_to(REPOSITORY)): _digest(file) for file in sorted((REPOSITORY / "tests").rglob("test_*.py"))
    }
    moved = {n for n, scope in enumerate(old.scopes) if not (REPOSITORY / scope.partition(":")[0]).exists()}
    files = {
        name: file
        for name, file in old.files.items()
        if there.get(name) == file.digest
        and moved.isdisjoint(number for test in file.tests.values() for number in test)
    }
    names = [name for name in there if name.startswith(tuple(f"{folder}/" for folder in folders))]
    if missing := [name for name in names if name not in files]:
        print(f"recording what {len(missing)} files of tests run", file=sys.stderr, flush=True)
        files |= _record(missing, there, old.scopes, jobs)
        KEPT.parent.mkdir(exist_ok=True)
        values = {name: vars(file) for name, file in files.items()}
        KEPT.write_text(json.dumps({"scopes": old.scopes, "files": values}))
    return Seen(old.scopes, files)


def _record(names: Sequence[str], digests: dict[str, str], scopes: list[str], jobs: int) -> dict[str, TestFile]:
    with tempfile.TemporaryDirectory(prefix="stockade-seen-") as folder:
        subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "-p", "tests.mutants.recording", "-p", "no:cacheprovider"),
                *("-n", str(jobs), "--dist", "loadfile", *names),
            ],
            cwd=REPOSITORY,
            env={**os.environ, FOLDER: folder},
            stdout=sys.stderr,
            check=False,
        )
        return read_recording(Path(folder), {name: digests[name] for name in names}, scopes)


def read_recording(folder: Path, digests: Mapping[str, str], scopes: list[str]) -> dict[str, TestFile]:
    """Read what `recording` wrote about these files of tests. Adds to `scopes`."""
    number = {scope: index for index, scope in enumerate(scopes)}
    files = {name: TestFile(digest) for name, digest in digests.items()}
    found: dict[str, set[int]] = defaultdict(set)
    for part in folder.iterdir():
        for line in part.read_text("utf-8").split("\n")[:-1]:
            if part.name.startswith("time-"):
                test, seconds, outcome = line.split("\t")
                file = files[test.partition("::")[0]]
                if outcome == "skipped":
                    file.tests[test] = []
                else:  # one that fails while it is recorded may pass otherwise; that is checked before it counts
                    file.seconds[test] = round(file.seconds.get(test, 0) + float(seconds), 3)
            elif not part.name.startswith("sh-"):
                test, scope = line.split("\t")
                if scope not in number:
                    number[scope] = len(scopes)
                    scopes.append(scope)
                found[test].add(number[scope])
    for test, numbers in found.items():
        of = files.get(test.partition("::")[0])
        if of and test in of.seconds:
            of.tests.setdefault(test, sorted(numbers))
    return files

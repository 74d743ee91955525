"""Changes one line at a time and checks whether a fast test notices: `make mutants`.

    python -m tests.mutants [--sample N] [--seed S] [--jobs J] [ROOM ...]

A mutant is one change of one line: a reversed comparison, a negated condition, a removed statement, another number or
text; in sh a negated condition, a removed command, another number. A sample of each room, selected by the seed, is
tried in copies of the checkout; the first failing test kills a mutant. Survivors are printed as diffs. Exit status 1 if
a room is below `WANTED`.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

REPOSITORY = Path(__file__).parents[1]
WANTED = 0.85
LIMIT = 900
"""Seconds for the tests of one mutant; one that never ends counts as killed, too."""


@dataclass(frozen=True)
class Room:
    """A folder to mutate, and the tests that should notice, the most effective ones first."""

    folder: str
    suffix: str
    tests: tuple[str, ...]


ROOMS = {
    "rules": Room("rules", ".py", ("tests/unit/rules", "tests/unit/policies")),
    "components": Room("components", ".py", ("tests/unit/components", "tests/unit", "tests/ssh")),
    "components-sh": Room("components", ".sh", ("tests/unit/components", "tests/unit/test_scripts.py")),
    "hosts": Room("hosts", ".py", ("tests/unit/hosts", "tests/unit", "tests/ssh")),
    "hosts-sh": Room("hosts", ".sh", ("tests/unit/hosts", "tests/unit/components", "tests/ssh")),
    "policies": Room("policies", ".py", ("tests/unit/policies", "tests/policies")),
    "engine": Room("local/engine", ".py", ("tests/unit/engine", "tests/engine")),
}


@dataclass(frozen=True)
class Mutant:
    """One file with one changed line."""

    file: str
    before: str
    after: str

    def __str__(self) -> str:
        lines = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), self.file, self.file, "", "", 1)
        return "\n".join(line for line in lines if not line.startswith("---"))


_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip


def in_python(file: str, text: str) -> Iterator[Mutant]:
    """Yield the mutants of a Python file."""
    tree = ast.parse(text)
    lines = text.split("\n")
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}

    def changed(node: ast.expr | ast.stmt, new: str) -> Mutant:
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        head = lines[first].encode()[: node.col_offset].decode()
        tail = lines[last].encode()[node.end_col_offset :].decode()
        after = [*lines[:first], *(head + new + tail).split("\n"), *lines[last + 1 :]]
        return Mutant(file, text, "\n".join(after))

    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _OPPOSITE:
            other = ast.Compare(node.left, [_OPPOSITE[type(node.ops[0])]()], node.comparators)
            yield changed(node, f"({ast.unparse(other)})")
        elif isinstance(node, ast.If | ast.IfExp | ast.While) and "TYPE_CHECKING" not in ast.unparse(node.test):
            yield changed(node.test, f"(not ({ast.unparse(node.test)}))")
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await):
            yield changed(node, "pass")
        elif isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
            yield changed(node.value, "None")
        elif isinstance(node, ast.Constant) and id(node) not in documents:
            if isinstance(node.value, bool):
                yield changed(node, str(not node.value))
            elif isinstance(node.value, int):
                yield changed(node, str(node.value + 1))


_SH_LINES = (
    (re.compile(r"\bif (?!!)"), "if ! "),
    (re.compile(r"\bif ! "), "if "),
    (re.compile(r" = "), " != "),
    (re.compile(r" != "), " = "),
    (re.compile(r" && "), " || "),
    (re.compile(r" \|\| "), " && "),
    (re.compile(r" -n "), " -z "),
    (re.compile(r" -z "), " -n "),
    (re.compile(r"\b(exit|return) (\d+)"), r"\1 99"),
    (re.compile(r"\b(while|until) (?!!)"), r"\1 ! "),
)
_WHOLE = re.compile(r"^\s+(?!(?:if|then|else|elif|fi|for|do|done|while|until|case|esac|;;|in)\b)[a-z_]+ [^{}()]*$")


def in_sh(file: str, text: str) -> Iterator[Mutant]:
    """Yield the mutants of a shell script."""
    lines = text.split("\n")
    for index, line in enumerate(lines):
        if line.lstrip().startswith("#") or not line.strip():
            continue
        others = [pattern.sub(new, line, count=1) for pattern, new in _SH_LINES if pattern.search(line)]
        if _WHOLE.match(line) and not line.endswith(("\\", "|", "&&", "||")):
            others.append(re.sub(r"\S.*", ":", line))
        for other in others:
            yield Mutant(file, text, "\n".join([*lines[:index], other, *lines[index + 1 :]]))


def mutants(room: Room) -> list[Mutant]:
    """Return all mutants of a room."""
    make = in_python if room.suffix == ".py" else in_sh
    files = sorted((REPOSITORY / room.folder).rglob(f"*{room.suffix}"))
    found = [(str(file.relative_to(REPOSITORY)), file.read_text("utf-8")) for file in files]
    return [mutant for file, text in found for mutant in make(file, text) if mutant.after != mutant.before]


def copied(place: Path) -> Path:
    """Return a copy of the checkout in which files can be changed."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True).stdout
    for name in names.decode().split("\0")[:-1]:
        if (REPOSITORY / name).exists():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, place / name, follow_symlinks=False)
    (place / ".venv").symlink_to(REPOSITORY / ".venv")
    return place


def killed(mutant: Mutant | None, tests: Sequence[str], place: Path) -> bool:
    """Tell whether the tests notice a mutant; None: whether they fail without one."""
    if mutant:
        (place / mutant.file).write_text(mutant.after, "utf-8")
    argv = [str(place / ".venv/bin/python"), "-m", "pytest", "-qx", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        for test in tests:
            done = subprocess.run(
                [*argv, test], cwd=place, env=environment, capture_output=True, timeout=LIMIT, check=False
            )
            if done.returncode:
                return True
    except subprocess.TimeoutExpired:
        return True
    finally:
        if mutant:
            (place / mutant.file).write_text(mutant.before, "utf-8")
    return False


def tried(room: Room, sample: Sequence[Mutant], jobs: int) -> list[Mutant]:
    """Return the mutants that no test noticed."""
    with tempfile.TemporaryDirectory(prefix="stockade-mutants-") as folder:
        places: Queue[Path] = Queue()
        for number in range(jobs):
            places.put(copied(Path(folder) / str(number)))

        def one(mutant: Mutant) -> bool:
            place = places.get()
            try:
                return killed(mutant, room.tests, place)
            finally:
                places.put(place)

        place = places.get()
        if killed(None, room.tests, place):
            raise SystemExit(f"error: {room.folder}: the tests fail without any mutant")
        places.put(place)
        with ThreadPoolExecutor(jobs) as pool:
            results = list(pool.map(one, sample))
    return [mutant for mutant, dead in zip(sample, results, strict=True) if not dead]


def main(arguments: Sequence[str] | None = None) -> int:
    """Try a sample of each room."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=", ".join(ROOMS))
    parser.add_argument("--sample", type=int, default=40, help="mutants of each room")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    if unknown := sorted({*options.rooms} - {*ROOMS}):
        parser.error(f"no such room: {', '.join(unknown)}; there are {', '.join(ROOMS)}")
    low = []
    for name in options.rooms or ROOMS:
        there = mutants(ROOMS[name])
        sample = random.Random(f"{options.seed} {name}").sample(there, min(options.sample, len(there)))
        left = tried(ROOMS[name], sample, options.jobs)
        for mutant in left:
            print(f"{mutant}\n", flush=True)
        share = 1 - len(left) / len(sample)
        print(f"{name}: {len(sample) - len(left)} of {len(sample)} killed, {share:.0%}; {len(there)} there", flush=True)
        low += [name] if share < WANTED else []
    if low:
        print(f"below {WANTED:.0%}: {', '.join(low)}", file=sys.stderr)
    return int(bool(low))


if __name__ == "__main__":
    raise SystemExit(main())

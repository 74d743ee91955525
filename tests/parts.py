"""Run the parts of `make test` and end with one summary: what ran, what failed, what was skipped and why.

    python -m tests.parts TARGET...

A part is a target of the Makefile. One that fails does not stop the others. Tests are counted from pytest's JUnit
report; a part without one (lint, types, ...) passes or fails as a whole.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

REPOSITORY = Path(__file__).parents[1]
LONGEST = 160
"""Maximum length of a reason for a failed or skipped test in the summary."""


@dataclass(frozen=True)
class Case:
    """A test that failed or was skipped."""

    name: str
    reason: str


@dataclass(frozen=True)
class Part:
    """One target of the Makefile, and its result."""

    name: str
    status: int | None = None
    """Exit status of make; None: it was interrupted."""
    seconds: float = 0.0
    tests: int | None = None
    """Number of tests; None: it does not run pytest."""
    failed: tuple[Case, ...] = ()
    skipped: tuple[Case, ...] = ()

    @property
    def outcome(self) -> str:
        """One word for the table."""
        if self.status is None:
            return "not run" if not self.seconds else "stopped"
        return "FAILED" if self.status else "passed"

    @property
    def counts(self) -> tuple[int, int, int]:
        """The numbers of passed, failed and skipped tests."""
        failed, skipped = len(self.failed), len(self.skipped)
        return (self.tests or 0) - failed - skipped, failed, skipped


@dataclass
class Report:
    """The contents of one or more JUnit reports."""

    tests: int | None = None
    failed: list[Case] = field(default_factory=list)
    skipped: list[Case] = field(default_factory=list)

    def add(self, text: str) -> None:
        """Add a JUnit report."""
        # A test that passes but fails in its teardown has two entries.
        cases: dict[str, list[ElementTree.Element]] = {}
        for case in ElementTree.fromstring(text).iter("testcase"):
            cases.setdefault(_name(case), []).extend(case)
        self.tests = (self.tests or 0) + len(cases)
        for name, results in cases.items():
            by_tag = {result.tag: result.get("message") or (result.text or "") for result in reversed(results)}
            wrong = by_tag.get("failure", by_tag.get("error"))
            if wrong is not None:
                self.failed.append(Case(name, _first_line(wrong)))
            elif "skipped" in by_tag:
                self.skipped.append(Case(name, _first_line(by_tag["skipped"])))


def _name(case: ElementTree.Element) -> str:
    """Return a test's name for pytest's command line."""
    file, place = case.get("file", ""), case.get("classname", "")
    inner = place.removeprefix(file.removesuffix(".py").replace("/", ".")).strip(".").replace(".", "::")
    return "::".join(filter(None, (file or place, inner if file else "", case.get("name", ""))))


class Stop:
    """A signal handler that ends the running part; no other is started."""

    def __init__(self) -> None:
        self.asked = False
        self._running: subprocess.Popen[bytes] | None = None

    def __call__(self, *_: object) -> None:
        self.asked = True
        if self._running:
            self._running.terminate()

    @contextmanager
    def ending(self, process: "subprocess.Popen[bytes]") -> Iterator[None]:
        """End `process` if a signal has come, or when one comes during the block."""
        self._running = process
        if self.asked:
            process.terminate()
        yield
        self._running = None


def run(name: str, reports: Path, stop: Stop) -> Part:
    """Run one target, with its output in ours."""
    began = time.monotonic()
    file = reports / f"{name}.xml"
    # the older form of the report contains file names
    options = f"{os.environ.get('PYTEST_ADDOPTS', '')} --junitxml='{file}' -o junit_family=xunit1".strip()
    print(f"\n=== {name}", flush=True)
    make = subprocess.Popen(
        ["make", "--no-print-directory", name], cwd=REPOSITORY, env={**os.environ, "PYTEST_ADDOPTS": options}
    )
    with stop.ending(make):  # when terminated, pytest still writes its report
        status = make.wait()
    report = Report()
    if file.exists():
        report.add(file.read_text(encoding="utf-8"))
    return Part(
        name,
        None if stop.asked else status,
        time.monotonic() - began,
        report.tests,
        tuple(report.failed),
        tuple(report.skipped),
    )


def summary(parts: Iterable[Part]) -> Iterator[str]:
    """Return the lines of the summary, with the counts at the end."""
    parts = list(parts)
    yield f"{'part':16}{'outcome':10}{'time':>8}{'passed':>9}{'failed':>9}{'skipped':>9}"
    for part in parts:
        numbers = "".join(f"{count:9}" for count in part.counts) if part.tests is not None else ""
        yield f"{part.name:16}{part.outcome:10}{_duration(part.seconds):>8}{numbers}"
    skipped = Counter((part.name, case.name.split("::")[0], case.reason) for part in parts for case in part.skipped)
    if skipped:
        yield "\nSkipped:"
    for (_, file, reason), number in skipped.items():
        yield f"  {number} in {file}: {reason}"
    if any(part.outcome != "passed" for part in parts):
        yield "\nFailed:"
    for part in parts:
        for case in part.failed:
            yield f"  {case.name}: {case.reason}"
        if part.outcome != "passed" and not part.failed:
            yield f"  {part.name}: {_what_happened(part)}"
    outcomes = Counter("passed" if part.outcome == "passed" else "failed" for part in parts)
    passed, failed, left = (sum(numbers) for numbers in zip(*(part.counts for part in parts), strict=True))
    yield (
        f"\n{outcomes['passed']} of {outcomes.total()} parts passed; {passed} tests passed, {failed} failed, "
        f"{left} skipped; {_duration(sum(part.seconds for part in parts))}"
    )


def _what_happened(part: Part) -> str:
    if part.status is None:
        return "interrupted" if part.seconds else "not run"
    return f"`make {part.name}` exited with status {part.status}; its own output says why"


def _first_line(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def main(names: list[str]) -> int:
    """Run all parts; return whether any of them did not pass."""
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    parts: list[Part] = []
    with TemporaryDirectory() as folder:
        for name in names:
            parts.append(Part(name) if stop.asked else run(name, Path(folder), stop))
    print("\n=== summary", *summary(parts), sep="\n", flush=True)
    return int(any(part.outcome != "passed" for part in parts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

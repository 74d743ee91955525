"""A process that tries mutants in its copy of the checkout: `python -m tests.mutants.trial` there.

It reads JSON objects, `{"file", "text", "time", "limits"}`, and answers `{"by": TEST, "timed": BOOL, "passed": TESTS}`,
with "" for a survivor. Each trial is a fork of this process, in which pytest and the big libraries are already loaded.
"""

import json
import os
import select
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from typing import Any

import pytest

LIBRARIES = (
    *("asyncssh", "hypothesis", "pydantic", "yaml", "grpc", "google.protobuf.struct_pb2", "pulumi"),
    *("pulumi.dynamic", "pulumi_policy", "pulumi.automation", "xdist", "_pytest.assertion.rewrite"),
)
BROKEN = "(cannot be imported)"
COLLECTING = 90.0
"""Seconds until the first test starts."""


class Chosen:
    """A pytest plugin: only these tests. It writes the name of each as it starts, to a file descriptor."""

    def __init__(self, tests: Iterable[str], writing: int) -> None:
        self.tests, self.writing = {*tests}, writing
        self.failed = ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the chosen tests."""
        items[:] = [item for item in items if item.nodeid in self.tests]

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Say which test starts."""
        os.write(self.writing, f"{nodeid}\n".encode())

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failure."""
        if report.failed and not self.failed:
            self.failed = report.nodeid


def run(tests: Iterable[str], writing: int) -> str:
    """Return the first test that fails; "" if none does."""
    chosen = Chosen(tests, writing)
    files = [*dict.fromkeys(test.partition("::")[0] for test in tests)]
    place = f"--basetemp=/tmp/stockade-{os.getppid()}"
    status = pytest.main(["-qx", "-p", "no:cacheprovider", "--no-header", place, *files], plugins=[chosen])
    return chosen.failed or (BROKEN if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) else "")


def in_a_fork(limits: dict[str, float]) -> tuple[str, bool, list[str]]:
    """Run tests, each for so many seconds at most. Return the first that fails, whether it did not end, and the tests
    that passed before it."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.setsid()
        log = os.environ.get("STOCKADE_MUTANTS_LOG", os.devnull)
        output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        for stream in (1, 2):
            os.dup2(output, stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        result = BROKEN
        with suppress(BaseException):
            result = run(limits, writing)
        os.write(writing, f"={result}\n".encode())
        os._exit(0)
    os.close(writing)
    told, test, result, timed = b"", "", "", False
    started: list[str] = []
    while not result:
        if not select.select([reading], [], [], limits.get(test, COLLECTING))[0]:
            result, timed = f"={test or BROKEN}", True
        elif more := os.read(reading, 65536):
            told += more
            *lines, told = told.split(b"\n")
            for line in lines:
                test = line.decode()
                started.append(test)
            result = test if test.startswith("=") else ""
        else:  # it was ended
            result = f"={test or BROKEN}"
    os.close(reading)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return result[1:], timed, [test for test in started if test not in (result, result[1:])]


def answer(order: dict[str, Any]) -> tuple[str, bool, list[str]]:
    """Try one mutant; without a text, the code as it is."""
    file, text = order["file"], order["text"]
    if text is None:
        return in_a_fork(order["limits"])
    with open(file, encoding="utf-8", newline="") as opened:
        before, times = opened.read(), os.stat(file)
    try:
        with open(file, "w", encoding="utf-8", newline="") as opened:
            opened.write(text)
        os.utime(
            file, (order["time"], order["time"])
        )  # of no other mutant, so that none is taken for another's bytecode
        return in_a_fork(order["limits"])
    finally:
        with open(file, "w", encoding="utf-8", newline="") as opened:
            opened.write(before)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def main() -> None:
    """Answer until stdin ends."""
    sys.path.insert(0, os.getcwd())
    for name in LIBRARIES:
        with suppress(ImportError):
            import_module(name)
    for line in sys.stdin:
        by, timed, passed = answer(json.loads(line))
        print(json.dumps({"by": by, "timed": timed, "passed": passed}), flush=True)


if __name__ == "__main__":
    main()

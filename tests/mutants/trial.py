"""A process that tries mutants in its copy of the checkout: `python -m tests.mutants.trial` there.

It reads JSON objects, `{"file", "text", "time", "tests", "limit"}`, and answers `{"by": TEST}`, ""
for a survivor. Each trial is a fork of this process, in which pytest and the big libraries are already loaded.
"""

import json
import os
import select
import signal
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any

import pytest

LIBRARIES = (
    *("asyncssh", "hypothesis", "pydantic", "yaml", "grpc", "google.protobuf.struct_pb2", "pulumi"),
    *("pulumi.dynamic", "pulumi_command", "pulumi_policy", "pulumi.automation", "xdist", "_pytest.assertion.rewrite"),
)
TIME = "(time limit)"
BROKEN = "(cannot be imported)"


class Chosen:
    """A pytest plugin: only these tests, and which of them fails first."""

    def __init__(self, tests: list[str]) -> None:
        self.tests = {*tests}
        self.failed = ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the chosen tests."""
        items[:] = [item for item in items if item.nodeid in self.tests]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failure."""
        if report.failed and not self.failed:
            self.failed = report.nodeid


def run(tests: list[str]) -> str:
    """Return the first test that fails; "" if none does."""
    chosen = Chosen(tests)
    files = [*dict.fromkeys(test.partition("::")[0] for test in tests)]
    place = f"--basetemp=/tmp/stockade-{os.getppid()}"
    status = pytest.main(["-qx", "-p", "no:cacheprovider", "--no-header", place, *files], plugins=[chosen])
    return chosen.failed or (BROKEN if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) else "")


def in_a_fork(tests: list[str], limit: float) -> str:
    """Return what `run` returns, or `TIME`."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.setsid()
        output = os.open(
            os.environ.get("STOCKADE_MUTANTS_LOG", os.devnull), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600
        )
        for stream in (1, 2):
            os.dup2(output, stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        result = BROKEN
        with suppress(BaseException):
            result = run(tests)
        os.write(writing, f"{result}\n".encode())
        os._exit(0)
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], limit)
    result = os.read(reading, 65536).decode().strip() if ready else TIME
    os.close(reading)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return result


def answer(order: dict[str, Any]) -> str:
    """Try one mutant; without a text, the code as it is."""
    file, text = order["file"], order["text"]
    if text is None:
        return in_a_fork(order["tests"], order["limit"])
    with open(file, encoding="utf-8", newline="") as opened:
        before, times = opened.read(), os.stat(file)
    try:
        with open(file, "w", encoding="utf-8", newline="") as opened:
            opened.write(text)
        os.utime(
            file, (order["time"], order["time"])
        )  # of no other mutant, so that none is taken for another's bytecode
        return in_a_fork(order["tests"], order["limit"])
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
        print(json.dumps({"by": answer(json.loads(line))}), flush=True)


if __name__ == "__main__":
    main()

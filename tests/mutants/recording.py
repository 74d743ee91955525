"""The pytest plugin that records which functions each test runs, into the folder that `FOLDER` names."""

import os
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from hosts import scripts
from tests import shell_room
from tests.mutants.recorder import FOLDER, SH_FILE, Recorder, marked

RECENT = 10
"""How many stages may be in use at once."""

folder = os.environ[FOLDER]
recorder = Recorder(folder)
plain = scripts.source
stages: list[Path] = []
machine = Path(folder, f"sh-{os.getpid()}")
os.environ[SH_FILE] = str(machine)
os.environ["PYTHONPATH"] = str(Path(__file__).with_name("inside"))


def _source(path: str) -> str:
    text = plain(path)
    return marked(path, text) if path.endswith(".sh") else text


def _staged(root: Path, shell: str, make: Any = shell_room.staged) -> Any:
    stage = make(root, shell)
    stages.append(root / "stage/seen")
    stages[-1].touch()
    stages[-1].chmod(0o666)
    return stage


scripts.source = _source  # type: ignore[assignment]
shell_room.staged = _staged


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    recorder.start(item.nodeid)
    try:
        return (yield)
    finally:
        sys.settrace(None)
        threading.settrace(None)
        del stages[:-RECENT]
        for file in (machine, *stages):
            if file.exists():
                for scope in {*file.read_text("utf-8").split("\n")[:-1]}:
                    recorder.write(scope)
                file.write_bytes(b"")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return  # it hears of all tests again
    with Path(folder, f"time-{os.getpid()}").open("a") as times:
        times.write(f"{report.nodeid}\t{report.duration}\t{report.outcome}\n")

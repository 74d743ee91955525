"""Interrupted runs: Ctrl-C, kill -9, and two runs at the same time."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from .conftest import TIME_LIMIT, Sample


def _wait_for_start(sample: Sample) -> None:
    limit = time.monotonic() + TIME_LIMIT
    while not (sample.world / "started").exists():
        assert time.monotonic() < limit, "the slow operation never began"
        time.sleep(0.02)


def _wait_for_line(process: subprocess.Popen[str], word: str) -> None:
    line = ""
    while process.stdout and word not in line:
        line = process.stdout.readline()
        assert line, f"it ended without {word!r}"


def _wait_for_end_of_children(sample: Sample) -> None:
    """Program and provider run in the project's folder, and exit without their engine."""

    def here(process: Path) -> bool:
        try:
            return process.joinpath("cwd").readlink() == sample.folder
        except OSError:
            return False

    limit = time.monotonic() + TIME_LIMIT
    while any(here(process) for process in Path("/proc").glob("[0-9]*")):
        assert time.monotonic() < limit, "the program or the provider has outlived its engine"
        time.sleep(0.02)


def _up_and_killed(sample: Sample, running: list[subprocess.Popen[str]]) -> None:
    """Start an `up`, and kill it once its slow operation has begun."""
    process = sample.start("up", "--yes")
    running.append(process)
    _wait_for_start(sample)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=TIME_LIMIT)
    _wait_for_end_of_children(sample)


def test_interrupt_finishes_what_is_in_flight(sample: Sample, running: list[subprocess.Popen[str]]) -> None:
    sample.spec({"slow": {"props": {"slow": "create"}}, "next": {"options": {"depends_on": ["slow"]}}})
    process = sample.start("up", "--yes")
    running.append(process)
    _wait_for_start(sample)

    shown = sample.engine("up", "--yes", ok=False)
    assert "locked" in shown
    assert f"(pid {process.pid})" in shown

    process.send_signal(signal.SIGINT)
    _wait_for_line(process, "cancelled")
    (sample.world / "go").touch()
    process.communicate(timeout=TIME_LIMIT)
    assert process.returncode not in (0, None)
    assert sample.log() == ["create slow", "created slow"]
    assert set(sample.resources()) == {"slow"}
    assert "pending_operations" not in sample.deployment()

    sample.engine("up", "--yes")
    assert sample.log() == ["create next", "created next"]


def test_killed_run_is_told_of_and_continued(sample: Sample, running: list[subprocess.Popen[str]]) -> None:
    sample.spec({"quick": {}, "slow": {"props": {"slow": "create"}, "options": {"depends_on": ["quick"]}}})
    _up_and_killed(sample, running)
    pending = sample.deployment()["pending_operations"]
    assert [(item["type"], item["resource"]["urn"].rsplit("::", 1)[1]) for item in pending] == [("creating", "slow")]
    assert "quick" in sample.resources()

    (sample.world / "go").touch()
    sample.log()
    shown = sample.engine("up", "--yes")
    assert "interrupted while creating" in shown
    assert "create slow" in sample.log()
    assert set(sample.resources()) == {"quick", "slow"}
    assert "pending_operations" not in sample.deployment()


def test_the_second_interrupt_ends_it_at_once(sample: Sample, running: list[subprocess.Popen[str]]) -> None:
    sample.spec({"slow": {"props": {"slow": "create"}}})
    process = sample.start("up", "--yes")
    running.append(process)
    _wait_for_start(sample)
    process.send_signal(signal.SIGINT)
    _wait_for_line(process, "cancelled")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=TIME_LIMIT)  # nothing lets the operation end
    assert process.returncode == 130
    assert [item["type"] for item in sample.deployment()["pending_operations"]] == ["creating"]
    assert sample.log() == ["create slow"]
    with sample.lock():
        pass  # the dead run's lock blocks nobody


def test_a_program_that_does_not_end_is_ended(sample: Sample, running: list[subprocess.Popen[str]]) -> None:
    sample.spec({"one": {}}, sleep=TIME_LIMIT)
    process = sample.start("up", "--yes")
    running.append(process)
    _wait_for_line(process, "sleeping")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=TIME_LIMIT / 2)
    assert process.returncode == 1


def test_what_a_killed_run_was_updating_is_looked_at_though_the_config_was_put_back(
    sample: Sample, running: list[subprocess.Popen[str]]
) -> None:
    """The operation finished, but the state does not have its result."""
    sample.spec({"one": {"props": {"text": "old"}}})
    sample.engine("up", "--yes")
    sample.spec({"one": {"props": {"text": "new", "slow": "update"}}})
    _up_and_killed(sample, running)
    there = sample.world / "one-0.json"
    there.write_text('{"text": "new"}')
    (sample.world / "go").touch()

    sample.spec({"one": {"props": {"text": "old"}}})
    assert "text" in sample.engine("preview", "--diff")
    assert "interrupted while updating" in sample.engine("up", "--yes")
    assert there.read_text() == '{"text": "old"}'
    assert "pending_operations" not in sample.deployment()
    sample.engine("preview", "--expect-no-changes")


@pytest.mark.parametrize("command", ["up", "destroy"])
def test_what_a_killed_run_was_making_is_undone_where_it_is_no_longer_declared(
    sample: Sample, running: list[subprocess.Popen[str]], command: str
) -> None:
    """The resource may exist although it is in no state. A refresh in between neither reports nor forgets it."""
    sample.spec({"quick": {}, "slow": {"props": {"slow": "create"}, "options": {"depends_on": ["quick"]}}})
    _up_and_killed(sample, running)
    (sample.world / "go").touch()
    sample.log()
    sample.spec({"quick": {}})
    sample.engine("refresh", "--yes")
    sample.engine(command, "--yes")
    assert "delete slow" in sample.log()
    assert "pending_operations" not in sample.deployment()
    sample.engine(command, "--yes")
    assert sample.log() == []


def test_what_a_killed_run_was_making_can_be_removed_from_the_state(
    sample: Sample, running: list[subprocess.Popen[str]]
) -> None:
    """Where it was being made is gone for good, so that it can never be undone."""
    sample.spec({"group": {"type": "group"}, "slow": {"props": {"slow": "create"}, "options": {"parent": "group"}}})
    _up_and_killed(sample, running)
    (sample.world / "go").touch()
    sample.log()
    (pending,) = sample.deployment()["pending_operations"]
    group, slow = sample.resources()["group"]["urn"], pending["resource"]["urn"]
    assert f"({slow})" in sample.engine("state", "delete", group, "--yes", ok=False)
    assert "2 resources deleted" in sample.engine("state", "delete", group, "--target-dependents", "--yes")
    assert "pending_operations" not in sample.deployment()
    sample.spec({})
    sample.engine("up", "--yes")
    assert sample.log() == []

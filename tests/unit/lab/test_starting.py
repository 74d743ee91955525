"""Hosts that start: what their supervisors are told, and what is made of their answers; progress as it happens."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.lab import lifecycle
from local.lab.progress import Progress
from local.lab.store import Places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    made = Places(checkout=tmp_path / "checkout", cache=tmp_path / "cache", run=tmp_path / "run")
    for name in ("web1", "web2", "web3", "web4"):
        made.host_run(name).mkdir(parents=True)
    return made


def test_every_supervisor_is_waited_for_and_each_failure_named(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "START_LIMIT", 0.3)
    (places.host_run("web3") / "supervisor.log").write_text("no more memory\n")
    pipes = {name: os.pipe() for name in ("web1", "web2", "web3", "web4")}
    for name, text in (("web1", '{"error": ""}\n'), ("web2", '{"error": "no bridge"}\n'), ("web3", "")):
        os.write(pipes[name][1], text.encode())
        os.close(pipes[name][1])
    started = {name: os.fdopen(readable) for name, (readable, _) in pipes.items()}
    failed = lifecycle._await_supervisors(places, started)
    assert sorted(failed) == [
        "web2 could not be started: no bridge",
        f"web3 could not be started: its supervisor ended ({places.host_run('web3')}/supervisor.log): no more memory",
        "web4 did not boot within 0 s",
    ]
    assert all(pipe.closed for pipe in started.values())
    os.close(pipes["web4"][1])


def test_a_supervisor_runs_apart_and_reports_on_its_pipe(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[tuple[list[str], dict[str, Any]]] = []

    def popen(argv: list[str], **settings: Any) -> None:
        begun.append((argv, settings))
        os.write(int(argv[-2]), b"booted\n")

    monkeypatch.setattr(subprocess, "Popen", popen)
    with open(os.devnull, "rb") as lock, lifecycle._start_supervisor(places, "web1", lock.fileno()) as pipe:
        assert pipe.read() == "booted\n", "the other end is closed here"
        ((argv, settings),) = begun
        assert argv[argv.index(sys.executable) :][:3] == [sys.executable, "-m", "local.lab.supervisor"]
        assert argv[-3:] == [str(places.host_run("web1")), argv[-2], str(lock.fileno())]
        assert settings["pass_fds"] == [int(argv[-2]), lock.fileno()]
        assert settings["start_new_session"]
        assert settings["stdin"] == subprocess.DEVNULL
        assert settings["stdout"] is settings["stderr"]


class Terminal(io.StringIO):
    """A stream that shows only what was flushed."""

    shown = ""

    def flush(self) -> None:
        self.shown = self.getvalue()


def test_a_step_shows_when_it_begins_and_how_it_ends() -> None:
    out = Terminal()
    progress = Progress(out)
    progress.say("hello")
    with progress.step("booting"):
        assert out.shown == "hello\nbooting ... "
    assert out.shown.endswith("booting ... 0.0 s\n")
    with pytest.raises(KeyError), progress.step("taking down"):
        raise KeyError
    assert out.shown.endswith("taking down ... failed\n")
    quiet = Terminal()
    with Progress(quiet, quiet=True).step("booting"):
        pass
    assert quiet.getvalue() == ""

"""Sample projects in temporary folders, and the two engines that run them."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from local.engine.cli import main
from local.engine.state.backend import Backend

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).with_name("programs")
STACK = "test"
TIME_LIMIT = 60.0
# the salt of the passphrase "test", and the word "hunter2" encrypted with it
SETTINGS = json.loads((PROGRAMS / "settings.json").read_text())


@dataclass
class Sample:
    """A copy of a sample project."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def configure_password(self) -> None:
        """Give the stack a secret."""
        with (self.folder / f"Pulumi.{STACK}.yaml").open("a") as file:
            file.write(f"config:\n  items:password:\n    secure: {SETTINGS['hunter2']}\n")

    def spec(self, items: dict[str, Any], **more: Any) -> None:
        """Set what the program declares."""
        (self.folder / "spec.json").write_text(json.dumps({"items": items, **more}))

    def engine(self, *arguments: str, ok: bool = True) -> str:
        """Run the embedded engine; returns its output, including stderr."""
        return self._checked(self.command(*arguments), ok)

    def state(self, *arguments: str) -> str:
        """Run a command of the embedded engine that starts no process, in this process; returns its output."""
        printed = io.StringIO()
        with mock.patch.dict(os.environ, self.environment, clear=True), contextlib.redirect_stdout(printed):
            status = main([*arguments, "--stack", STACK, "--cwd", str(self.folder)])
        assert status == 0, printed.getvalue()
        return printed.getvalue()

    def command(self, *arguments: str) -> list[str]:
        """The command line of the embedded engine."""
        return [sys.executable, "-m", "local.engine", *arguments, "--stack", STACK, "--cwd", str(self.folder)]

    def cli(self, *arguments: str, ok: bool = True) -> str:
        """Run the Pulumi CLI."""
        return self._checked(["pulumi", *arguments, "--stack", STACK, "--cwd", str(self.folder)], ok)

    def _checked(self, command: list[str], ok: bool) -> str:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIME_LIMIT,
            check=False,
        )
        assert (done.returncode == 0) is ok, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the embedded engine in the background."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def world(self) -> Path:
        """The folder of the items."""
        return self.folder / "world"

    def log(self) -> list[str]:
        """The provider's calls and actions since the last call of this."""
        file = self.world / "log"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines

    @property
    def state_file(self) -> Path:
        """The state file."""
        return self.folder / ".state/.pulumi/stacks/items" / f"{STACK}.json"

    def lock(self) -> contextlib.AbstractContextManager[None]:
        """The stack's lock."""
        return Backend(self.folder / ".state", "items", STACK).locked()

    def deployment(self) -> dict[str, Any]:
        """The latest deployment in the state."""
        latest: dict[str, Any] = json.loads(self.state_file.read_text())["checkpoint"]["latest"]
        return latest

    def resources(self) -> dict[str, dict[str, Any]]:
        """The resources in the state by name, without the stack and default providers."""
        found = self.deployment().get("resources", [])
        hidden = ("pulumi:pulumi:Stack", "pulumi:providers:pulumi-python")
        return {item["urn"].rsplit("::", 1)[1]: item for item in found if item["type"] not in hidden}


def environment_in(folder: Path) -> dict[str, str]:
    """The environment of both engines for a project, without any Pulumi settings of this machine."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
    return environment | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_TEST_PYTHON": sys.executable,
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_HOME": str(folder / ".pulumi-home"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "NO_COLOR": "1",
    }


def make_sample(folder: Path) -> Sample:
    """A fresh copy of the sample project, with its stack created."""
    shutil.copytree(PROGRAMS / "items", folder)
    (folder / "world").mkdir(exist_ok=True)
    (folder / ".state").mkdir(exist_ok=True)
    (folder / f"Pulumi.{STACK}.yaml").write_text(f"encryptionsalt: {SETTINGS['salt']}\n")
    made = Sample(folder, environment_in(folder))
    made.state_file.parent.mkdir(parents=True)
    (made.state_file.parents[2] / "meta.yaml").write_text("version: 1\n")
    empty = {"version": 3, "checkpoint": {"stack": f"organization/items/{STACK}", "latest": None}}
    made.state_file.write_text(json.dumps(empty))
    return made


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    """A project for one test."""
    return make_sample(tmp_path / "items")


@pytest.fixture
def running(sample: Sample) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that a test starts; they are ended after it."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    (sample.world / "go").touch()
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait(TIME_LIMIT)

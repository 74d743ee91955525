"""An environment of two shards whose program declares items, and ways to run it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.engine.conftest import PROGRAMS, ROOT, SETTINGS, environment_in

LIMIT = 300.0
ENGINES = [
    "embedded",
    pytest.param("pulumi", marks=pytest.mark.skipif(shutil.which("pulumi") is None, reason="pulumi is not on PATH")),
]


@dataclass(frozen=True)
class Done:
    """The result of a command."""

    status: int
    out: str
    err: str


@dataclass
class Fleet:
    """A copy of the sample project whose environment `production` has two shards."""

    folder: Path
    environment: dict[str, str]

    def spec(self, **items: Any) -> None:
        """Set what the program declares; `stacks` of an item: only in these stacks."""
        (self.folder / "spec.json").write_text(json.dumps({"items": items}))

    def add_policies(self, refused: str = "") -> None:
        """Add a policy pack to the project, so that an `up` is previewed first; it refuses items with one name."""
        pack = self.folder / "policies"
        pack.mkdir()
        self.environment.pop("STOCKADE_POLICIES")
        (pack / "PulumiPolicy.yaml").write_text("runtime: python\n")
        (pack / "__main__.py").write_text(
            "from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy\n"
            f"judge = lambda args, report: report('not this one') if args.name == {refused!r} else None\n"
            'policy = ResourceValidationPolicy("names", "Names.", judge, EnforcementLevel.MANDATORY)\n'
            'PolicyPack("items", [policy])\n'
        )

    def declare_hosts(self, *hosts: str, shards: int = 2, **pinned: int) -> None:
        """Declare hosts: the first in the first shard, and so on, unless they are pinned."""
        file = self.folder / "Pulumi.production.yaml"
        settings = json.loads(file.read_text())
        entries = {host: {"shard": pinned.get(host, number)} for number, host in enumerate(hosts, 1)}
        settings["config"] |= {"items:shard": {"of": shards}, "items:hosts": entries}
        file.write_text(json.dumps(settings))

    def argv(self, command: str, *options: str) -> list[str]:
        """The command line of the fleet."""
        yes = [] if command in ("preview", "drift") else ["--yes"]
        return [sys.executable, "-m", "fleet", command, "production", "-C", str(self.folder), *yes, *options]

    def run(self, command: str, *options: str) -> Done:
        """Run one command of the fleet."""
        done = subprocess.run(
            self.argv(command, *options),
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, command: str, *options: str) -> subprocess.Popen[str]:
        """Start a command of the fleet."""
        return subprocess.Popen(
            self.argv(command, *options),
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def resources(self, stack: str) -> list[str]:
        """The names of the items in a stack's state."""
        file = self.folder / ".state/.pulumi/stacks/items" / f"{stack}.json"
        latest = json.loads(file.read_text())["checkpoint"]["latest"] or {}
        found = latest.get("resources") or []
        return sorted(item["urn"].rpartition("::")[2] for item in found if item["type"].endswith("items:Item"))

    @property
    def world(self) -> Path:
        """The folder of the items."""
        return self.folder / "world"


@pytest.fixture(params=ENGINES)
def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> Fleet:
    """A fleet for one test, with each engine."""
    return make(tmp_path / "items", request.param)


def make(folder: Path, engine: str) -> Fleet:
    """A fresh copy of the sample project."""
    shutil.copytree(PROGRAMS / "items", folder)
    for name in ("world", ".state"):
        (folder / name).mkdir()
    config = {"items:shard": {"of": 2}, "items:password": {"secure": SETTINGS["hunter2"]}}
    (folder / "Pulumi.production.yaml").write_text(
        json.dumps({"encryptionsalt": SETTINGS["salt"], "config": config})  # JSON is YAML
    )
    return Fleet(folder, {**environment_in(folder), "STOCKADE_ENGINE": engine, "STOCKADE_POLICIES": "off"})


@pytest.fixture
def running(fleet: Fleet) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that a test starts; they are ended after it."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    (fleet.world / "go").touch()
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=LIMIT)

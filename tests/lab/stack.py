"""A stack in its own folder, run as users run it: with the real CLI if it is on PATH, otherwise with our engine."""

import copy
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import yaml

from local.engine.state.secrets import Crypter
from tests.lab.shells import REPOSITORY, SHELL, in_shell, is_managed, with_plugin

SHARED = ("components", "hosts", "rules", "provider", "local", "fleet", "__main__.py", "Pulumi.yaml", ".venv")
LIMIT = 300
"""Seconds for one command."""


PASSPHRASE = "test"


class Secret(str):
    """A value that is encrypted in the stack config."""


@dataclass(frozen=True)
class Result:
    """Output and exit status of a command."""

    status: int
    output: str

    def __contains__(self, text: str) -> bool:
        return text in self.output


@dataclass
class Running:
    """A running command."""

    process: subprocess.Popen[bytes]
    log: IO[bytes]

    def end(self, limit: float = 240) -> tuple[int, str]:
        """Wait for it; returns exit status and output."""
        status = self.process.wait(limit)
        self.log.seek(0)
        return status, self.log.read().decode()

    def awaits(self, text: str, limit: float = 60) -> None:
        """Wait until its output contains this."""
        end = time.monotonic() + limit
        while text not in Path(self.log.name).read_text():
            assert time.monotonic() < end, f"it never said {text!r}"
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL it and everything that it started, as the out-of-memory killer or a closed laptop may do."""
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in _tree(self.process.pid):
                with suppress(ProcessLookupError):  # it has just ended
                    os.kill(pid, number)
        self.process.wait(30)


@dataclass
class Stack:
    """A minimal checkout: the repository's code, with its own stack config and state."""

    folder: Path
    name: str = "test"
    environment: dict[str, str] = field(default_factory=dict)
    program: str | None = None
    """The program's text, if it is not the repository's own."""
    shell: str = SHELL
    """Which resources the program declares (shells.py)."""

    def __post_init__(self) -> None:
        (self.folder / "stacks").mkdir(parents=True)
        (self.folder / ".state").mkdir()
        for entry in SHARED:
            (self.folder / entry).symlink_to(REPOSITORY / entry)
        if self.shell == "packaged":
            with_plugin(self.folder, REPOSITORY / ".venv")
        text = in_shell(self.shell, self.program)
        if text is not None:
            (self.folder / "__main__.py").unlink()
            (self.folder / "__main__.py").write_text(text)

    def configure(self, **settings: Any) -> None:
        """Write the stack config: `hosts`, `defaults`, `firewall`."""
        config = {f"stockade:{key}": self._sealed(value) for key, value in settings.items()}
        path = self.folder / "stacks" / f"Pulumi.{self.name}.yaml"
        content = {"encryptionsalt": self.crypter.salt, "config": config}
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    @cached_property
    def crypter(self) -> Crypter:
        """The crypter of this stack's secrets."""
        return Crypter.new(PASSPHRASE)

    def _sealed(self, value: Any) -> Any:
        if isinstance(value, Secret):
            return {"secure": self.crypter.encrypt(str(value))}
        if isinstance(value, dict):
            return {key: self._sealed(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._sealed(item) for item in value]
        return value

    def run(self, *args: str, check: bool = True) -> Result:
        """Run one engine command on this stack; with `check`, it must succeed."""
        result = self.ended(self.argv(*args))
        if check:
            assert result.status == 0, result.output
        return result

    def verb(self, *words: str, check: bool = True) -> Result:
        """Run a command of several words, such as `state delete URN`, with either engine."""
        return self.checked([sys.executable, "-m", "local", *words, "--stack", self.name], check=check)

    def pulumi(self, *words: str, check: bool = True) -> Result:
        """Run the Pulumi CLI on this stack directly."""
        return self.checked(["pulumi", "--non-interactive", *words, "--stack", self.name], check=check)

    def checked(self, argv: list[str], *, check: bool = True) -> Result:
        """Run a command to its end; with `check`, it must succeed."""
        result = self.ended(argv)
        if check:
            assert result.status == 0, f"{' '.join(argv)}:\n{result.output}"
        return result

    def beside(self, name: str) -> "Stack":
        """Another stack of the same project."""
        other = copy.copy(self)
        other.name = name
        return other

    def urn(self, name: str, kind: str = "") -> str:
        """The URN of the resource in the state with this name, whose type ends with `kind`."""
        found = {item["urn"] for item in self.state() if item["urn"].endswith(f"::{name}")}
        (urn,) = (item for item in found if item.split("::")[2].endswith(kind))
        return str(urn)

    def ended(self, argv: list[str]) -> Result:
        """Run a command to its end in this folder, as a user would."""
        done = subprocess.run(
            argv,
            cwd=self.folder,
            env=self.full_environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        return Result(done.returncode, done.stdout)

    @contextmanager
    def running(self, command: str = "up", *args: str) -> Iterator["Running"]:
        """Start a command; it is killed at the end of the block if it still runs."""
        with (self.folder / "output.log").open("w+b") as log:
            process = subprocess.Popen(
                self.argv(command, "--yes", *args),
                cwd=self.folder,
                env=self.full_environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            run = Running(process, log)
            try:
                yield run
            finally:
                if process.poll() is None:
                    run.kill()

    def argv(self, command: str, *args: str) -> list[str]:
        """Return the command line of an engine command."""
        return [sys.executable, "-m", "local", command, "--stack", self.name, *args]

    @property
    def full_environment(self) -> dict[str, str]:
        """The environment of its commands."""
        return {**os.environ, "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE, "NO_COLOR": "1", **self.environment}

    def fleet(self, command: str, *args: str) -> Result:
        """Run one command on all shards of the environment with this stack's config."""
        return self.ended([sys.executable, "-m", "fleet", command, self.name, "--yes", *args])

    def up(self, check: bool = True) -> Result:
        """Apply."""
        return self.run("up", "--yes", check=check)

    def preview(self, *args: str, check: bool = True) -> Result:
        """Show what an `up` would change, with the diff."""
        return self.run("preview", "--diff", *args, check=check)

    def unchanged(self) -> Result:
        """Preview, and fail if anything would change."""
        return self.preview("--expect-no-changes")

    def refresh(self, check: bool = True) -> Result:
        """Read the hosts."""
        return self.run("refresh", "--yes", check=check)

    def destroy(self, check: bool = True) -> Result:
        """Restore the prior state."""
        return self.run("destroy", "--yes", check=check)

    def state(self) -> list[dict[str, Any]]:
        """Return the resources in the state."""
        exported = self.run("export").output
        deployment = json.loads(exported[exported.index("{") :])["deployment"]
        resources: list[dict[str, Any]] = deployment.get("resources") or []
        return resources

    def managed(self) -> list[dict[str, Any]]:
        """Return those of our resources in the state that a provider manages, of either shell."""
        return [item for item in self.state() if is_managed(item)]


def _tree(pid: int) -> list[int]:
    children: list[str] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += (task / "children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [pid, *(below for child in children for below in _tree(int(child)))]

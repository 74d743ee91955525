"""Stockade itself, with the embedded engine and with the Pulumi CLI."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from bench.job import ABSENT, USER, Job
from bench.tools.base import Phase, Target, Tool
from tests.lab.conftest import entry
from tests.lab.stack import PASSPHRASE, Stack

_COMMANDS = {
    Phase.FIRST: ("up", "--yes", "--skip-preview"),
    Phase.NOTHING: ("up", "--yes", "--skip-preview"),
    Phase.DRIFT: ("refresh", "--yes", "--skip-preview", "--expect-no-changes"),
    Phase.RULE: ("up", "--yes", "--skip-preview"),
}


class Embedded(Tool):
    """`stockade` with the embedded engine."""

    name = "stockade"
    engine = "embedded"

    @classmethod
    def missing(cls) -> str:
        return ""

    @classmethod
    def version(cls) -> str:
        done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
        return f"Stockade {done.stdout.strip() or 'unknown'}, embedded engine"

    def write(self, job: Job, phase: Phase) -> None:
        if phase is Phase.FIRST:
            self.stack = Stack(self.folder / "project", name="bench")
        self._configure(job, hosts=self._entries(self.hosts))

    def _entries(self, hosts: Sequence[Target]) -> dict[str, Any]:
        login = {"user": USER, "privateKeyFile": str(self.key_file)}
        return {host.name: _entry(host, login) for host in hosts}

    def _configure(self, job: Job, **hosts: Any) -> None:
        self.stack.configure(
            **hosts,
            packages={"absent": list(ABSENT)},
            users=[{"name": USER, "sudo": "nopasswd", "keyFiles": [f"{self.key_file}.pub"]}],
            firewall={"preset": "web", "services": [{"ports": [port]} for port in job.ports]},
            sshd={},
            fail2ban={},
            updates={},
        )

    def argv(self, phase: Phase) -> list[str] | None:
        return self._command(phase, "bench", 64)

    def _command(self, phase: Phase, stack: str, parallel: int) -> list[str]:
        command, *options = _COMMANDS[phase]
        where = ["--cwd", str(self.stack.folder), "--stack", stack]
        return [sys.executable, "-m", "local", command, *where, "--parallel", str(parallel), *options]

    @property
    def environment(self) -> dict[str, str]:
        return {
            **super().environment,
            "STOCKADE_ENGINE": self.engine,
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PYTHONPATH": str(self.stack.folder),
        }


def _entry(host: Target, admin: dict[str, str]) -> dict[str, Any]:
    more = {"addresses": [host.ipv6]} if host.ipv6 else {}
    told = entry(host, port=host.port, admin=admin, **more)
    del told["hostKey"]  # simulated hosts share one
    return {**told, "knownHostsFile": str(host.known_hosts)}


class Cli(Embedded):
    """The same with the real CLI."""

    name = "stockade-cli"
    engine = "pulumi"

    @classmethod
    def missing(cls) -> str:
        return "" if shutil.which("pulumi") else "`pulumi` is not on PATH"

    @classmethod
    def version(cls) -> str:
        done = subprocess.run(["pulumi", "version"], capture_output=True, text=True, check=True)
        return f"Stockade with Pulumi {done.stdout.strip()}"

"""Stockade itself, with the embedded engine and with the Pulumi CLI."""

import shutil
import subprocess
import sys

from bench.job import ABSENT, USER, Job
from bench.tools.base import Phase, Tool
from tests.lab.conftest import entry
from tests.lab.stack import PASSPHRASE, Stack

_COMMANDS = {
    Phase.FIRST: ("up", "--yes", "--skip-preview"),
    Phase.NOTHING: ("up", "--yes", "--skip-preview"),
    Phase.DRIFT: ("refresh", "--yes", "--skip-preview", "--expect-no-changes"),
    Phase.RULE: ("up", "--yes", "--skip-preview"),
}


class Embedded(Tool):
    """`python -m local` with the embedded engine."""

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
        key = {"privateKeyFile": str(self.key_file)}
        hosts = {host.name: entry(host, admin={"user": USER, **key}, addresses=[host.ipv6]) for host in self.hosts}
        self.stack.configure(
            hosts=hosts,
            packages={"absent": list(ABSENT)},
            users=[{"name": USER, "sudo": "nopasswd", "keyFiles": [f"{self.key_file}.pub"]}],
            firewall={"preset": "web", "services": [{"ports": [port]} for port in job.ports]},
            sshd={},
            fail2ban={},
            updates={},
        )

    def argv(self, phase: Phase) -> list[str] | None:
        command, *options = _COMMANDS[phase]
        where = ["--cwd", str(self.stack.folder), "--stack", "bench"]
        return [sys.executable, "-m", "local", command, *where, "--parallel", "64", *options]

    @property
    def environment(self) -> dict[str, str]:
        return {
            **super().environment,
            "STOCKADE_ENGINE": self.engine,
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PYTHONPATH": str(self.stack.folder),
        }


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

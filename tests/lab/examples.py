"""Programs in any language that use the package: the examples in a minimal checkout, run with the Pulumi CLI."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from local.lab.api import LabHost

REPOSITORY = Path(__file__).parents[2]
PASSWORD = "correct horse"
CODE = ("components", "hosts", "rules", "provider", "pyproject.toml")
LIMIT = 240
"""Seconds for one command of the CLI."""
TOOLS = {
    "yaml": ("pulumi-language-yaml",),
    "python": ("pulumi-language-python",),
    "typescript": ("pulumi-language-nodejs", "npm"),
    "linode": ("pulumi-language-nodejs", "npm"),
    "go": ("pulumi-language-go", "go"),
}
"""What an example needs, beside the CLI."""
TEMPLATES = ("yaml", "python", "typescript")
"""The templates."""
LANGUAGES = {"python": "python", "typescript": "nodejs", "linode": "nodejs", "go": "go"}

_NOT_CACHED = ("ENOTCACHED", "network was disabled", "disabled by GOPROXY")
"""What package managers say of a package that they would have to fetch."""
_GO_MODULE = """module example.com/pulumi-stockade/sdk/go

go 1.25

require github.com/pulumi/pulumi/sdk/v3 v3.256.0
"""


def needs(example: str) -> pytest.MarkDecorator:
    """Skip a test where the machine lacks what an example needs."""
    missing = next((tool for tool in ("pulumi", *TOOLS[example]) if shutil.which(tool) is None), None)
    return pytest.mark.skipif(missing is not None, reason=f"{missing} is not on PATH")


@dataclass(frozen=True)
class Checkout:
    """A checkout whose plugin has what `pulumi install` installs, with the examples in it and a state of its own."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> "Checkout":
        """Make one."""
        plugin = folder / "plugin"
        shutil.copytree(REPOSITORY / "plugin", plugin, ignore=shutil.ignore_patterns("venv", "__pycache__"))
        (plugin / "venv").symlink_to(REPOSITORY / ".venv")
        for name in CODE:
            (folder / name).symlink_to(REPOSITORY / name)
        (folder / "state").mkdir()
        return cls(folder)

    def program(self, name: str) -> "Program":
        """Return an example, with its SDK. The test is skipped if its other packages cannot be installed."""
        own = Program(self, self.folder / "examples" / name)
        leave = shutil.ignore_patterns("sdks", "venv", "node_modules", "Pulumi.*.yaml")
        shutil.copytree(REPOSITORY / "examples" / name, own.folder, ignore=leave)
        if name in LANGUAGES:
            own.generate(LANGUAGES[name])
        return own

    def new(self, template: str, name: str = "shop") -> "Program":
        """Start a project beside the checkout from a template, with its SDK."""
        templates = self.folder / "templates"
        if not templates.exists():
            shutil.copytree(REPOSITORY / "templates", templates)
        own = Program(self, self.folder.parent / f"{name}-{template}")
        own.folder.mkdir()
        own.pulumi("new", f"../stockade/templates/{template}", "--generate-only", "--yes", "--name", name)
        if template in LANGUAGES:
            own.generate(LANGUAGES[template])
        return own


@dataclass(frozen=True)
class Program:
    """A program of a user's."""

    checkout: Checkout
    folder: Path
    more: Mapping[str, str] = field(default_factory=dict)
    """More of its environment."""

    @property
    def sdk(self) -> Path:
        return self.folder / "sdks" / "stockade"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the CLI."""
        ours = self.checkout.folder
        backend = {"PULUMI_BACKEND_URL": f"file://{ours}/state", "PULUMI_HOME": str(ours / "home")}
        go = {"GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local"}
        return {**os.environ, **backend, **go, "PULUMI_CONFIG_PASSPHRASE": "test", "NO_COLOR": "1", **self.more}

    def pulumi(self, *words: str, status: int = 0) -> str:
        """Run the CLI; it must end with this status."""
        done = self.ended("pulumi", "--non-interactive", *words)
        assert done.returncode == status, done.stdout
        return done.stdout

    def ended(self, *argv: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end in the program's folder."""
        return subprocess.run(
            argv,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT,
            check=False,
        )

    def generate(self, language: str) -> None:
        """Do what `pulumi install` does, with packages that the machine has already."""
        schema, made = str(self.checkout.folder / "plugin" / "schema.json"), self.folder / "sdks"
        self.pulumi("package", "gen-sdk", schema, "--language", language, "--local", "--out", str(made))
        (made / language).rename(self.sdk)
        if language == "go":
            (self.sdk / "go.mod").write_text(_GO_MODULE)
        uv = str(REPOSITORY / ".venv" / "bin" / "uv")
        for command in {
            "nodejs": [("npm", "install", "--offline", "--no-audit", "--no-fund")],
            "go": [("go", "list", "-deps", ".")],
            "python": [
                (uv, "venv", "--quiet", "--offline", "--seed", "--python", sys.executable, "venv"),
                (uv, "pip", "install", "--quiet", "--offline", "--python", "venv", "-r", "requirements.txt"),
            ],
        }[language]:
            done = self.ended(*command)
            if any(words in done.stdout for words in _NOT_CACHED):
                pytest.skip(f"the machine lacks packages of examples/{self.folder.name}: {done.stdout.splitlines()[0]}")
            assert done.returncode == 0, done.stdout

    def configure(self, stack: str = "dev", secret: tuple[str, ...] = (), **values: str) -> None:
        """Make a stack with this config."""
        self.pulumi("stack", "init", stack)
        for key, value in values.items():
            self.pulumi("config", "set", *(["--secret"] if key in secret else []), "--", key, value)

    def state(self) -> dict[str, Any]:
        """Return the state's resources by their types and names."""
        resources = json.loads(self.pulumi("stack", "export"))["deployment"]["resources"]
        return {
            ":".join((item["urn"].split("::")[2].rpartition(":")[2], item["urn"].split("::")[3])): item
            for item in resources
        }

    def type_errors(self) -> str:
        """Return what mypy says of a Python program with the generated types."""
        argv = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--cache-dir=/dev/null"]
        done = subprocess.run(
            [*argv, "__main__.py"],
            cwd=self.folder,
            env={**os.environ, "MYPYPATH": str(self.sdk)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout if done.returncode else ""


def values(host: LabHost) -> dict[str, str]:
    """Return the config of the examples for a lab host."""
    public = host.key_file.with_name(host.key_file.name + ".pub").read_text().strip()
    login = {"address": host.ipv4, "hostKey": host.host_key, "keyFile": str(host.key_file)}
    return {**login, "publicKey": public, "password": PASSWORD}

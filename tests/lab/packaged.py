"""A YAML program over the plugin, run with the Pulumi CLI."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).parents[2]
MISSING = next((tool for tool in ("pulumi", "pulumi-language-yaml") if shutil.which(tool) is None), None)
"""What of the CLI is not on PATH."""


@dataclass
class Packaged:
    """A project outside of a minimal checkout, whose plugin has what `pulumi install` installs."""

    folder: Path
    name: str = "web"
    stack: str = "dev"
    backend: Path | None = None
    config: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checkout = self.folder / "stockade"
        shutil.copytree(
            REPOSITORY / "plugin", checkout / "plugin", ignore=shutil.ignore_patterns("venv", "__pycache__")
        )
        (checkout / "plugin" / "venv").symlink_to(REPOSITORY / ".venv")
        for name in ("components", "hosts", "rules", "provider", "pyproject.toml"):
            (checkout / name).symlink_to(REPOSITORY / name)
        (self.folder / "program").mkdir()
        (self.backend or self.folder / "state").mkdir(exist_ok=True)
        self.declare({})

    @property
    def program(self) -> Path:
        """The folder of the program."""
        return self.folder / "program"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the CLI."""
        backend = self.backend or self.folder / "state"
        own = {"PULUMI_BACKEND_URL": f"file://{backend}", "PULUMI_HOME": str(self.folder / "home")}
        return {**os.environ, **own, "PULUMI_CONFIG_PASSPHRASE": "test", "NO_COLOR": "1"}

    def declare(self, resources: Mapping[str, Any], **more: Any) -> None:
        """Write the program."""
        packages = {"stockade": "../stockade/plugin"}
        own = json.loads(json.dumps(resources))  # a YAML program has no aliases
        project = {"name": self.name, "runtime": "yaml", "packages": packages, **more, "resources": own}
        (self.program / "Pulumi.yaml").write_text(yaml.safe_dump(project, sort_keys=False))

    def configure(self, **settings: Any) -> None:
        """Create the stack, with a config."""
        self.pulumi("stack", "init", self.stack)
        for name, value in settings.items():
            self.pulumi("config", "set", f"stockade:{name}", value if isinstance(value, str) else json.dumps(value))

    def pulumi(self, *words: str, status: int = 0) -> str:
        """Run the CLI; it must end with this status."""
        done = subprocess.run(
            ["pulumi", "--non-interactive", *words],
            cwd=self.program,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == status, f"{' '.join(words)}:\n{done.stdout}"
        return done.stdout

    def state(self) -> dict[str, Any]:
        """Return the state's resources by name; of several with the same, the last."""
        deployment = json.loads(self.pulumi("stack", "export"))["deployment"]
        return {item["urn"].split("::")[3]: item for item in deployment.get("resources") or ()}

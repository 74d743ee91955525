"""The embedded engine runs Python programs over the package: its resources, and its components through Construct."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import pulumi
from pulumi import ComponentResource, CustomResource, Output, ResourceOptions

class KeyPair(CustomResource):
    publicKey: Output[str]
    def __init__(self, name, **props):
        super().__init__("stockade:index:KeyPair", name, {"publicKey": None, "made": None, **props})

class HardenedHost(ComponentResource):
    enforced: Output[dict]
    def __init__(self, name, **props):
        type_ = "stockade:index:HardenedHost"
        super().__init__(type_, name, {"enforced": None, **props}, ResourceOptions(), remote=True)

config = pulumi.Config()
pair = KeyPair("operator", path=config.require("path"), type="ed25519", passphrase=config.require_secret("word"))
pulumi.export("key", pair.publicKey)
if config.get("host"):
    users = [{"name": "deploy", "sudo": "nopasswd"}]
    host = HardenedHost("web1", keys=[pair.publicKey], users=users, **config.require_object("host"))
    pulumi.export("enforced", host.enforced)
"""


@dataclass(frozen=True)
class Project:
    """A project outside of the checkout."""

    folder: Path

    def run(self, *words: str, status: int = 0) -> str:
        """Run the embedded engine; it must end with this status."""
        own = {"PULUMI_CONFIG_PASSPHRASE": "test", "PULUMI_BACKEND_URL": f"file://{self.folder}/state"}
        done = subprocess.run(
            [sys.executable, "-m", "local.engine", *words, "--stack", "dev", "--cwd", str(self.folder)],
            cwd=ROOT,
            env={**os.environ, **own},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == status, done.stdout
        return done.stdout

    def state(self) -> dict[str, Any]:
        """Return the state's resources by type."""
        resources = json.loads(self.run("export"))["deployment"]["resources"]
        return {item["type"]: item for item in resources}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    settings = {"name": "shop", "runtime": "python", "packages": {"stockade": str(ROOT / "plugin")}}
    (tmp_path / "Pulumi.yaml").write_text(json.dumps(settings))
    (tmp_path / "__main__.py").write_text(PROGRAM)
    (tmp_path / "state").mkdir()
    found = Project(tmp_path)
    found.run("init")
    found.run("config", "set", "path", str(tmp_path / "id"))
    found.run("config", "set", "--secret", "word", "correct horse")
    return found


def test_a_packaged_resource_is_created_and_stays(project: Project) -> None:
    project.run("up", "--yes")
    made = project.state()["stockade:index:KeyPair"]
    assert made["outputs"]["publicKey"].startswith("ssh-ed25519 ")
    assert "ciphertext" in made["inputs"]["passphrase"]
    assert "correct horse" not in project.run("export")
    project.run("preview", "--expect-no-changes")
    project.run("refresh", "--yes", "--expect-no-changes")
    project.run("destroy", "--yes")


def test_a_component_of_the_package_declares_its_parts(project: Project) -> None:
    login = {"host": "192.0.2.1", "user": "root", "password": "hunter2"}
    project.run("config", "set", "host", json.dumps({"connection": {"bootstrap": login}, "firewall": {}}))
    shown = project.run("preview", "--diff")
    for kind in ("HardenedHost", "Packages", "LimitedUser", "Firewall", "Ruleset"):
        assert f"stockade:index:{kind}: (create)" in shown
    assert "--dport 443" in shown
    assert "hunter2" not in shown


def test_what_is_wrong_with_a_component_is_told_with_its_place(project: Project) -> None:
    project.run("config", "set", "host", json.dumps({"connection": {}, "firewall": {"sshPort": 70000}}))
    shown = project.run("preview", status=1)
    assert "firewall.sshPort: Input should be less than or equal to 65535" in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("runtime", ["yaml", "nodejs", "go"])
def test_programs_in_other_languages_need_the_cli(runtime: str, project: Project) -> None:
    (project.folder / "Pulumi.yaml").write_text(json.dumps({"name": "shop", "runtime": runtime}))
    assert (
        f"the runtime '{runtime}' in Pulumi.yaml is not supported by the embedded engine; install the Pulumi CLI"
        in (project.run("preview", status=1))
    )

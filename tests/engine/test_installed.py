"""Stockade as pipx or uvx install it: one package, the command, and a project of one's own with each engine."""

from __future__ import annotations

import json
import os
import shutil
import site
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from .conftest import ROOT
from .test_commands import ENGINES

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGv9Q3JxZbA7WQm1pYpZ0E2QpV0mJYk5vTn5bX8Fd3Rk"
CONFIG = f"""\
config:
  stockade:hosts:
    web1: {{address: 198.51.100.11, hostKey: {KEY}, admin: {{user: deploy}}, bootstrap: {{user: root}}}}
  stockade:users:
    - {{name: deploy, sudo: nopasswd, keys: [{KEY}]}}
  stockade:firewall: {{preset: web, sshSources: [203.0.113.7]}}
  stockade:packages: {{absent: [exim4-daemon-light, rpcbind]}}
  stockade:sshd: {{}}
  stockade:fail2ban: {{}}
  stockade:updates: {{}}
  stockade:listeners: {{}}
"""
pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git lists what is in the checkout")


def _pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, which finds the dependencies in that of the tests."""
    folder = tmp_path_factory.mktemp("installed")
    git = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(git, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not name.startswith(("tests/", "bench/")):
            target = folder / "source" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
    flags = ("--quiet", "--no-deps", "--no-index")
    _pip("wheel", *flags, "--no-build-isolation", "--wheel-dir", str(folder), str(folder / "source"))
    (wheel,) = folder.glob("*.whl")
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (packages,) = environment.glob("lib/python3*/site-packages")
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()))
    _pip("--python", str(environment / "bin/python"), "install", *flags, str(wheel))
    shutil.rmtree(folder / "source")
    assert sysconfig.get_path("purelib") not in str(packages)
    return environment


def _run(installed: Path, folder: Path, *words: str, engine: str = "embedded") -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "PYTHON", "STOCKADE_"))}
    own = {"PULUMI_CONFIG_PASSPHRASE": "test", "PULUMI_HOME": str(folder / ".home"), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    return subprocess.run(
        [installed / "bin/stockade", *words], cwd=folder, env={**kept, **own, "STOCKADE_ENGINE": engine},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_nothing_else_is_at_the_top_of_site_packages(installed: Path) -> None:
    (packages,) = installed.glob("lib/python3*/site-packages")
    names = {entry.name.partition("-")[0] for entry in packages.iterdir()} - {"__pycache__", "dependencies.pth"}
    assert names == {"stockade"}
    assert "stockade" in {file.name for file in (installed / "bin").iterdir()}
    assert not [file for file in packages.rglob("*") if "venv" in file.parts or file.name.startswith("test_")]


def test_the_command(installed: Path, tmp_path: Path) -> None:
    shown = _run(installed, tmp_path, "--help")
    assert (shown.returncode, "Usage: stockade" in shown.stdout) == (0, True), shown
    lab = _run(installed, tmp_path, "lab", "up")
    assert (lab.returncode, "the lab is part of a checkout" in lab.stderr) == (1, True), lab


@pytest.mark.parametrize("engine", ENGINES)
def test_a_project_of_ones_own(installed: Path, tmp_path: Path, engine: str) -> None:
    assert _run(installed, tmp_path, "new").returncode == 0
    (tmp_path / "stacks/Pulumi.mine.yaml").write_text(CONFIG)
    done = _run(installed, tmp_path, "doctor", "--json", engine=engine)
    assert done.returncode == 0, done.stdout
    (place,) = installed.glob("lib/python3*/site-packages/stockade")
    found = {one["subject"]: one["message"] for one in json.loads(done.stdout)["findings"]}
    assert found["stockade"].endswith(f"installed in {place}")

    shown = _run(installed, tmp_path, "preview", "--stack", "mine", engine=engine)
    assert (shown.returncode, "web1-ipv4 create" in shown.stdout, "listeners-expected" in shown.stdout) == (
        0, True, True,
    ), shown.stdout + shown.stderr  # fmt: skip
    assert (tmp_path / "stacks/Pulumi.mine.yaml").read_text() == CONFIG
    (tmp_path / "stacks/policy.mine.json").write_text('{"exposure-allowed": {"allowedExposure": []}}')
    refused = _run(installed, tmp_path, "preview", "--stack", "mine", engine=engine)
    assert (refused.returncode, "exposure-allowed" in refused.stdout) == (1, True), refused.stdout + refused.stderr


def test_a_checkout_installs_what_it_needs_at_first(tmp_path: Path) -> None:
    for name in ("stockade", ".ci/environment", "cli", "local", "hosts"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "stockade").unlink()
    shutil.copy(ROOT / "stockade", tmp_path)  # a link would lead to the checkout
    (tmp_path / ".ci/environment").unlink()
    shutil.copy(ROOT / ".ci/environment", tmp_path / ".ci")
    (tmp_path / "requirements.lock").write_text("")  # so that nothing is downloaded
    for said in ("installing the pinned dependencies into .venv", ""):
        done = subprocess.run(
            [tmp_path / "stockade", "preview"], env={**os.environ, "PYTHON": sys.executable}, cwd="/",
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 2, done
        assert done.stderr.splitlines() == [
            *filter(None, [said]),
            "error: say which stack: stockade preview --stack STACK",
        ]
    assert (tmp_path / ".venv/ready").is_file()

"""Prepares a stack for a command of the Pulumi CLI, and keeps a preview from changing committed files."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import yaml

from local.engine.errors import EngineError
from local.engine.state.backend import write_atomically
from local.engine.state.project import Project, backend_folder, load_project, parse_yaml, stack_file
from local.engine.state.secrets import Crypter, passphrase
from local.engine.state.stack_file import rewrite, with_salt

SECRETS = ("encryptionsalt", "secretsprovider", "encryptedkey")
"""Settings in a stack config for the encryption of its secrets; the CLI adds them if they are missing."""


def ready(pulumi: str, command: str, stack: str, folder: Path, *, create: bool) -> list[str]:
    """Prepare the stack for a command and return the extra options to pass. Exits if that fails."""
    try:
        project = load_project(folder)
        file = stack_file(project, stack)
        says = set(parse_yaml(file.read_text(), str(file))) if file.is_file() else set()
    except (EngineError, OSError, ValueError):  # the CLI reports it better
        project, says = None, set(SECRETS)
    silent = not says.intersection(SECRETS)
    if project and silent and command == "preview":
        _create_elsewhere(pulumi, project, stack, folder)
        return [f"--config-file={_copy(project, file)}"]
    if create:
        if project and silent and file.is_file():
            _salt(file)
        _call([pulumi, "stack", "select", "--create", stack, "--cwd", str(folder)])
    return []


def _call(command: list[str]) -> None:
    status = subprocess.call(command, stdout=subprocess.DEVNULL)
    if status:
        raise SystemExit(status)


def _create_elsewhere(pulumi: str, project: Project, stack: str, folder: Path) -> None:
    """Create the stack if it does not exist, outside the project's directory: a preview changes no committed file."""
    there = [pulumi, "stack", "select", stack, "--cwd", str(folder)]
    if subprocess.call(there, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0:
        return
    try:
        url = f"file://{backend_folder(project, folder)}?create_dir=true"
    except EngineError:  # another kind of backend, whose URL does not depend on the directory
        url = os.environ.get("PULUMI_BACKEND_URL") or str(project.backend_url)
    with tempfile.TemporaryDirectory(prefix="stockade-") as empty:
        settings = {"name": project.name, "runtime": "python", "backend": {"url": url}}
        (Path(empty) / "Pulumi.yaml").write_text(yaml.safe_dump(settings))
        environment = {**os.environ, "PULUMI_BACKEND_URL": url}
        command = [pulumi, "stack", "init", "--no-select", "--stack", stack, "--cwd", empty]
        status = subprocess.call(command, stdout=subprocess.DEVNULL, env=environment)
    if status:
        raise SystemExit(status)


def _copy(project: Project, file: Path) -> Path:
    """A copy of the stack config that the CLI may add to; only a preview reads it."""
    copy = project.root / ".state" / "preview" / file.name
    copy.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(copy, file.read_text() if file.is_file() else "")
    return copy


def _salt(file: Path) -> None:
    """Write a salt at the top of a stack config: the CLI would append it, where users add their own lines."""
    try:
        crypter = Crypter.new(passphrase())
        rewrite(file, lambda text: text if "secure:" in text else with_salt(text, crypter.salt))
    except EngineError:
        return  # the CLI asks for a passphrase, or appends the salt

"""The two shells over the chapters: `dynamic` resources of a program of this repository, and the `packaged` ones.

A test's stack has the shell of `STOCKADE_SHELL`, or the dynamic one. The programs are the same: `packaged()` makes
their resources those of the package. The repository's own program becomes one over the package's component.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
SHELLS = ("dynamic", "packaged")
SHELL = os.environ.get("STOCKADE_SHELL") or "dynamic"
"""The shell of stacks whose test does not choose one."""
OWN = Path(__file__).with_name("programs") / "hosts_of_the_package.py"
_PRELUDE = "from components.core.served import packaged\n\npackaged()\n"

only_dynamic = pytest.mark.skipif(SHELL != "dynamic", reason="it is about programs of this repository")
both_shells = pytest.mark.parametrize("shell", SHELLS)
"""For a module's tests: `pytestmark = both_shells`; `new_stack` makes stacks of that shell."""


def is_managed(item: Mapping[str, Any]) -> bool:
    """Return whether a resource of a state is one of ours that has a provider: no component."""
    return bool(item.get("custom")) and item["type"].startswith(("pulumi-python:dynamic/stockade:", "stockade:index:"))


def in_shell(shell: str, program: str | None) -> str | None:
    """Return a program's text for a shell; None is the repository's own."""
    if shell not in SHELLS:
        raise ValueError(f"STOCKADE_SHELL is {shell!r}; it can be {' or '.join(SHELLS)}")
    if shell == "dynamic":
        return program
    return OWN.read_text() if program is None else _PRELUDE + program


def with_plugin(folder: Path, environment: Path) -> None:
    """Give a minimal checkout the plugin, with what `pulumi install` makes, and name it in Pulumi.yaml."""
    plugin = folder / "plugin"
    shutil.copytree(REPOSITORY / "plugin", plugin, ignore=shutil.ignore_patterns("venv", "__pycache__"))
    (plugin / "venv").symlink_to(environment)
    (folder / "pyproject.toml").symlink_to(REPOSITORY / "pyproject.toml")
    project = yaml.safe_load((folder / "Pulumi.yaml").read_text())
    project["packages"] = {"stockade": "./plugin"}
    (folder / "Pulumi.yaml").unlink()
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project, sort_keys=False))

"""Builds the wheel: one package, `stockade`, that has the rooms of the checkout in it (cli/_installed says why).

Everything else is in pyproject.toml.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CHECKOUT = Path(__file__).resolve().parent
ROOMS = ("adopt", "cli", "components", "docs", "fleet", "hosts", "local", "plugin", "policies", "provider", "rules")
FILES = ("__main__.py", "LICENSE", "pyproject.toml", "requirements.lock")
LEFT_OUT = ("local/lab", "plugin/venv", "cli/_installed")
"""The lab is a checkout's; the package's environment is made by the CLI."""


def rooms() -> Iterator[Path]:
    """Yield every file to install, relative to the checkout."""
    yield from map(Path, FILES)
    for room in ROOMS:
        for file in sorted((CHECKOUT / room).rglob("*")):
            name = file.relative_to(CHECKOUT)
            left_out = any(name.is_relative_to(folder) for folder in LEFT_OUT)
            if file.is_file() and not left_out and "__pycache__" not in name.parts:
                yield name


class WithRooms(build_py):
    """Adds the rooms to the package, executables as such."""

    def run(self) -> None:
        """See setuptools."""
        super().run()
        for name in rooms():
            target = Path(self.build_lib) / "stockade" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, target)


setup(packages=["stockade"], package_dir={"stockade": "cli/_installed"}, cmdclass={"build_py": WithRooms})

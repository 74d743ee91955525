"""What the bench wants of a tool."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Protocol

from bench.job import USER, Job

VENV = Path(__file__).parents[2] / ".bench" / "venv"
"""The bench's own tools (bench/requirements.lock), apart from the project's."""

_COMPILED = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")


class Phase(StrEnum):
    """What is measured."""

    FIRST = "first apply"
    NOTHING = "nothing to do"
    DRIFT = "drift check"
    RULE = "one rule changed"


class Target(Protocol):
    """A host as the tools see it: one of the lab, or a simulated one."""

    @property
    def name(self) -> str:
        """As in inventories."""

    @property
    def ipv4(self) -> str:
        """Where it is reached."""

    @property
    def ipv6(self) -> str:
        """Likewise; empty where it has none."""

    @property
    def port(self) -> int:
        """Of its sshd."""

    @property
    def key_file(self) -> Path:
        """The private key of root and of the limited user."""

    @property
    def known_hosts(self) -> Path:
        """Where its host key stands."""

    @property
    def host_key(self) -> str:
        """Type and base64."""


class Tool(ABC):
    """One tool with one set of hosts; `folder` is its own."""

    name: str
    keeps_connections = False
    """Whether it goes on using the connections of its last run, so that looking at a host needs no login."""
    drift_note = ""
    """What its drift check is, where it is not what the word says."""

    def __init__(self, folder: Path, hosts: Sequence[Target]) -> None:
        self.folder = folder
        self.hosts = list(hosts)
        self.folder.mkdir(parents=True)

    @classmethod
    @abstractmethod
    def missing(cls) -> str:
        """Why it can't be run on this machine; empty when it can."""

    @classmethod
    @abstractmethod
    def version(cls) -> str:
        """Name and version, for the report."""

    @abstractmethod
    def write(self, job: Job, phase: Phase) -> None:
        """Write its files for the next run; not measured. A user would edit them in an editor."""

    @abstractmethod
    def argv(self, phase: Phase) -> list[str] | None:
        """The command to measure; None where it has none for this phase."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment of its commands: the user's, but compiled modules are kept, and beside the sources.

        As the Makefile keeps them, by path, those of a folder that is made anew for each run would never be found.
        """
        kept = {key: value for key, value in os.environ.items() if key not in _COMPILED}
        return {**kept, "NO_COLOR": "1"}

    @cached_property
    def key_file(self) -> Path:
        """The private key of root and of the limited user."""
        return self.hosts[0].key_file

    def close(self) -> None:  # noqa: B027 - most leave nothing
        """End what it left running."""


def login(phase: Phase) -> str:
    """Who logs in: root the first time, the limited user ever after."""
    return "root" if phase is Phase.FIRST else USER

"""The interface of a tool to the bench."""

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Protocol

from bench.job import USER, Job

VENV = Path(__file__).parents[2] / ".bench" / "venv"
"""The bench's own tools (bench/requirements.lock), separate from the project's."""

_COMPILED = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")


class Phase(StrEnum):
    """A measured phase."""

    FIRST = "first apply"
    NOTHING = "nothing to do"
    DRIFT = "drift check"
    RULE = "one rule changed"


class Target(Protocol):
    """A host as the tools see it: a lab host or a simulated one."""

    @property
    def name(self) -> str:
        """Its name in inventories."""

    @property
    def ipv4(self) -> str:
        """The address to connect to."""

    @property
    def ipv6(self) -> str:
        """The same for IPv6; empty if it has none."""

    @property
    def port(self) -> int:
        """The port of its sshd."""

    @property
    def key_file(self) -> Path:
        """The private key of root and of the limited user."""

    @property
    def known_hosts(self) -> Path:
        """The file with its host key."""

    @property
    def host_key(self) -> str:
        """The host key: type and base64."""


class Tool(ABC):
    """One tool with one set of hosts; `folder` is its own directory."""

    name: str
    keeps_connections = False
    """Whether it reuses the connections of its last run, so that reading a host needs no login."""
    drift_note = ""
    """What its drift check does, if that differs from the usual meaning."""

    def __init__(self, folder: Path, hosts: Sequence[Target]) -> None:
        self.folder = folder
        self.hosts = list(hosts)
        self.folder.mkdir(parents=True)

    @classmethod
    @abstractmethod
    def missing(cls) -> str:
        """Why it cannot run on this machine; empty if it can."""

    @classmethod
    @abstractmethod
    def version(cls) -> str:
        """Name and version, for the report."""

    @abstractmethod
    def write(self, job: Job, phase: Phase) -> None:
        """Write its files for the next run; not measured. A user would edit them in an editor."""

    @abstractmethod
    def argv(self, phase: Phase) -> list[str] | None:
        """The command to measure; None if it has none for this phase."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment of its commands: the user's, but with compiled modules stored beside their sources.

        The Makefile stores them by path, so those of a directory that is recreated for each run would never be found.
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
    """The user who logs in: root the first time, the limited user from then on."""
    return "root" if phase is Phase.FIRST else USER

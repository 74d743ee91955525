"""What the doctor found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class About(StrEnum):
    """What a finding is about: a section of the report."""

    MACHINE = "this machine"
    PROJECT = "project"
    STACK = "stack"
    HOST = "hosts"


@dataclass(frozen=True)
class Finding:
    """One finding. `subject`: a program, a stack's config, a host. `remedy`: what to do about it."""

    about: About
    subject: str
    level: Level
    message: str
    remedy: str = ""

    def document(self) -> dict[str, Any]:
        """Return it for programs."""
        return {**asdict(self), "remedy": self.remedy or None}


@dataclass(frozen=True)
class Subject:
    """Makes findings about one thing."""

    about: About
    name: str

    def ok(self, message: str) -> Finding:
        """Nothing is to be done."""
        return Finding(self.about, self.name, Level.OK, message)

    def warning(self, message: str, remedy: str = "") -> Finding:
        """A run may still do what is wanted."""
        return Finding(self.about, self.name, Level.WARNING, message, remedy)

    def error(self, message: str, remedy: str = "") -> Finding:
        """A run would fail."""
        return Finding(self.about, self.name, Level.ERROR, message, remedy)


def worst(findings: Iterable[Finding]) -> Level:
    """Return the worst level among them."""
    levels = {finding.level for finding in findings}
    return next((level for level in (Level.ERROR, Level.WARNING) if level in levels), Level.OK)


def document(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return all of them for programs."""
    counts = {f"{level}s": sum(one.level is level for one in findings) for level in (Level.ERROR, Level.WARNING)}
    return {**counts, "findings": [one.document() for one in findings]}

"""The events of a run that the display receives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from local.engine.state.state import Resource
from local.engine.state.values import PropertyMap


class Op(StrEnum):
    """What is done with a resource."""

    SAME = "same"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    REPLACE = "replace"
    CREATE_REPLACEMENT = "create-replacement"
    DELETE_REPLACED = "delete-replaced"
    READ = "read"
    FORGET = "forget"


class Severity(StrEnum):
    """The severity of a message."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Step:
    """One operation on one resource."""

    op: Op
    urn: str
    old: Resource | None = None
    new: Resource | None = None
    replace_keys: tuple[str, ...] = ()
    retained: bool = False
    by_outputs: bool = False
    """Whether the outputs, not the inputs, show what changes."""


@dataclass(frozen=True)
class Violation:
    """A policy violation."""

    pack: str
    version: str
    policy: str
    urn: str
    message: str
    description: str
    mandatory: bool


class Sink(Protocol):
    """Receives the events of a run. Called from many threads."""

    def started(self, step: Step) -> None:
        """An operation begins (in a preview: would begin)."""

    def finished(self, step: Step, *, failed: bool = False) -> None:
        """An operation has ended."""

    def log(self, severity: Severity, message: str, urn: str = "") -> None:
        """A message of the program, a provider or the engine."""

    def outputs(self, urn: str, old: PropertyMap, new: PropertyMap) -> None:
        """The outputs of a component or the stack are known."""

    def violation(self, violation: Violation) -> None:
        """A policy is violated."""

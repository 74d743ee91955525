"""Who we are in a run, and which resources of it are known to be alive: what decides whose a host is.

The record on the host (`hosts/guard/record.py`) names its owner by a random claim that the owner's state has too. Two
states may name the same claim, or each another one: after a replacement that was cut short, after a stack was restored
from a backup. What the process has heard of in this run tells them apart.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import pulumi

from hosts.guard.record import RUN, Owner


@dataclass(frozen=True)
class Caller:
    """The resource that an operation is about."""

    urn: str

    @property
    def stack(self) -> str:
        """Its stack."""
        return self.urn.split("::")[0].removeprefix("urn:pulumi:") if self.urn else pulumi.get_stack()

    @property
    def project(self) -> str:
        """Its project."""
        return self.urn.split("::")[1] if self.urn else pulumi.get_project()

    @property
    def resource(self) -> str:
        """Its name."""
        return self.urn.split("::", 3)[3] if self.urn else ""

    def owner(self, claim: str) -> Owner:
        """Return what it is called on a host."""
        run = os.environ.get(RUN, "")
        return Owner(claim, self.project, self.stack, self.resource, run, lineage=CLAIMS.lineage)


_caller: ContextVar[Caller] = ContextVar("caller", default=Caller(""))  # noqa: B039 - it is frozen


def caller() -> Caller:
    """Return the resource that the operation of this thread is about."""
    return _caller.get()


@contextmanager
def called_for(urn: str) -> Iterator[None]:
    """Do what follows for the resource of this URN."""
    token = _caller.set(Caller(urn))
    try:
        yield
    finally:
        _caller.reset(token)


class Claims:
    """Claims of which this process knows more than the record of a host says."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._alive: dict[str, str] = {}
        self._states: dict[str, Callable[[], Mapping[str, Any]]] = {}
        self._superseded: set[str] = set()
        self._declared: dict[tuple[str, str], str] = {}
        self._failed: set[str] = set()
        self._said: set[tuple[str, str]] = set()
        self.lineage = ""
        """The word by which the state of this run is known; "" where that is not known."""

    def said(self, host: str, text: str) -> bool:
        """Note that the user is told of something about a host; tell whether that is so already."""
        with self._lock:
            before = len(self._said)
            self._said.add((host, text))
            return len(self._said) == before

    def alive(self, claim: str, urn: str) -> None:
        """Note that the resource `urn` of this stack is there, and has this claim."""
        with self._lock:
            self._alive[claim] = urn

    def keep(self, urn: str, state: Callable[[], Mapping[str, Any]]) -> None:
        """Note what the state says of the resource `urn`, which the program still declares."""
        with self._lock:
            self._states[urn] = state

    def state(self, host: str, title: str) -> tuple[str, Mapping[str, Any]]:
        """Return the URN of the resource `title` that the program declares for a host, and what the state says of it;
        nothing where it is not there."""
        with self._lock:
            urn = self._declared.get((host, title), "")
            found = self._states.get(urn)
        return urn, found() if found is not None else {}

    def dead(self, claim: str) -> None:
        """Note that the resource that was to have this claim was not made."""
        with self._lock:
            self._alive.pop(claim, None)

    def urn(self, claim: str) -> str:
        """Return which resource of this stack is known to have a claim; "" for none."""
        with self._lock:
            return self._alive.get(claim, "")

    def declare(self, host: str, title: str) -> None:
        """Note that the program of this run declares the resource `title` of a host."""
        with self._lock:
            self._declared[host, title] = _caller.get().urn

    def declared(self, host: str, title: str) -> bool:
        """Tell whether it does, as far as has been heard of it."""
        with self._lock:
            return (host, title) in self._declared

    def fail(self, host: str) -> None:
        """Note that a change of a host was refused or has failed."""
        with self._lock:
            self._failed.add(host)

    def failed(self, host: str) -> bool:
        """Tell whether one has, in this process."""
        with self._lock:
            return host in self._failed

    def supersede(self, claim: str) -> None:
        """Note that what a claim stood for has gone over to another resource."""
        with self._lock:
            self._superseded.add(claim)

    def superseded(self, claim: str) -> bool:
        """Tell whether it has, in this process."""
        with self._lock:
            return claim in self._superseded


CLAIMS = Claims()
"""Those of this process: it serves one stack for one run."""

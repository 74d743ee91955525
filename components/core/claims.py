"""The identity of the caller in a run, and the resources of the run known to be alive. This decides ownership of hosts.

The record on the host (`hosts/guard/record.py`) names its owner by a random claim, which the owner's state has too. Two
states may have the same claim, or different ones: after an interrupted replacement, or after a stack was restored from
a backup. What this process has seen during the run tells them apart.
"""

import os
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
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
        """Return its owner record for a host."""
        run = os.environ.get(RUN, "")
        return Owner(claim, self.project, self.stack, self.resource, run, lineage=CLAIMS.lineage)


_caller: ContextVar[Caller] = ContextVar("caller", default=Caller(""))  # noqa: B039 - it is frozen


def caller() -> Caller:
    """Return the resource that the operation of this thread is about."""
    return _caller.get()


@contextmanager
def called_for(urn: str) -> Iterator[None]:
    """Run the block on behalf of the resource with this URN."""
    token = _caller.set(Caller(urn))
    try:
        yield
    finally:
        _caller.reset(token)


class Claims:
    """What this process knows about claims beyond the record on the host."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._alive: dict[str, str] = {}
        self._states: dict[str, Callable[[], Mapping[str, Any]]] = {}
        self._superseded: set[str] = set()
        self._declared: dict[tuple[str, str], str] = {}
        self._failed: set[str] = set()
        self._said: set[tuple[str, str]] = set()
        self.lineage = ""
        """The random lineage of this run's state; "" if unknown."""

    def said(self, host: str, text: str) -> bool:
        """Note that the user has been told this about a host; return whether that already happened."""
        with self._lock:
            before = len(self._said)
            self._said.add((host, text))
            return len(self._said) == before

    def alive(self, claim: str, urn: str) -> None:
        """Note that the resource `urn` of this stack exists and has this claim."""
        with self._lock:
            self._alive[claim] = urn

    def keep(self, urn: str, state: Callable[[], Mapping[str, Any]]) -> None:
        """Note the state of the resource `urn`, which the program still declares."""
        with self._lock:
            self._states[urn] = state

    def state(self, host: str, title: str) -> tuple[str, Mapping[str, Any]]:
        """Return the URN and state of the resource `title` that the program declares for a host; empty if there is
        none."""
        with self._lock:
            urn = self._declared.get((host, title), "")
            found = self._states.get(urn)
        return urn, found() if found is not None else {}

    def dead(self, claim: str) -> None:
        """Note that creating the resource with this claim failed."""
        with self._lock:
            self._alive.pop(claim, None)

    def urn(self, claim: str) -> str:
        """Return the resource of this stack that has a claim; "" if unknown."""
        with self._lock:
            return self._alive.get(claim, "")

    def declare(self, host: str, title: str) -> None:
        """Note that this run's program declares the resource `title` of a host."""
        with self._lock:
            self._declared[host, title] = _caller.get().urn

    def declared(self, host: str, title: str) -> bool:
        """Return whether the program is known to declare it."""
        with self._lock:
            return (host, title) in self._declared

    def titles(self, host: str) -> frozenset[str]:
        """Return the titles of all resources of a host that the program is known to declare."""
        with self._lock:
            return frozenset(title for name, title in self._declared if name == host)

    def fail(self, host: str) -> None:
        """Note that a change of a host was refused or failed."""
        with self._lock:
            self._failed.add(host)

    def failed(self, host: str) -> bool:
        """Return whether one was, in this process."""
        with self._lock:
            return host in self._failed

    def supersede(self, claim: str) -> None:
        """Note that another resource took over what this claim owned."""
        with self._lock:
            self._superseded.add(claim)

    def superseded(self, claim: str) -> bool:
        """Return whether that happened in this process."""
        with self._lock:
            return claim in self._superseded


CLAIMS = Claims()
"""The claims of this process, which serves one stack for one run."""


@dataclass(frozen=True)
class InState:
    """The resources on hosts in a whole state, of which the engine shows a provider only the one that it asks about.

    A record on a host may belong to another of them, or to one that a killed run created and no state has.

    `claims`: their claims. `chapters`: what they stand for: a host key of the machine, and the resource's title.
    """

    claims: frozenset[str] = frozenset()
    chapters: frozenset[tuple[str, str]] = frozenset()

    def has(self, keys: Collection[str], title: str) -> bool:
        """Return whether it has the resource `title` of the machine with one of these host keys."""
        return any((key, title) in self.chapters for key in keys)


def in_state(deployment: Mapping[str, Any]) -> InState:
    """Parse an exported deployment. Raises ValueError, LookupError, TypeError or AttributeError if it is none."""
    claims, chapters = set[str](), set[tuple[str, str]]()
    for item in deployment.get("resources") or ():
        outputs = item.get("outputs") or {}
        if "claim" not in outputs:
            continue
        if not isinstance(outputs["claim"], str):
            raise TypeError(f"{item['urn']}: the claim is no text")
        claims.add(outputs["claim"])
        chapters |= {(key, str(item.get("id", "")).partition("/")[2]) for key in keys_in(item)}
    return InState(frozenset(claims), frozenset(chapters))


def keys_in(item: Mapping[str, Any]) -> Collection[str]:
    """Return the host keys of the machine that a resource of a deployment is on."""
    machine = (item.get("outputs") or {}).get("machine")
    keys = machine.get("keys") if isinstance(machine, dict) else None
    return [key for key in keys if isinstance(key, str)] if isinstance(keys, list) else []

"""The outcome of one stack, from the events of Pulumi's engine."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from pulumi.automation.events import EngineEvent, PolicyEvent

from fleet.published import clean
from hosts.text.masking import one_line

PAST = {"create": "created", "update": "updated", "delete": "deleted", "replace": "replaced", "forget": "forgotten"}
HARDENED, STACK, PROVIDER = "stockade:index:HardenedHost", "pulumi:pulumi:Stack", "pulumi:providers:"
_HOST = re.compile(r"([^\s:]+): ")
_COLOURS = re.compile(r"<\{%.*?%\}>|\x1b\[[0-9;]*m")
_ENDS = re.compile(r"^(update|preview|refresh|destroy) (failed|canceled)$|^resource \w+ failed|run program: ", re.I)
"""Messages with which the engine repeats, at the end, failures that it has reported."""


class Status(StrEnum):
    """How a stack's run ended."""

    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    NOT_RUN = "not run"


class ResourceChange(NamedTuple):
    """The change of one resource, done or planned; `host` is empty if it belongs to none."""

    host: str
    kind: str
    resource: str
    operation: str


@dataclass(frozen=True)
class StackOutcome:
    """The outcome of one stack.

    `changes`: the number of resources by operation; `changed`: the resources. `failures` and `advice`: resource (or an
    empty string) and message of each. `hosts`: the host of each resource. `output`: what the engine printed.
    """

    stack: str
    status: Status
    seconds: float = 0.0
    changes: Mapping[str, int] = field(default_factory=dict)
    unchanged: int = 0
    failures: tuple[tuple[str, str], ...] = ()
    output: str = ""
    changed: tuple[ResourceChange, ...] = ()
    advice: tuple[tuple[str, str], ...] = ()
    hosts: Mapping[str, str] = field(default_factory=dict)

    def host_of(self, resource: str) -> str:
        """Return the host of a resource.

        The engine may reject a resource before it names its host; its name begins with the host's.
        """
        near = (host for host in self.hosts.values() if resource == host or resource.startswith(f"{host}-"))
        return self.hosts.get(resource) or max(near, key=len, default="")

    def line(self, *, would: bool) -> str:
        """Summarise it in one line; `would`: nothing was really changed."""
        what = counted(self.changes, would=would)
        if self.status is Status.DONE:
            return f"{what or 'no changes'}, {self.unchanged} unchanged"
        counts = what + (f", {self.unchanged} unchanged" if what else "")
        return f"{self.status.upper()}  {counts}".rstrip()


def counted(changes: Mapping[str, int], *, would: bool) -> str:
    """Summarise how many resources were changed, by operation."""
    return ", ".join(f"{number} {f'to {op}' if would else PAST[op]}" for op, number in changes.items())


class Events:
    """Collects the results of one run; Pulumi's CLI and the embedded engine send the same events. Thread-safe."""

    def __init__(self) -> None:
        self.changes: Counter[str] = Counter()
        self.changed: dict[str, ResourceChange] = {}
        self.failures: list[tuple[str, str]] = []
        self.advice: list[tuple[str, str]] = []
        self.hosts: dict[str, str] = {}
        self.begun = False
        self.ended = 0
        self._flying: dict[str, str] = {}
        self._lock = threading.Lock()

    def add(self, event: EngineEvent) -> None:
        """Record one event."""
        with self._lock:
            self.begun = self.begun or event.prelude_event is not None
            if event.summary_event:
                self.changes = Counter(
                    {str(getattr(op, "value", op)): n for op, n in event.summary_event.resource_changes.items()}
                )
            self._step(event)
            diagnostic, policy = event.diagnostic_event, event.policy_event
            if diagnostic and diagnostic.severity == "error":
                self._failure(diagnostic.urn, diagnostic.message)
            if policy:
                text = f"{one_line(policy.policy_name)}: {self._without_description(policy)}"
                if policy.enforcement_level in ("mandatory", "remediate"):
                    self._failure(policy.resource_urn, text)
                elif (advice := (_named(policy.resource_urn), _plain(text))) not in self.advice:
                    self.advice.append(advice)

    def nothing_done(self) -> None:
        """Forget the changes: they were only planned, and have not been made."""
        with self._lock:
            self.changes.clear()
            self.changed.clear()

    def in_flight(self) -> list[str]:
        """Return the operations in progress, the oldest first."""
        with self._lock:
            return [*self._flying.values()]

    def _step(self, event: EngineEvent) -> None:
        begins, ends, fails = event.resource_pre_event, event.res_outputs_event, event.res_op_failed_event
        about = begins or ends or fails
        if about is None:
            return
        step = about.metadata
        if step.type == STACK or step.type.startswith(PROVIDER):
            return
        self.begun = True
        name, host = _named(step.urn), _host(step)
        if host:
            self.hosts[name] = host
        if begins and step.type.startswith("pulumi-python:"):
            self._flying[step.urn] = f"{host}: {kind_of(step.type)}" if host else name
        elif not begins:
            self.ended += 1
            self._flying.pop(step.urn, None)
        operation = str(getattr(step.op, "value", step.op))
        operation = {"create-replacement": "replace"}.get(operation, operation)
        if ends and operation in PAST and not step.type.startswith("stockade:index:"):  # its parts are reported
            self.changed[step.urn] = ResourceChange(host, kind_of(step.type), name, operation)

    def _without_description(self, policy: PolicyEvent) -> str:
        """Pulumi puts a policy's description before each of its messages; remove it, as ours begin with the host."""
        _, _, rest = policy.message.partition("\n")
        found = _HOST.match(rest)
        if policy.policy_pack_name != "stockade" or not found:
            return str(policy.message)
        self.hosts.setdefault(found[1], found[1])
        return rest

    def _failure(self, urn: str | None, message: str) -> None:
        failure = (_named(urn), _plain(message))
        if failure[1] and failure not in self.failures and not (self.failures and _ENDS.search(failure[1])):
            self.failures.append(failure)

    def outcome(self, stack: str, status: Status, seconds: float, output: str) -> StackOutcome:
        """Return the outcome at the end of the run."""
        failures = self.failures if status is not Status.DONE else []
        if status is Status.FAILED and not failures:
            failures = [("", _last_error(output))]
        changes = {op: self.changes[op] for op in PAST if self.changes[op]}
        unchanged = sum(self.changes.values()) - sum(changes.values())
        return StackOutcome(
            stack,
            status,
            seconds,
            changes,
            unchanged,
            tuple(failures),
            output,
            tuple(self.changed.values()),
            tuple(self.advice),
            dict(self.hosts),
        )


def kind_of(type_: str) -> str:
    """Return the last part of a resource's type."""
    return one_line(type_.rpartition(":")[2])


def _named(urn: str | None) -> str:
    return "" if not urn or STACK in urn else one_line(urn.rpartition("::")[2])


def _plain(message: str) -> str:
    return clean(_COLOURS.sub("", message)).strip()


def _host(step: Any) -> str:
    if step.type == HARDENED:
        return str(_named(step.urn))
    host = next((seen.inputs["host"] for seen in (step.new, step.old) if seen and "host" in (seen.inputs or {})), "")
    return one_line(host) if isinstance(host, str) else ""


def _last_error(output: str) -> str:
    """Return the engine's own error, if it failed before it reported anything."""
    said = _COLOURS.sub("", output).strip()
    _, found, text = f"\n{said}".rpartition("\nerror: ")
    if found:
        return text.strip()
    return f"the engine ended: {said.splitlines()[-1]}" if said else "the engine ended without saying why"

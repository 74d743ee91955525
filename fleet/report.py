"""`--report FILE`: the outcome of all stacks, for pull requests (.md), for programs (.json), for CI (.xml: JUnit)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from fleet.comment import comment
from fleet.environment import FleetError
from fleet.outcome import StackOutcome, Status
from fleet.summary import apart
from hosts.text.masking import printable

LIMIT = 60_000
"""Characters of a .md report: comments on GitHub may have 65,536."""
KINDS = (".md", ".json", ".xml")


@dataclass(frozen=True)
class Result:
    """One command on all stacks of an environment, or on some.

    `homes`: the stack of each host, if known. `error`: why nothing was run. `remarks`: additional lines. `whole`: where
    the full report is, if this one has no room for it.
    """

    title: str
    command: str
    outcomes: Sequence[StackOutcome] = ()
    seconds: float = 0.0
    would: bool = False
    homes: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    remarks: Sequence[str] = ()
    whole: str = ""

    @property
    def failed(self) -> bool:
        """Whether anything failed."""
        return bool(self.error) or any(one.status is not Status.DONE for one in self.outcomes)


def write(result: Result, file: Path) -> None:
    """Write a report in the format given by the file's suffix. Raises OSError."""
    made = {".md": markdown, ".json": as_json, ".xml": junit}[file.suffix]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(made(result), encoding="utf-8")


def failed_in(file: Path) -> frozenset[str]:
    """Return the failed stacks in a JSON report. Raises FleetError."""
    try:
        stacks = json.loads(file.read_text(encoding="utf-8"))["stacks"]
        return frozenset(one["stack"] for one in stacks if one["status"] != Status.DONE)
    except OSError as error:
        raise FleetError(f"{file}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise FleetError(f"{file}: is no report of the fleet in JSON") from None


def markdown(result: Result, limit: int = LIMIT) -> str:
    """Failures and totals first, then changes, creations last (comment.py)."""
    return comment(
        result.title,
        result.command,
        result.outcomes,
        limit,
        failed=result.failed,
        seconds=result.seconds,
        would=result.would,
        error=result.error,
        remarks=result.remarks,
        whole=result.whole,
    )


def as_json(result: Result) -> str:
    """The full result, by stack and by host."""
    document = {
        "environment": result.title,
        "command": result.command,
        "failed": result.failed,
        "error": result.error or None,
        "seconds": round(result.seconds, 1),
        "stacks": [_stack(one) for one in result.outcomes],
        "hosts": {host.name: host.document() for host in _hosts(result)},
        "remarks": list(result.remarks),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _stack(one: StackOutcome) -> dict[str, Any]:
    return {
        "stack": one.stack,
        "status": str(one.status),
        "seconds": round(one.seconds, 1),
        "changes": dict(one.changes),
        "unchanged": one.unchanged,
        "failures": [{"resource": resource, "message": message} for resource, message in one.failures],
    }


@dataclass
class _Host:
    name: str
    stack: str
    status: str
    changes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        return {"stack": self.stack, "status": self.status, "changes": self.changes, "failures": self.failures}


def _hosts(result: Result) -> list[_Host]:
    """Every host of the stacks, with its changes and failures."""
    found: dict[str, _Host] = {}
    for outcome in result.outcomes:
        names = [name for name, stack in result.homes.items() if stack == outcome.stack]
        ended = "unchanged" if outcome.status is Status.DONE else str(outcome.status)
        for name in dict.fromkeys([*names, *outcome.hosts.values()]):
            found[name] = _Host(name, outcome.stack, ended)
        for change in outcome.changed:
            if (host := found.get(change.host)) is not None:
                host.changes.append(f"{change.kind} {change.resource}: {change.operation}")
                host.status = "changed" if host.status == "unchanged" else host.status
        for name, message in (apart(outcome, *one) for one in outcome.failures):
            if name in found:
                found[name].failures.append(message)
                found[name].status = str(Status.FAILED)
    return [*found.values()]


def junit(result: Result) -> str:
    """A suite for each stack, a case for each host; with `drift`, a drifted host is a failure."""
    suites = ElementTree.Element("testsuites", name=f"{result.command} {result.title}")
    if result.error:
        case = _case(_suite(suites, result.title, 0.0), result.title, result.command)
        _text(ElementTree.SubElement(case, "error", message=_first(result.error)), result.error)
    hosts = _hosts(result)
    for outcome in result.outcomes:
        suite = _suite(suites, outcome.stack, outcome.seconds)
        mine = [host for host in hosts if host.stack == outcome.stack]
        case = _case(suite, outcome.stack, result.command)
        general = [message for host, message in (apart(outcome, *one) for one in outcome.failures)
                   if host not in {one.name for one in mine}]  # fmt: skip
        if outcome.status is Status.NOT_RUN:
            ElementTree.SubElement(case, "skipped", message="not run")
        elif general or (outcome.status is not Status.DONE and not any(host.failures for host in mine)):
            _failure(case, general or [str(outcome.status)])
        for host in mine:
            case = _case(suite, host.name, result.command)
            details = host.failures or (host.changes if result.command == "drift" else [])
            if details:
                _failure(case, details)
            elif host.status == str(Status.NOT_RUN):
                ElementTree.SubElement(case, "skipped", message="not run")
        for name in ("tests", "failures", "skipped"):
            tag = {"tests": "testcase", "failures": "failure", "skipped": "skipped"}[name]
            suite.set(name, str(len([*suite.iter(tag)])))
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _suite(suites: ElementTree.Element, name: str, seconds: float) -> ElementTree.Element:
    return ElementTree.SubElement(suites, "testsuite", name=name, time=f"{seconds:.1f}", errors="0")


def _case(suite: ElementTree.Element, name: str, command: str) -> ElementTree.Element:
    return ElementTree.SubElement(suite, "testcase", classname=command, name=name)


def _failure(case: ElementTree.Element, messages: Sequence[str]) -> None:
    _text(ElementTree.SubElement(case, "failure", message=_first(messages[0])), "\n".join(messages))


def _text(element: ElementTree.Element, text: str) -> None:
    element.text = _clean(text)


def _first(text: str) -> str:
    return _clean((text.splitlines() or [""])[0])


def _clean(text: str) -> str:
    """Replace invisible characters, which XML may not allow, by their code points."""
    return printable(text)

"""`--event-log FILE`: the steps of a run and its result, in the format of the Pulumi CLI's events, one a line.

Events are written as they happen, so that a reader of the file can follow the run. The only property of a resource in
them is its host.
"""

from __future__ import annotations

import copy
import itertools
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.engine.display.events import Op, Step

if TYPE_CHECKING:
    from local.engine.display.progress import Report

_OPS = {Op.FORGET: Op.DELETE}
"""Operations with a different name in the CLI."""


class EventLog:
    """Writes the events of one run. Thread-safe; a reader that has closed the file does not block the run."""

    def __init__(self, file: Path) -> None:
        self._out = file.open("w", encoding="utf-8")
        self._lock = threading.Lock()
        self._sequence = itertools.count(1)
        self._refreshing = False

    def of_refresh(self) -> EventLog:
        """The same log for a preceding refresh: what it finds does not count as a change of the run."""
        own = copy.copy(self)
        own._refreshing = True
        return own

    def begun(self) -> None:
        """The run's stack and processes are ready."""
        self._write({"preludeEvent": {"config": {}}})

    def started(self, step: Step) -> None:
        """An operation begins."""
        self._write({"resourcePreEvent": {"metadata": self._metadata(step)}})

    def finished(self, step: Step, *, failed: bool) -> None:
        """An operation has ended."""
        if failed:
            self._write({"resOpFailedEvent": {"metadata": self._metadata(step), "status": 0, "steps": 0}})
        else:
            self._write({"resOutputsEvent": {"metadata": self._metadata(step)}})

    def messages(self, report: Report) -> None:
        """Write the messages of a run."""
        for event in _messages(report):
            self._write(event)

    def close(self, report: Report) -> None:
        """Write the result of the run; secrets in it are already masked, as on the screen."""
        self.messages(report)
        changes = {str(op): number for op, number in report.counts.items()}
        self._write({"summaryEvent": {"resourceChanges": changes}})
        with suppress(OSError):
            self._out.close()

    def _write(self, event: Mapping[str, Any]) -> None:
        with self._lock, suppress(OSError, ValueError):
            line = json.dumps({"sequence": next(self._sequence), "timestamp": int(time.time()), **event})
            self._out.write(line + "\n")
            self._out.flush()

    def _metadata(self, step: Step) -> dict[str, Any]:
        state = step.new or step.old
        host = state.inputs.get("host") if state else None
        seen = {
            "type": state.type if state else "",
            "urn": step.urn,
            "inputs": {"host": host} if isinstance(host, str) else {},
        }
        return {
            "op": "refresh" if self._refreshing else str(_OPS.get(step.op, step.op)),
            "urn": step.urn,
            "type": state.type if state else "",
            "new": seen,
        }


def _messages(report: Report) -> Iterator[dict[str, Any]]:
    for urn, messages in report.messages.items():
        for severity, message in messages:
            yield {"diagnosticEvent": {"urn": urn, "message": message, "severity": severity, "color": "never"}}
    for broken in report.violations:
        level = "mandatory" if broken.mandatory else "advisory"
        yield {
            "policyEvent": {
                "resourceUrn": broken.urn,
                "message": broken.message,
                "policyName": broken.policy,
                "policyPackName": broken.pack,
                "policyPackVersion": broken.version,
                "policyPackVersionTag": broken.version,
                "enforcementLevel": level,
                "color": "never",
            }
        }

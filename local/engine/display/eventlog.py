"""`--event-log FILE`: what a run does and what it came to, as the Pulumi CLI's events of the same name, one a line.

What begins and ends is written at once, so that whoever reads the file sees how far the run is. Of a resource's
properties there is but the host that it is about.
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
"""Operations that the CLI has another name for."""


class EventLog:
    """Writes the events of one run. Thread-safe; a reader that has gone holds up nothing."""

    def __init__(self, file: Path) -> None:
        self._out = file.open("w", encoding="utf-8")
        self._lock = threading.Lock()
        self._sequence = itertools.count(1)
        self._refreshing = False

    def of_refresh(self) -> EventLog:
        """The same for a refresh that comes first: what it finds is no change of the run."""
        own = copy.copy(self)
        own._refreshing = True
        return own

    def begun(self) -> None:
        """The run has its stack and its processes."""
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
        """Write what was said in a run."""
        for event in _messages(report):
            self._write(event)

    def close(self, report: Report) -> None:
        """Write what the run came to; what is secret in it has been masked already, as on the screen."""
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

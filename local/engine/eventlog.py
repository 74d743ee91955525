"""`--event-log FILE`: what a run came to, as the Pulumi CLI's events of the same name, one JSON object a line.

The end of a run alone is told: its messages, broken policies and the number of resources by operation.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .display import Report


def write_events(report: Report, file: Path) -> None:
    """Write the events of one run; what is secret in them has been masked already, as on the screen."""
    lines = [json.dumps({"sequence": number, **event}) for number, event in enumerate(_events(report))]
    file.write_text("\n".join([*lines, ""]))


def _events(report: Report) -> Iterator[dict[str, Any]]:
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
    changes = {str(op): number for op, number in report.counts.items()}
    yield {"summaryEvent": {"resourceChanges": changes}}

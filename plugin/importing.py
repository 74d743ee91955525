"""Whether a `Read` without a state is an import that is carried out.

The protocol does not say so: a preview of an import, and a `get` in a program, ask the same. But before the CLI imports
a resource, it notes that in the state. If this cannot be read, nothing is recorded on the host yet; the next operation
on the resource does it.
"""

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.core.claims import CLAIMS
from provider import exported
from provider.ancestors import engine_process
from provider.interrupted import PENDING
from provider.kept import stack_of


class Importing:
    """The resources that the run is importing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._urns: set[str] = set()

    def has(self, urn: str) -> bool:
        """Return whether the resource `urn` is one of them. An engine other than the CLI is taken at its word."""
        if not exported.engine():
            return True
        with self._lock:
            if urn not in self._urns:
                try:
                    deployment = json.loads(exported.exported(stack_of(urn)))["deployment"] or {}
                except (exported.UnreadableError, ValueError, KeyError, TypeError):
                    return False
                _note_claims(deployment, urn)
                begun = deployment.get(PENDING) or ()
                self._urns |= {one["resource"]["urn"] for one in begun if one.get("type") == "importing"}
            return urn in self._urns

    @staticmethod
    def commanded() -> bool:
        """Return whether the run is a `pulumi import`: its preview refuses what the import would refuse."""
        try:
            words = Path(f"/proc/{engine_process()}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return b"import" in words


def _note_claims(deployment: Mapping[str, Any], urn: str) -> None:
    """Note what the stack has already: it is not imported again under another name."""
    for item in deployment.get("resources") or ():
        claim = (item.get("outputs") or {}).get("claim")
        if claim and item["urn"] != urn and not item.get("delete"):
            CLAIMS.alive(str(claim), item["urn"])

"""Whether a `Read` without a state is an import that is carried out.

The protocol does not say so: a preview of an import, and a `get` in a program, ask the same. But before the CLI imports
a resource, it notes that in the state. If this cannot be read, nothing is recorded on the host yet; the next operation
on the resource does it.
"""

import json
import threading

from provider import exported
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
                    deployment = json.loads(exported.exported(stack_of(urn)))["deployment"]
                except (exported.UnreadableError, ValueError, KeyError, TypeError):
                    return False
                begun = deployment.get(PENDING) or ()
                self._urns |= {one["resource"]["urn"] for one in begun if one.get("type") == "importing"}
            return urn in self._urns

"""The failures of an update: what was not attempted because of them, and what can still be deleted."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence

from local.engine.display.events import Severity, Sink
from local.engine.state.state import Resource, outermost


class Failures:
    """The resources that failed, or were not attempted because another failed. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._causes: dict[str, str] = {}

    def note(self, urn: str, cause: str) -> None:
        """Note that a resource failed because of `cause`: itself, another resource, or "" if the run was cancelled."""
        with self._lock:
            self._causes[urn] = cause

    def urns(self) -> Collection[str]:
        """The resources that failed or were not attempted."""
        with self._lock:
            return set(self._causes)

    def among(self, needs: Iterable[str]) -> str | None:
        """The cause of the failure of one of these; None if none failed."""
        with self._lock:
            return min((self._causes[urn] for urn in needs if urn in self._causes), default=None)

    def tell(self, sink: Sink) -> None:
        """Report, once for each failure, what was not attempted because of it."""
        held: dict[str, list[str]] = {}
        for urn, cause in self._causes.items():
            if cause and urn != cause:
                held.setdefault(cause, []).append(urn)
        for cause, urns in held.items():
            sink.log(Severity.WARNING, f"not attempted because of this: {_listed(urns)}", cause)

    def spare(
        self, gone: Sequence[Resource], olds: Sequence[Resource], parents: Mapping[str, str], sink: Sink
    ) -> Sequence[Resource]:
        """Those of `gone` that can still be deleted; reports those that cannot. See `unconcerned`."""
        failed = self.urns()
        left = unconcerned(gone, olds, parents, failed) if failed else gone
        spared = _listed(item.urn for item in gone if item not in left)
        if spared:
            sink.log(Severity.WARNING, f"not deleted yet, because of what failed: {spared}")
        return left


def _listed(urns: Iterable[str]) -> str:
    parts = (urn.split("::", 3)[2:] for urn in urns)
    return ", ".join(f"{kind.replace('/', ':').rsplit(':', 1)[-1]} {name}" for kind, name in parts)


def unconcerned(
    gone: Sequence[Resource], olds: Sequence[Resource], parents: Mapping[str, str], failed: Collection[str]
) -> list[Resource]:
    """The resources that can be deleted after failures: a host that is down must not block changes to another.

    Everything in a component with a failure stays, with everything that it needs. If a new component failed, whole
    components stay, too: it might be one of them under another name. `parents` are those of the resources that the
    program has registered.
    """
    known = {item.urn: item.parent for item in olds}
    everything = {**known, **parents}
    broken = {outermost(urn, everything) for urn in failed}
    there = {outermost(urn, everything) for urn in parents}
    new = bool(broken - {outermost(urn, known) for urn in known})

    def concerned(item: Resource) -> bool:
        top = outermost(item.urn, everything)
        return top in broken or (new and top not in there)

    left = [item for item in gone if not concerned(item)]
    keeping = [item for item in olds if item.urn in failed or (item in gone and item not in left)]
    while keeping:
        needed = {urn for item in keeping for urn in item.needs()}
        keeping = [item for item in left if item.urn in needed and not item.delete]
        left = [item for item in left if item not in keeping]
    return left

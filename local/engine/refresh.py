"""Refresh: what every resource is now, read in parallel and taken into the state."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .errors import EngineError
from .events import Op, Severity, Sink, Step
from .ledger import Ledger
from .plugins import ProviderError
from .providers import ProviderPool
from .removal import Remover
from .state import Resource, Snapshot, now


@dataclass(frozen=True)
class Refresher:
    """What a refresh works with."""

    ledger: Ledger
    providers: ProviderPool
    remover: Remover
    sink: Sink
    parallel: int

    def refresh(self, snapshot: Snapshot) -> None:
        """Read all custom resources in parallel; failures are reported and leave the resource's state as it was."""
        readable = [item for item in snapshot.resources if _is_read(item)]
        for item in snapshot.resources:
            if not _is_read(item) and not item.is_provider:
                self.sink.finished(Step(Op.SAME, item.urn, item, item))
        with ThreadPoolExecutor(max_workers=max(1, min(self.parallel, len(readable)))) as pool:
            gone = {urn for urn in pool.map(self._refresh_one, readable) if urn}
        if gone:
            _forget(gone, self.ledger)

    def _refresh_one(self, old: Resource) -> str:
        """Returns the URN if the resource is gone."""
        if self.remover.cancelled.is_set():
            return ""
        step = Step(Op.READ, old.urn, old, old)
        self.sink.started(step)
        try:
            step = _read(old, self.providers)
        except (ProviderError, EngineError) as error:
            self.remover.failed = True
            self.sink.finished(step, failed=True)
            self.sink.log(Severity.ERROR, str(error), old.urn)
            return ""
        if step.new is None:
            self.ledger.put([], [old])
        elif step.new != old:
            self.ledger.put([step.new], [old])
        self.sink.finished(step)
        return old.urn if step.new is None else ""


def _is_read(item: Resource) -> bool:
    return item.custom and not item.is_provider and not item.pending_replacement and not item.delete


def _read(old: Resource, providers: ProviderPool) -> Step:
    provider = providers.get(old.provider)
    identity, outputs, inputs = provider.read(old)
    if not identity:
        return Step(Op.FORGET, old.urn, old, None)
    new = old.changed(id=identity, outputs=outputs, inputs=old.inputs if inputs is None else inputs, init_errors=())
    if new == old:
        return Step(Op.SAME, old.urn, old, new)
    # what would change if the program were run now, seen from the other side
    differs = provider.diff(new, old.inputs, old.ignore_changes).changed
    new = new.changed(modified=now())
    return Step(Op.UPDATE if differs else Op.SAME, old.urn, old, new, by_outputs=new.inputs == old.inputs)


def _forget(gone: set[str], ledger: Ledger) -> None:
    """Take what is gone out of the dependencies of what is left."""
    for item in ledger.resources():
        if not item.needs() & gone:
            continue
        left = item.changed(
            dependencies=tuple(urn for urn in item.dependencies if urn not in gone),
            property_dependencies={
                key: tuple(urn for urn in urns if urn not in gone) for key, urns in item.property_dependencies.items()
            },
            deleted_with="" if item.deleted_with in gone else item.deleted_with,
        )
        ledger.put([left], [item])

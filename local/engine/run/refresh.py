"""Refresh: reads every resource in parallel and updates the state."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from local.engine.display.events import Op, Severity, Sink, Step
from local.engine.errors import EngineError
from local.engine.processes.answers import PartialFailureError, ProviderError
from local.engine.run.providers import ProviderPool
from local.engine.run.removal import Remover
from local.engine.state.ledger import StateJournal
from local.engine.state.state import STACK_TYPE, Resource, Snapshot, now

LARGEST_FAMILY = 32
"""Resources of one component that are read at once."""


@dataclass(frozen=True)
class Refresher:
    """Refreshes the resources of a stack. `parallel`: how many components are read at once. A provider may read all
    resources of a component together: ours sends one script to a host."""

    ledger: StateJournal
    providers: ProviderPool
    remover: Remover
    sink: Sink
    parallel: int

    def refresh(self, snapshot: Snapshot) -> None:
        """Read all custom resources, many at once. A failure is reported and leaves the resource's state unchanged."""
        readable = [item for item in snapshot.resources if _is_read(item)]
        for item in snapshot.resources:
            if not _is_read(item) and not item.is_provider:
                self.sink.finished(Step(Op.SAME, item.urn, item, item))
        families = together(readable, snapshot.resources)
        with ThreadPoolExecutor(max_workers=max(1, min(self.parallel, len(families)))) as pool:
            gone = {urn for urns in pool.map(self._refresh_family, families) for urn in urns if urn}
        if gone:
            _forget(gone, self.ledger)

    def _refresh_family(self, family: list[Resource]) -> list[str]:
        """Return the URNs of those that are gone."""
        with ThreadPoolExecutor(max_workers=min(LARGEST_FAMILY, len(family))) as pool:
            return list(pool.map(self._refresh_one, family))

    def _refresh_one(self, old: Resource) -> str:
        """Return the URN if the resource is gone, otherwise an empty string."""
        if self.remover.cancelled.is_set():
            return ""
        step = Step(Op.READ, old.urn, old, old)
        self.sink.started(step)
        try:
            step = self._read(old)
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

    def _read(self, old: Resource) -> Step:
        provider = self.providers.get(old.provider)
        reasons: tuple[str, ...] = ()
        try:
            identity, outputs, inputs = provider.read(old)
        except PartialFailureError as error:  # unhealthy, but this is its current state
            identity, outputs, inputs, reasons = error.id, error.outputs, error.inputs, error.reasons
            listed = "\n".join(f"* {reason}" for reason in reasons)
            self.sink.log(Severity.WARNING, f"Refreshed resource is in an unhealthy state:\n{listed}", old.urn)
        if not identity:
            return Step(Op.FORGET, old.urn, old, None)
        read = old.inputs if inputs is None else inputs
        new = old.changed(id=identity, outputs=outputs, inputs=read, init_errors=reasons)
        if new == old:
            return Step(Op.SAME, old.urn, old, new)
        # compare the other way round: what would change if the program ran now
        differs = provider.diff(new, old.inputs, old.ignore_changes).changed
        new = new.changed(modified=now())
        return Step(Op.UPDATE if differs else Op.SAME, old.urn, old, new, by_outputs=new.inputs == old.inputs)


def together(readable: Iterable[Resource], everything: Iterable[Resource]) -> list[list[Resource]]:
    """Group resources by their outermost component, in the given order; a resource outside components is alone."""
    parents = {item.urn: item.parent for item in everything}
    stack = {item.urn for item in everything if item.type == STACK_TYPE}
    families: dict[str, list[Resource]] = {}
    for item in readable:
        top = item.urn
        while (parent := parents.get(top)) and parent not in stack:
            top = parent
        families.setdefault(top, []).append(item)
    return list(families.values())


def _is_read(item: Resource) -> bool:
    return item.custom and not item.is_provider and not item.pending_replacement and not item.delete


def _forget(gone: set[str], ledger: StateJournal) -> None:
    """Remove what is gone from the dependencies of the remaining resources."""
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

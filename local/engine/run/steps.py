"""Creating and updating: calls the provider and records the result in the ledger and the display."""

from __future__ import annotations

import threading

from local.engine.display.events import Op, Sink, Step
from local.engine.processes.answers import PartialFailureError, ProviderError
from local.engine.processes.plugins import Provider
from local.engine.run.removal import Remover
from local.engine.state.ledger import StateJournal
from local.engine.state.state import Resource, now
from local.engine.state.values import PropertyMap, Secret


class SkippedError(Exception):
    """The resource was not attempted: one that it needs failed (`cause`, its URN), or the run is being cancelled."""

    def __init__(self, cause: str = "") -> None:
        super().__init__(cause)
        self.cause = cause


class Steps:
    """Carries out single operations; in a preview, only previews them with the provider."""

    def __init__(self, *, preview: bool, ledger: StateJournal, remover: Remover, sink: Sink) -> None:
        self._preview = preview
        self._ledger = ledger
        self._remover = remover
        self._sink = sink
        self.cancelled = threading.Event()

    def create(self, provider: Provider, new: Resource, step: Step, replaced: Resource | None = None) -> Resource:
        """Create a resource, possibly to replace another; returns its state. Raises ProviderError."""
        self._sink.started(step)
        try:
            if self._preview:
                _, outputs = provider.create(new, preview=True)
                new = new.changed(outputs=sealed(new, outputs))
            else:
                new = self._really_create(provider, new, replaced)
        except (ProviderError, SkippedError):
            self._sink.finished(step, failed=True)
            raise
        self._sink.finished(Step(step.op, step.urn, step.old, new, step.replace_keys))
        return new

    def _really_create(self, provider: Provider, new: Resource, replaced: Resource | None) -> Resource:
        with self._remover.slot():
            if self.cancelled.is_set():
                raise SkippedError
            token = self._ledger.begin(new, "creating")
            gone = [replaced] if replaced is not None else []
            try:
                identity, outputs = provider.create(new, preview=False)
                failure = None
            except PartialFailureError as error:
                identity, outputs, failure = error.id, error.outputs, error
            except BaseException:
                self._ledger.end(token)
                raise
            time = now()
            new = new.changed(id=identity, outputs=sealed(new, outputs), created=time, modified=time)
            if failure:
                new = new.changed(init_errors=failure.reasons)
            condemned = self.condemn(replaced)
            self._ledger.end(token, add=[new, *condemned], remove=gone)
            if failure:
                raise failure
            return new

    def condemn(self, replaced: Resource | None) -> list[Resource]:
        """What stays of a replaced resource until it is deleted at the end: nothing if it is already deleted."""
        if replaced is None or replaced.pending_replacement:
            return []
        doomed = replaced.changed(delete=True)
        self._remover.condemn(doomed)
        return [doomed]

    def update(self, provider: Provider, old: Resource, new: Resource) -> Resource:
        """Change a resource; returns its state. Raises ProviderError."""
        new = new.changed(id=old.id)
        step = Step(Op.UPDATE, new.urn, old, new)
        self._sink.started(step)
        try:
            if self._preview:
                new = new.changed(outputs=sealed(new, provider.update(old, new, preview=True)))
            else:
                new = self._really_update(provider, old, new)
        except (ProviderError, SkippedError):
            self._sink.finished(step, failed=True)
            raise
        self._sink.finished(Step(step.op, step.urn, old, new))
        return new

    def _really_update(self, provider: Provider, old: Resource, new: Resource) -> Resource:
        with self._remover.slot():
            if self.cancelled.is_set():
                raise SkippedError
            token = self._ledger.begin(new, "updating")
            failure = None
            try:
                outputs = provider.update(old, new, preview=False)
            except PartialFailureError as error:
                outputs, failure = error.outputs, error
            except BaseException:
                self._ledger.end(token)
                raise
            new = new.changed(outputs=sealed(new, outputs), modified=now())
            if failure:  # the new inputs were not fully applied: the next update compares with the old
                new = new.changed(init_errors=failure.reasons, inputs=old.inputs)
            self._ledger.end(token, add=[new], remove=[old])
            if failure:
                raise failure
            return new


def sealed(new: Resource, outputs: PropertyMap) -> PropertyMap:
    """Outputs, with those that the program declares secret marked as such."""
    return {
        key: Secret(value) if key in new.additional_secret_outputs and not isinstance(value, Secret) else value
        for key, value in outputs.items()
    }

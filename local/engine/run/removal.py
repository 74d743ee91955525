"""Deletion in reverse dependency order, in parallel."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from local.engine.display.events import Op, Severity, Sink, Step
from local.engine.errors import EngineError
from local.engine.processes.answers import ProviderError
from local.engine.processes.plugins import Provider
from local.engine.run.providers import ProviderPool
from local.engine.state.ledger import StateJournal
from local.engine.state.state import Resource, depth_first
from local.engine.state.values import UNKNOWN, PropertyMap


class Remover:
    """Deletes resources, and updates the ledger and the display."""

    def __init__(
        self, *, preview: bool, parallel: int, ledger: StateJournal, providers: ProviderPool, sink: Sink
    ) -> None:
        self._preview = preview
        self._parallel = parallel
        self._slots = threading.Semaphore(parallel)
        self._draining = threading.Lock()
        self._ledger = ledger
        self._providers = providers
        self._sink = sink
        self._deleted: set[str] = set()
        self._condemned: list[Resource] = []
        self.cancelled = threading.Event()
        self.failed = False

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one of the `--parallel` slots for concurrent operations."""
        with self._slots:
            yield

    def drain(self) -> None:
        """Wait until no operation is in flight."""
        with self._draining:  # two drains at once would deadlock, each with some of the slots
            for _ in range(self._parallel):
                self._slots.acquire()
            self._slots.release(self._parallel)

    def condemn(self, old: Resource) -> None:
        """Note a replaced resource (marked `delete`) that is to be deleted at the end."""
        self._condemned.append(old)

    def take_condemned(self) -> list[Resource]:
        """Return the resources noted by `condemn`."""
        taken, self._condemned = self._condemned, []
        return taken

    def delete_for_replacement(self, doomed: Sequence[Resource]) -> list[Resource]:
        """Delete resources one after the other before they are created again; returns their states.

        These stay in the state, marked, until the new ones exist.
        """
        self._deleted.update(item.urn for item in doomed)
        left = []
        for old in doomed:
            pending = old.changed(pending_replacement=True)
            step = Step(Op.DELETE_REPLACED, old.urn, old, None, retained=old.retain_on_delete)
            self._delete(step, old, pending)
            left.append(pending)
        return left

    def remove(self, doomed: Sequence[Resource]) -> None:
        """Delete these resources, each after everything that needs it."""
        self._deleted.update(item.urn for item in doomed)
        kept = [item for item in doomed if self._is_protected(item)]
        waits: dict[int, Future[bool]] = {id(item): Future() for item in doomed}
        users = users_of(doomed)
        with ThreadPoolExecutor(max_workers=max(1, min(len(doomed), self._parallel))) as pool:
            for item in removal_order(doomed):
                before = [waits[id(user)] for user in users[id(item)]]
                pool.submit(self._remove_one, item, item not in kept, before, waits[id(item)])

    def _is_protected(self, item: Resource) -> bool:
        if not item.protect or item.delete or item.pending_replacement:
            return False
        self.failed = True
        self._sink.log(
            Severity.ERROR,
            f'resource "{item.urn}" cannot be deleted\nbecause it is protected. To unprotect the resource, remove the '
            "`protect` flag from the resource in your Pulumi program and run `pulumi up`",
            item.urn,
        )
        return True

    def _remove_one(self, item: Resource, allowed: bool, users: list[Future[bool]], done: Future[bool]) -> None:
        deleted = False
        try:
            gone = [user.result() for user in users]
            if all(gone) and allowed and not self.cancelled.is_set():
                op = Op.DELETE_REPLACED if item.delete else Op.DELETE
                self._delete(Step(op, item.urn, item, None, retained=item.retain_on_delete), item, None)
                deleted = True
        except (ProviderError, EngineError) as error:
            self.failed = True
            self._sink.log(Severity.ERROR, str(error), item.urn)
        finally:
            done.set_result(deleted)

    def _delete(self, step: Step, old: Resource, left: Resource | None) -> None:
        hidden = old.pending_replacement and left is None
        if hidden:
            self._ledger.put([], [old])  # it was already deleted
            return
        self._sink.started(step)
        try:
            self._really_delete(old, left)
        except BaseException:
            self._sink.finished(step, failed=True)
            raise
        self._sink.finished(step)

    def _really_delete(self, old: Resource, left: Resource | None) -> None:
        no_operation = not old.custom or old.is_provider or old.external or old.retain_on_delete
        if self._preview or no_operation or old.deleted_with in self._deleted:
            self._ledger.put([left] if left else [], [old])
            return
        with self.slot():
            token = self._ledger.begin(old, "deleting")
            try:
                self._providers.get(old.provider).delete(old)
            except BaseException:
                self._ledger.end(token)
                raise
            self._ledger.end(token, add=[left] if left else [], remove=[old])


def users_of(resources: Sequence[Resource]) -> dict[int, list[Resource]]:
    """For each resource (by `id()`), those that must be deleted before it.

    These are the resources that need it. A replaced resource is deleted before its successor with the same URN, and
    never needs a successor.
    """
    by_urn: dict[str, list[Resource]] = {}
    for item in resources:
        by_urn.setdefault(item.urn, []).append(item)
    users: dict[int, list[Resource]] = {id(item): [] for item in resources}
    for user in resources:
        for urn in user.needs() | {user.urn}:
            for needed in by_urn.get(urn, ()):
                successor = user.delete and not needed.delete
                if needed is not user and (successor if urn == user.urn else user.delete or not needed.delete):
                    users[id(needed)].append(user)
    return users


def removal_order(resources: Sequence[Resource]) -> list[Resource]:
    """Sort resources so that each comes after all that need it."""
    return depth_first(resources, users_of(resources))


def dependent_replacements(
    root: Resource, standing: Sequence[Resource], provider_of: Callable[[str], Provider]
) -> list[Resource]:
    """What must also be replaced when a resource is deleted before its replacement, in dependency order.

    These are the resources that are deleted with it, and every custom resource with a property from it that the
    provider would replace if the value of that property were unknown.
    """
    replaced = {root.urn}
    touched = {root.urn}
    found: list[Resource] = []
    for item in standing:
        if item is root or item.delete or not item.needs() & touched:
            continue
        touched.add(item.urn)
        if item.custom and not item.external and _replaced_with(item, replaced, provider_of):
            replaced.add(item.urn)
            found.append(item)
    return found


def _replaced_with(item: Resource, replaced: set[str], provider_of: Callable[[str], Provider]) -> bool:
    if item.deleted_with in replaced or item.provider_urn in replaced:
        return True
    inputs: PropertyMap = {
        key: UNKNOWN if replaced & set(item.property_dependencies.get(key, ())) else value
        for key, value in item.inputs.items()
    }
    if inputs == item.inputs or item.is_provider:
        return False
    diff = provider_of(item.provider).diff(item, inputs, item.ignore_changes, item.replace_on_changes)
    return diff.changed and bool(diff.replace_keys)

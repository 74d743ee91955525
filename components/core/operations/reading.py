"""Reads a resource: shows as drift what on its host is not as in the state, and changes nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic

from pulumi.dynamic import ReadResult

from components.core import console, stored
from components.core.chapter import Chapter, F, I
from components.core.claims import caller
from components.core.operations.deletion import undone
from components.core.operations.outcome import say_once
from components.core.ownership import gone, ledger_of, lost_to, noted, now, settled
from components.core.stored import Stored, inputs_of
from components.core.transaction import Transaction
from components.core.ways import Ways

if TYPE_CHECKING:
    from hosts.host import Host

_WRITTEN_BACK = (
    "Stockade's record on the host (/var/lib/stockade) was removed: its owner and the prior state are written there "
    "again, from the state"
)
_REINSTALLED = (
    "the host has no record of Stockade: it is another machine, or was reinstalled. The next `up` applies everything "
    "to it"
)


@dataclass(frozen=True)
class Reading(Generic[I, F]):
    """Reads resources of one chapter. `noted`: outputs to update if there is no drift, by the facts before and now."""

    chapter: Chapter[I, F]
    ways: Ways
    noted: Callable[[F | None, F], dict[str, Any]]

    def read(self, id_: str, props: Mapping[str, Any], state: Stored[I, F]) -> ReadResult:
        """Read a resource whose properties in the state are `props`. Raises Failure and any HostError."""
        host = self.ways.host_of(state.declared.host, state.declared.connection, state.machine)
        change = Transaction(self.chapter, host, state.declared)
        found, seen = settled(host, change.title), change.observe()
        shown = change.as_observed(state.as_applied, seen, imported=state.imported)
        same = shown == state.declared
        if gone(found, change.title, state, as_declared=same, undone=undone(self.chapter, state, seen)):
            console.warn(f"{state.declared.host}: {change.title}: {_REINSTALLED}")
            return ReadResult("", {})
        recorded = found.owner(change.title)
        say_once(state.declared.host, lost_to(recorded, caller().owner(state.claim), state.declared.host))
        self._renew(host, change.title, state)
        if state.unfinished or (same and "declared" not in props):
            return ReadResult(id_, {**props, **self.noted(state.observed, seen)}, inputs_of(props))
        if same:
            return ReadResult(id_, stored.undrifted(state), state.declared.props())
        return ReadResult(id_, stored.drifted(state, shown, seen), shown.props())

    def _renew(self, host: "Host", title: str, state: Stored[I, F]) -> None:
        """Update the names in the record: the resource, stack or project may have been renamed. If somebody removed the
        record, write it back."""
        found = ledger_of(host)
        owner, recorded = replace(caller().owner(state.claim), machine=found.machine.id), found.owner(title)
        if not found.has(title) and state.claim and state.prior is not None and owner.resource:
            owner = replace(owner, since=now())
            Transaction(self.chapter, host, state.declared).write_back(owner, state.prior)
            noted(host, title, owner)
            if not state.imported:  # otherwise it is written for the first time
                say_once(state.declared.host, f"{state.declared.host}: {_WRITTEN_BACK}")
            return
        if recorded is None or recorded.claim != owner.claim or not owner.resource:
            return
        owner = replace(owner, lineage=owner.lineage or recorded.lineage, since=recorded.since).after(recorded)
        if not recorded.same_as(owner):
            Transaction(self.chapter, host, state.declared, recorded).take_over(owner)
            noted(host, title, owner)

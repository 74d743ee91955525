"""Deletes a resource: restores what was on its machine before, hands it over, or leaves it to its new owner."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic

import pulumi

from components.config.identity import known_by
from components.config.shards import split
from components.core import console, stored
from components.core.chapter import Chapter, F, I, KnownState
from components.core.claims import CLAIMS, Caller, InState, caller
from components.core.ownership import gone, in_this_run, noted, undoes, with_ledger
from components.core.stored import Stored
from components.core.transaction import Transaction
from components.core.ways import Ways
from components.failure import Failure
from hosts.errors import HostError, Unreachable
from hosts.guard.record import Ledger, Machine, Owner

if TYPE_CHECKING:
    from hosts.host import Host

GONE_FOR_GOOD = (
    "If {host} is gone for good, remove its resources from the state: "
    "`pulumi state delete 'urn:pulumi:{stack}::{project}::stockade:index:HardenedHost::{host}' --target-dependents "
    "--stack {stack}`."
)


@dataclass(frozen=True)
class Deletion(Generic[I, F]):
    """Deletes resources of one chapter. `in_state`: reads what the whole state has; None: that is not known."""

    chapter: Chapter[I, F]
    ways: Ways
    in_state: Callable[[], InState | None]

    def delete(self, state: Stored[I, F]) -> None:
        """Delete a resource, using only its state and the stack config.

        If the record on the host names another owner, change nothing and say so.
        """
        if CLAIMS.superseded(state.claim):
            return  # another resource of this run took it over
        name = state.declared.host
        self._refuse_moved(name)
        try:
            if state.half_made:
                self._delete_half_made(state)
                return
            host = self.ways.host_of(name, state.declared.connection, state.machine)
            with_ledger(host, lambda found: self._delete(host, state, found))
        except Unreachable as error:
            raise Failure(
                f"{error}\n{GONE_FOR_GOOD.format(host=name, stack=caller().stack, project=caller().project)}"
            ) from error

    def _delete(self, host: "Host", state: Stored[I, F], found: Ledger) -> None:
        title = self.chapter.title(state.declared)
        change = Transaction(self.chapter, host, state.declared, found.owner(title))
        owner, there = caller().owner(state.claim), partial(still_there, change, state, found)
        why_not = undoes(found, title, state, owner, there=there, orphaned=self._orphaned)
        if why_not:
            console.warn(f"{state.declared.host}: {title}: nothing was undone: {why_not}")
            return
        if self._handed_back(host, state, found):
            return
        self._hold_back(state)
        self._put_back(change, state, recorded=found.has(title))
        noted(host, title, None)

    def _delete_half_made(self, state: Stored[I, F]) -> None:
        """Undo what a killed run was creating: its state names no machine, and several may have had the name since."""
        missed: list[HostError] = []
        done = False
        for host in self.ways.hosts_called(state.declared.host, state.declared.connection):
            try:
                host.connect()
            except HostError as error:
                missed.append(error)
                continue
            done |= with_ledger(host, partial(self._undo_half_made, host, state))
        if missed and not done:
            raise missed[0]

    def _undo_half_made(self, host: "Host", state: Stored[I, F], found: Ledger) -> bool:
        """Return whether this is a machine where it was being created."""
        state = replace(state, machine=known_by(found.machine, host.access))
        title, owner = self.chapter.title(state.declared), caller().owner("")
        recorded = found.owner(title)
        heir = self._heir(state.machine, title)
        if heir is not None and recorded is not None and recorded.claim == heir[1].claim:
            self._apply_again(host, *heir, found)  # it may be what the killed run made of it
            return True
        if not found.has(title):
            return False
        if recorded is not None and (
            not recorded.named_as(owner) or in_this_run(recorded, owner) or recorded.took_over_from(owner)
        ):
            return False
        if self._handed_back(host, state, found):
            return True
        known = self.in_state()
        if known is not None and known.has(state.machine.keys, title):
            return True  # that resource is deleted as well, after those that need it
        self._hold_back(state)
        self._put_back(Transaction(self.chapter, host, state.declared, recorded), state, recorded=True)
        noted(host, title, None)
        return True

    def _put_back(self, change: Transaction[I, F], state: Stored[I, F], *, recorded: bool) -> None:
        prior = state.prior
        of_another = change.recorded is not None and change.recorded.claim != state.claim
        if prior is None or (recorded and of_another):  # the host's own, newer record takes precedence
            if not recorded:
                return  # it failed before changing anything
            try:
                prior = change.read_prior()
            except Failure:
                if prior is None:
                    raise
                # the host's record is damaged, so the state's own counts
        if change.is_untouched(prior):
            change.forget()
            return
        known = KnownState(state.declared, state.observed, prior, state.observed, earlier=state.earlier)
        own = change.host
        change.host = self.chapter.host_for_restore(own, state.declared, known)
        change.put_back(known)
        for left in change.left:
            console.warn(f"{state.declared.host}: {change.title}: {left}")
        if change.host is not own:
            own.close()  # its login is gone; the next operation logs in again

    def _orphaned(self, recorded: Owner) -> bool:
        """Return whether a record of this state belongs to none of its resources: a killed run made it."""
        known = self.in_state()
        return known is not None and recorded.claim not in known.claims

    def _refuse_moved(self, host: str) -> None:
        """Refuse a host that moved to another shard: it stays hardened, and only the states need to change."""
        home = self.ways.config.moved_to(host, pulumi.get_stack())
        if home:
            raise Failure(
                f"{host}: belongs to the stack {home} now, so it is not undone here; "
                f"move it there: `stockade fleet move {split(home)[0]}`"
            )

    def _heir(self, machine: Machine, title: str) -> tuple[str, Stored[I, F]] | None:
        """Return the resource that the program declares for a machine, with its URN, if the state has it."""
        now = self.ways.config.named(machine.keys)
        if now is None or CLAIMS.failed(now):
            return None
        urn, kept = CLAIMS.state(now, title)
        heir: Stored[I, F] | None = stored.read(self.chapter, kept) if kept else None
        return (urn, heir) if heir is not None and heir.claim and not heir.unfinished else None

    def _handed_back(self, host: "Host", state: Stored[I, F], found: Ledger) -> bool:
        """Return a machine to the resource that had it before a rename that failed, or was killed, and was then
        reverted in the config.

        To the engine that resource is unchanged, so no other operation would do it: apply its inputs, and make it the
        recorded owner.
        """
        name, title = state.declared.host, self.chapter.title(state.declared)
        heir = self._heir(state.machine, title)
        if heir is None or self.ways.config.named(state.machine.keys) == name or found.owner(title) is None:
            return False
        self._apply_again(host, *heir, found)
        return True

    def _apply_again(self, host: "Host", urn: str, heir: Stored[I, F], found: Ledger) -> None:
        title = self.chapter.title(heir.declared)
        recorded = found.owner(title)
        change = Transaction(self.chapter, host, heir.declared, recorded)
        change.converge(KnownState())
        if recorded is None or recorded.claim == heir.claim:
            return
        owner = replace(Caller(urn).owner(heir.claim).after(recorded), machine=found.machine.id, since=recorded.since)
        change.take_over(owner)
        noted(host, title, owner)

    def _hold_back(self, state: Stored[I, F]) -> None:
        """Refuse to undo anything on a machine that the program still declares if a change of it failed in this run:
        its replacement may not be in force. Refuse likewise if the machine under its new name is still to take it
        over."""
        name, title, config = state.declared.host, self.chapter.title(state.declared), self.ways.config
        now = config.named(state.machine.keys) or (name if name in config else None)
        if now is None:
            return
        if CLAIMS.failed(now):
            raise Failure(
                f"{name}: {title}: not undone, because a change to {now} failed in this run. Run `up` again once that "
                "works"
            )
        if now != name and CLAIMS.declared(now, title):
            raise Failure(
                f"{name}: {title}: not undone: {now} is the same machine, and has not taken it over yet. "
                "Run `up` again once that works"
            )


def still_there(change: Transaction[Any, Any], state: Stored[Any, Any], found: Ledger) -> bool:
    """Return whether a host without a record still has what the state describes."""
    seen = change.observe()
    same = change.as_observed(state.as_applied, seen, imported=state.imported) == state.declared
    return not gone(found, change.title, state, as_declared=same, undone=undone(change.chapter, state, seen))


def undone(chapter: Chapter[Any, F], state: Stored[Any, F], seen: F) -> bool:
    """Return whether a host shows the prior state."""
    return state.prior is None or chapter.same_settings(state.prior, seen)

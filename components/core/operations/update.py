"""Updates a resource: applies what is declared now against what is known of its host."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NoReturn

from pulumi.dynamic import UpdateResult

from components.config.identity import known_by
from components.core import stored
from components.core.chapter import Chapter, F, I, KnownState, Unfinished
from components.core.claims import CLAIMS, caller
from components.core.operations.deletion import still_there
from components.core.operations.outcome import LEFT, say_taken_back
from components.core.ownership import check_owner, noted, now, with_ledger
from components.core.stored import Stored, outs
from components.core.transaction import Transaction
from components.core.ways import connected, say_outdated
from components.failure import Failure
from hosts.errors import HostError
from hosts.guard.record import Ledger

if TYPE_CHECKING:
    from hosts.host import Host
    from hosts.ssh.connection import HostAccess


@dataclass(frozen=True)
class Update(Generic[I, F]):
    """Updates resources of one chapter. `way_since`: how to reach a host now, if need be as the state knows it."""

    chapter: Chapter[I, F]
    way_since: Callable[[I, Stored[I, F]], "HostAccess | None"]

    def update(self, inputs: I, state: Stored[I, F]) -> UpdateResult:
        """Apply new inputs to a resource, or only note them if they concern nothing on the host.

        Raises Failure, any HostError, or `Unfinished` if the previous inputs could not be applied again.
        """
        same_way: dict[str, Any] = {"connection": inputs.connection}
        if inputs.existing != "takeOver":
            same_way["existing"] = inputs.existing
        if not (state.unfinished or state.earlier) and state.observed_inputs.model_copy(update=same_way) == inputs:
            return UpdateResult(stored.unchanged(inputs, state))
        host = connected(inputs.host, self.way_since(inputs, state))
        result = with_ledger(host, lambda found: self._update(host, inputs, state, found))
        CLAIMS.keep(caller().urn, lambda: result.outs or {})
        say_outdated(host)
        return result

    def _update(self, host: "Host", inputs: I, state: Stored[I, F], found: Ledger) -> UpdateResult:
        title = self.chapter.title(inputs)
        recorded = found.owner(title)
        since = recorded.since if recorded is not None and recorded.claim == state.claim else now()
        owner = caller().owner(state.claim or secrets.token_hex(16)).after(recorded)
        owner = replace(owner, machine=found.machine.id, since=since)
        anew = state.unfinished and not found.has(title)  # rolled back, or the machine was reinstalled
        change = Transaction(self.chapter, host, inputs, recorded, claim=owner if anew else None)
        there = partial(still_there, change, state, found)
        check_owner(found, owner, title, state, existing=inputs.existing, there=there)
        known = state.known
        if inputs.triggers != state.declared.triggers:  # the last recorded facts may be outdated
            known = known.seen(change.observe())
        try:
            seen = change.converge(KnownState() if anew else known)
        except (HostError, Failure) as error:
            self._failed(error, change, state)
        if recorded is None and state.prior is not None and not found.has(title) and not anew:
            change.write_back(owner, state.prior)
        elif not anew and (recorded is None or not recorded.same_as(owner)):
            change.take_over(owner)
            if recorded is not None and recorded.claim != owner.claim:
                CLAIMS.supersede(recorded.claim)
        noted(host, title, owner)
        CLAIMS.alive(owner.claim, caller().urn)
        machine = known_by(found.machine, host.access)
        prior = change.prior if anew else state.prior or change.prior
        return UpdateResult(outs(inputs, prior, seen, owner.claim, machine))

    def _failed(self, error: HostError | Failure, change: Transaction[I, F], state: Stored[I, F]) -> NoReturn:
        if not change.begun or not self.chapter.changes:
            raise error
        id_, known, prior = f"{change.inputs.host}/{change.title}", state.known, state.prior or change.prior
        if state.observed_inputs != state.declared:  # it still shows in the next preview
            assert state.observed is not None
            again = replace(state, earlier=(*state.earlier, change.inputs))
            raise Unfinished(str(error), id_, stored.drifted(again, state.observed_inputs, state.observed)) from error
        if known.last is not None and change.gone_back(known.last, known):
            say_taken_back(error)
        left = outs(
            change.inputs, prior, state.observed, state.claim, state.machine, unfinished=True, earlier=known.possible
        )
        raise Unfinished(f"{error}\n  {LEFT}", id_, left) from error

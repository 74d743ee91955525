"""Creates a resource: records what is on its host, then applies what is declared."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic

from pulumi.dynamic import CreateResult

from components.config.identity import known_by
from components.core import console, stored
from components.core.chapter import Chapter, F, I, KnownState, Unfinished
from components.core.claims import CLAIMS, caller
from components.core.operations.outcome import LEFT, say_once, say_taken_back
from components.core.ownership import copied, noted, now, taken_from, taken_over_from, with_ledger
from components.core.stored import outs
from components.core.transaction import Transaction
from components.core.ways import Ways, say_outdated
from components.failure import Failure
from hosts.errors import HostError
from hosts.guard.record import Ledger
from hosts.text.masking import shortened

if TYPE_CHECKING:
    from hosts.host import Host

_UNLIKE = (
    "what is there is not as declared, so it is changed, not only recorded. Unless you have changed the config since "
    "the host was read, somebody has changed the host"
)


@dataclass(frozen=True)
class Creation(Generic[I, F]):
    """Creates resources of one chapter."""

    chapter: Chapter[I, F]
    ways: Ways

    def create(self, inputs: I, props: Mapping[str, Any]) -> CreateResult:
        """Create a resource with these inputs, which `props` may have more of than the model.

        Raises Failure, any HostError, or `Unfinished` if the changes could not be rolled back.
        """
        host = self.ways.host(inputs.host, inputs.connection)
        known: KnownState[I, F] = KnownState(earlier=stored.earlier_of(self.chapter, props))
        result = with_ledger(host, lambda found: self._create(host, inputs, found, known))
        say_outdated(host)
        return result

    def _create(self, host: "Host", inputs: I, found: Ledger, known: KnownState[I, F]) -> CreateResult:
        owner = replace(caller().owner(secrets.token_hex(16)), machine=found.machine.id, since=now())
        title = self.chapter.title(inputs)
        recorded = found.owner(title)
        if recorded is not None:
            taken_from(found, owner, inputs.host, title, inputs.existing)
            if not copied(recorded, found.machine):
                say_once(inputs.host, taken_over_from(recorded, owner, inputs.host))
                owner = owner.after(recorded)
        change = Transaction(self.chapter, host, inputs, recorded, claim=None if recorded else owner)
        if recorded is None and inputs.existing == "fail":
            _refuse_existing(change)
        id_, machine = f"{inputs.host}/{title}", known_by(found.machine, host.access)
        CLAIMS.alive(owner.claim, caller().urn)
        try:
            if inputs.existing == "asIs" and recorded is None:
                if change.is_as_declared():
                    prior = change.adopt(owner)
                    noted(host, title, owner)
                    return CreateResult(id_, outs(inputs, prior, prior, owner.claim, machine, imported=True))
                if there := change.unlike():
                    console.warn(f"{inputs.host}: {title}: {_UNLIKE}: {shortened(there, 2000)}")
            seen = change.converge(known)
            if recorded is not None:
                change.take_over(owner)
                if not copied(recorded, found.machine):
                    CLAIMS.supersede(recorded.claim)
        except (HostError, Failure) as error:
            CLAIMS.dead(owner.claim)
            if not change.begun:
                raise
            if recorded is None and (change.taken_back() or not self.chapter.changes):
                noted(host, title, None)
                say_taken_back(error, changed=self.chapter.changes)
            state = outs(inputs, change.prior, None, owner.claim, machine, unfinished=True)
            raise Unfinished(f"{error}\n  {LEFT}", id_, state) from error
        noted(host, title, owner)
        return CreateResult(id_, outs(inputs, change.prior, seen, owner.claim, machine))


def _refuse_existing(change: Transaction[I, F]) -> None:
    if there := change.already_configured():
        raise Failure(
            f"{change.inputs.host}: {change.title}: {there}; "
            "with `existing: adopt`, Stockade takes it over and restores it on delete"
        )

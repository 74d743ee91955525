"""The base class of every chapter's provider: Pulumi's CRUD built from observe, apply and restore.

A chapter (`components/core/chapter.py`) says what to read on a host, what to change and how to roll that back.
`HostProvider` makes a dynamic provider of it. States refer to provider classes by module path and class name, so these
are a contract: renaming one breaks users' stacks.
"""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NoReturn

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from components.config.former import Former
from components.config.identity import known_by
from components.config.inventory import Inventory
from components.core import console, stored
from components.core.chapter import Chapter, F, I, KnownState, Unfinished
from components.core.claims import CLAIMS, InState, caller
from components.core.deletion import Deletion, still_there, undone
from components.core.importing import taken, told
from components.core.ownership import (
    check_owner,
    copied,
    gone,
    ledger_of,
    lost_to,
    noted,
    now,
    read_again,
    settled,
    taken_from,
    taken_over_from,
    with_ledger,
)
from components.core.stored import OUTPUTS, Stored, has_unknown, inputs_of, outs
from components.core.transaction import Transaction
from components.core.ways import Ways, connected, say_outdated
from components.failure import Failure
from hosts.errors import HostError
from hosts.guard.record import Ledger, record_name
from hosts.text.masking import shortened

if TYPE_CHECKING:
    from hosts.host import Host
    from hosts.ssh.connection import HostAccess


class HostProvider(ResourceProvider, Generic[I, F]):
    """Pulumi's CRUD over one chapter. Subclasses set `chapter` and nothing else."""

    serialize_as_secret_always = False
    chapter: Chapter[I, F]
    outputs = OUTPUTS
    """Properties that are not inputs. If nothing else changed, `diff` finds no change and is not even called
    (provider/)."""
    _access = Inventory({})
    former = Former()
    """The hosts of earlier stack configs, for hosts that are no longer in it."""

    def in_state(self) -> InState | None:
        """Return what the whole state has; None if that is not known. The provider's process replaces this."""
        return None

    def configure(self, req: ConfigureRequest) -> None:
        """Read the hosts of the stack config: current credentials take precedence over those in the state."""
        self._access = Inventory.of(req.config.get)

    def knows(self, host: str) -> bool:
        """Return whether the stack config says how to reach a host."""
        return host in self._access

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Validate and normalise the inputs. Values unknown in a preview are skipped."""
        given = inputs_of(news)
        known = {key: value for key, value in given.items() if not has_unknown(value) and key != "connection"}
        try:
            model = self.chapter.inputs.model_validate(known)
        except ValidationError as error:
            real = (item for item in error.errors() if item["type"] != "missing" or item["loc"][0] not in given)
            return CheckResult(given, [_check_failure(item) for item in real])
        CLAIMS.declare(model.host, self.chapter.title(model))
        normal = {key: value for key, value in model.props().items() if key in known or key not in given}
        return CheckResult({**given, **normal}, [])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare the inputs one by one. A change of an input in `replaced_by`, or of the machine, replaces the
        resource.

        The new resource is created before the old one is deleted, so the declared settings stay in force. On the same
        host it takes over the old one's record, and deleting the old one then changes nothing.
        """
        olds, news = inputs_of(_olds), inputs_of(_news)
        names = set(news) | set(olds)
        if _olds.get("imported"):  # what the CLI imported has no defaults among the inputs before an `up`
            names -= set(olds) - set(news) - set(told(self.chapter.inputs.model_validate(olds)))
        changed = {name for name in names if has_unknown(news.get(name)) or olds.get(name) != news.get(name)}
        replaces = changed & self.chapter.replaced_by
        if self.elsewhere(_olds, _news):
            replaces = replaces | {"connection"}
        changes = bool(changed or replaces or _olds.get("unfinished") or _olds.get("earlier"))
        return DiffResult(changes=changes, replaces=sorted(replaces), delete_before_replace=False)

    def elsewhere(self, olds: Mapping[str, Any], news: Mapping[str, Any]) -> str:
        """Return whether a host is another machine than the one in the state: see `Ways.elsewhere`."""
        return self._ways.elsewhere(olds, news)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Observe, record the prior state, apply, observe again: one remote run.

        A host that another resource of the stack managed is taken over together with its prior state. On failure the
        changes are rolled back; raises `Unfinished` if that fails too.
        """
        inputs = self._inputs(props)
        host = self._ways.host(inputs.host, inputs.connection)
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
                _say_once(inputs.host, taken_over_from(recorded, owner, inputs.host))
                owner = owner.after(recorded)
        elif inputs.existing == "fail":
            self._refuse_existing(host, inputs)
        change = Transaction(self.chapter, host, inputs, recorded, claim=None if recorded else owner)
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
                _say_taken_back(error, changed=self.chapter.changes)
            state = outs(inputs, change.prior, None, owner.claim, machine, unfinished=True)
            raise Unfinished(f"{error}\n  {_LEFT}", id_, state) from error
        noted(host, title, owner)
        return CreateResult(id_, outs(inputs, change.prior, seen, owner.claim, machine))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Observe once. Drift on the host shows as changed inputs; anything else changes nothing.

        If the machine has no record of this resource, the resource is gone: the next `up` creates it again.
        """
        state = self._stored(props)
        host = self._host_of(state)
        change = Transaction(self.chapter, host, state.declared)
        found, seen = settled(host, change.title), change.observe()
        shown = change.as_observed(state.as_applied, seen, imported=state.imported)
        same = shown == state.declared
        if gone(found, change.title, state, as_declared=same, undone=undone(self.chapter, state, seen)):
            console.warn(f"{state.declared.host}: {change.title}: {_REINSTALLED}")
            return ReadResult("", {})
        recorded = found.owner(change.title)
        _say_once(state.declared.host, lost_to(recorded, caller().owner(state.claim), state.declared.host))
        self._renew(host, change.title, state)
        if state.unfinished or (same and "declared" not in props):
            return ReadResult(id_, {**props, **self.noted(state.observed, seen)}, inputs_of(props))
        if same:
            return ReadResult(id_, stored.undrifted(state), state.declared.props())
        return ReadResult(id_, stored.drifted(state, shown, seen), shown.props())

    def take(self, id_: str, *, record: bool, refuse: bool) -> ReadResult:
        """Import what a host has: see `importing.taken`."""
        return taken(self, id_, record=record, refuse=refuse)

    def noted(self, before: F | None, seen: F) -> dict[str, Any]:
        """Outputs to update after a refresh that found no drift."""
        del before, seen
        return {}

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Apply against the last recorded facts. A change that only concerns the connection touches no host.

        On failure the previous inputs are applied again; raises `Unfinished` if that fails too.
        """
        inputs, state = self._inputs(_news), self._stored(_olds)
        same_way: dict[str, Any] = {"connection": inputs.connection}
        if inputs.existing != "takeOver":
            same_way["existing"] = inputs.existing
        if not (state.unfinished or state.earlier) and state.observed_inputs.model_copy(update=same_way) == inputs:
            return UpdateResult(stored.unchanged(inputs, state))
        host = connected(inputs.host, self._way_since(inputs, state))
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
            self._failed_update(error, change, state)
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

    def _failed_update(self, error: HostError | Failure, change: Transaction[I, F], state: Stored[I, F]) -> NoReturn:
        if not change.begun or not self.chapter.changes:
            raise error
        id_, known, prior = f"{change.inputs.host}/{change.title}", state.known, state.prior or change.prior
        if state.observed_inputs != state.declared:  # it still shows in the next preview
            assert state.observed is not None
            again = replace(state, earlier=(*state.earlier, change.inputs))
            raise Unfinished(str(error), id_, stored.drifted(again, state.observed_inputs, state.observed)) from error
        if known.last is not None and change.gone_back(known.last, known):
            _say_taken_back(error)
        left = outs(
            change.inputs, prior, state.observed, state.claim, state.machine, unfinished=True, earlier=known.possible
        )
        raise Unfinished(f"{error}\n  {_LEFT}", id_, left) from error

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Restore what was there before `create`, using only the state and the stack config.

        If the record names another owner, change nothing and say so.
        """
        Deletion(self.chapter, self._ways, self.in_state).delete(self._stored(_props))

    def left_with(self, props: Mapping[str, Any], *, anew: bool = False) -> frozenset[str]:
        """Return what else this run may delete on a resource's machine: the names in its record that are of this stack,
        and that the run's program does not declare. `anew`: other names of the machine may have changed the record."""
        state, own = self._stored(props), caller()
        if CLAIMS.superseded(state.claim):
            return frozenset()  # nothing will be done
        try:
            host = self._host_of(state)
            found = ledger_of(host)
            if anew and found.owners:
                found = read_again(host)
            names = {state.declared.host, self._access.named(found.machine.keys)}
        except (HostError, Failure):
            return frozenset()  # the operation itself will report it
        declared = {record_name(title) for name in names if name for title in CLAIMS.titles(name)}
        ours = (
            name
            for name, one in found.owners.items()
            if (one.project, one.stack) == (own.project, own.stack) and not CLAIMS.urn(one.claim)
        )
        return frozenset(ours) - declared

    def machine_of(self, props: Mapping[str, Any]) -> frozenset[str]:
        """Return the host keys of a resource's machine; of what a killed run was creating, those of all machines that
        have or had the host's name."""
        state = self._stored(props)
        return frozenset(state.machine.keys) or self.former.keys_of(state.declared.host)

    def _look(self, state: Stored[I, F]) -> F:
        return Transaction(self.chapter, self._host_of(state), state.declared).observe()

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
                _say_once(state.declared.host, f"{state.declared.host}: {_WRITTEN_BACK}")
            return
        if recorded is None or recorded.claim != owner.claim or not owner.resource:
            return
        owner = replace(owner, lineage=owner.lineage or recorded.lineage, since=recorded.since).after(recorded)
        if not recorded.same_as(owner):
            Transaction(self.chapter, host, state.declared, recorded).take_over(owner)
            noted(host, title, owner)

    def _refuse_existing(self, host: "Host", inputs: I) -> None:
        there = Transaction(self.chapter, host, inputs).already_configured()
        if there:
            raise Failure(
                f"{inputs.host}: {self.chapter.title(inputs)}: {there}; "
                "with `existing: adopt`, Stockade takes it over and restores it on delete"
            )

    def _inputs(self, props: Mapping[str, Any]) -> I:
        return self.chapter.inputs.model_validate(inputs_of(props))

    def _stored(self, props: Mapping[str, Any]) -> Stored[I, F]:
        return stored.read(self.chapter, props)

    def host_to_import(self, name: str) -> "Host":
        """Return the host of an import. Raises Failure if the stack config does not have it."""
        if name not in self._access:
            known = ", ".join(sorted(self._access)[:8]) or "none"
            raise Failure(
                f"{name}: no such host: `import` reaches hosts by `stockade:hosts` of the stack config, or by the "
                f"provider's input `hosts` (there: {known})"
            )
        return self._ways.host(name, None)

    @property
    def _ways(self) -> Ways:
        return Ways(self._access, self.former)

    def _way_since(self, inputs: I, state: Stored[I, F]) -> "HostAccess | None":
        """Return the access data for a change, including logins that the state knows to have been valid before."""
        return self._ways.since(inputs.host, inputs.connection, state.declared.connection)

    def _host_of(self, state: Stored[I, F]) -> "Host":
        return self._ways.host_of(state.declared.host, state.declared.connection, state.machine)


_LEFT = "Its changes could not be rolled back: run `up` to finish them, or `destroy` to undo them."
_UNLIKE = (
    "what is there is not as declared, so it is changed, not only recorded. Unless you have changed the config since "
    "the host was read, somebody has changed the host"
)
_WRITTEN_BACK = (
    "Stockade's record on the host (/var/lib/stockade) was removed: its owner and the prior state are written there "
    "again, from the state"
)
_REINSTALLED = (
    "the host has no record of Stockade: it is another machine, or was reinstalled. The next `up` applies everything "
    "to it"
)


def _say_once(host: str, text: str) -> None:
    """Warn once about something that concerns all resources of a host."""
    if text and not CLAIMS.said(host, text.partition(" since ")[0]):
        console.warn(text)


def _say_taken_back(error: HostError | Failure, *, changed: bool = True) -> NoReturn:
    if not changed:
        raise error
    outcome = "Nothing of this change is left on the host."
    if isinstance(error, HostError):
        error.hint = "\n  ".join(part for part in (error.hint, outcome) if part)
        raise error
    raise Failure(f"{error}\n  {outcome}") from error


def _check_failure(item: Any) -> CheckFailure:
    path = ".".join(str(part) if isinstance(part, int) else to_camel(part) for part in item["loc"])
    return CheckFailure(path, item["msg"].removeprefix("Value error, "))

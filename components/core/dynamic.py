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

import pulumi
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
from components.config.shards import split
from components.core import console, stored
from components.core.chapter import Chapter, F, I, KnownState, Unfinished
from components.core.claims import CLAIMS, Caller, caller
from components.core.importing import taken, told
from components.core.ownership import (
    check_owner,
    copied,
    gone,
    ledger_of,
    lost_to,
    noted,
    now,
    settled,
    taken_from,
    taken_over_from,
    undoes,
    with_ledger,
)
from components.core.stored import OUTPUTS, Stored, inputs_of, outs
from components.core.transaction import Transaction
from components.core.unknown import has_unknown
from components.core.ways import Ways, connected, say_outdated
from components.failure import Failure
from hosts.errors import HostError, Unreachable
from hosts.guard.record import Ledger, record_name

if TYPE_CHECKING:
    from hosts.host import Host
    from hosts.ssh.connection import HostAccess

GONE_FOR_GOOD = (
    "If {host} is gone for good, remove its resources from the state: "
    "`pulumi state delete 'urn:pulumi:{stack}::{project}::stockade:index:HardenedHost::{host}' --target-dependents "
    "--stack {stack}`."
)


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

    def configure(self, req: ConfigureRequest) -> None:
        """Read the hosts of the stack config: current credentials take precedence over those in the state."""
        self._access = Inventory.of(req.config.get)

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
        changes = bool(changed or replaces or _olds.get("unfinished"))
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
        result = with_ledger(host, lambda found: self._create(host, inputs, found))
        say_outdated(host)
        return result

    def _create(self, host: "Host", inputs: I, found: Ledger) -> CreateResult:
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
            seen = change.converge(KnownState())
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
        if gone(found, change.title, state, as_declared=same, undone=self._undone(state, seen)):
            console.warn(f"{state.declared.host}: {change.title}: {_REINSTALLED}")
            return ReadResult("", {})
        recorded = found.owner(change.title)
        _say_once(state.declared.host, lost_to(recorded, caller().owner(state.claim), state.declared.host))
        self._renew(host, change.title, state)
        if state.unfinished or (same and "declared" not in props):
            return ReadResult(id_, {**props, **self.noted(state.observed, seen)}, inputs_of(props))
        if same:
            kept = outs(state.declared, state.prior, state.applied, state.claim, state.machine, imported=state.imported)
            return ReadResult(id_, kept, state.declared.props())
        return ReadResult(id_, stored.drifted(state, shown, seen), shown.props())

    def take(self, id_: str, *, record: bool) -> ReadResult:
        """Import what a host has: see `importing.taken`."""
        return taken(self, id_, record=record)

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
        if not state.unfinished and state.observed_inputs.model_copy(update=same_way) == inputs:
            return UpdateResult(
                outs(inputs, state.prior, state.observed, state.claim, state.machine, imported=state.imported)
            )
        host = connected(inputs.host, self._way_since(inputs, state))
        result = with_ledger(host, lambda found: self._update(host, inputs, state, found))
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
        there = partial(self._there, change, state, found)
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
        drifted = state.observed_inputs != state.declared
        if not change.begun or not self.chapter.changes or drifted:  # drift still shows in the next preview
            raise error
        known, prior = state.known, state.prior or change.prior
        if known.last is not None and change.gone_back(known.last, known):
            _say_taken_back(error)
        left = outs(change.inputs, prior, state.observed, state.claim, state.machine, unfinished=True)
        raise Unfinished(f"{error}\n  {_LEFT}", f"{change.inputs.host}/{change.title}", left) from error

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Restore what was there before `create`, using only the state and the stack config.

        If the record names another owner, change nothing and say so.
        """
        state = self._stored(_props)
        if CLAIMS.superseded(state.claim):
            return  # another resource of this run took it over
        name = state.declared.host
        self._refuse_moved(name)
        try:
            host = self._host_of(state)
            with_ledger(host, lambda found: self._delete(host, state, found))
        except Unreachable as error:
            raise Failure(
                f"{error}\n{GONE_FOR_GOOD.format(host=name, stack=caller().stack, project=caller().project)}"
            ) from error

    def left_with(self, props: Mapping[str, Any]) -> frozenset[str]:
        """Return what else this stack has on a host and this run's program does not declare: names in its record."""
        state, own = self._stored(props), caller()
        try:
            owners = ledger_of(self._host_of(state)).owners
        except (HostError, Failure):
            return frozenset()  # the operation itself will report it
        declared = {record_name(title) for title in CLAIMS.titles(state.declared.host)}
        ours = (name for name, one in owners.items() if (one.project, one.stack) == (own.project, own.stack))
        return frozenset(ours) - declared

    def _delete(self, host: "Host", state: Stored[I, F], found: Ledger) -> None:
        title = self.chapter.title(state.declared)
        change = Transaction(self.chapter, host, state.declared, found.owner(title))
        owner, there = caller().owner(state.claim), partial(self._there, change, state, found)
        why_not = undoes(found, title, state, owner, there)
        if why_not:
            console.warn(f"{state.declared.host}: {title}: nothing was undone: {why_not}")
            return
        if self._handed_back(host, state, found):
            return
        self._hold_back(state)
        self._put_back(change, state, recorded=found.has(title))
        noted(host, title, None)

    def _put_back(self, change: Transaction[I, F], state: Stored[I, F], *, recorded: bool) -> None:
        prior = state.prior
        of_another = change.recorded is not None and change.recorded.claim != state.claim
        if prior is None or (recorded and of_another):  # the host's own, newer record takes precedence
            if not recorded:
                return  # it failed before changing anything
            prior = change.read_prior()
        known = KnownState(state.declared, state.observed, prior, state.observed)
        own = change.host
        change.host = self.chapter.host_for_restore(own, state.declared, known)
        change.put_back(known)
        for left in change.left:
            console.warn(f"{state.declared.host}: {change.title}: {left}")
        if change.host is not own:
            own.close()  # its login is gone; the next operation logs in again

    def _there(self, change: Transaction[I, F], state: Stored[I, F], found: Ledger) -> bool:
        """Return whether a host without a record still has what the state describes."""
        seen = change.observe()
        same = change.as_observed(state.as_applied, seen, imported=state.imported) == state.declared
        return not gone(found, change.title, state, as_declared=same, undone=self._undone(state, seen))

    def _undone(self, state: Stored[I, F], seen: F) -> bool:
        return state.prior is None or self.chapter.same_settings(state.prior, seen)

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

    def _refuse_moved(self, host: str) -> None:
        """Refuse a host that moved to another shard: it stays hardened, and only the states need to change."""
        home = self._access.moved_to(host, pulumi.get_stack())
        if home:
            raise Failure(
                f"{host}: belongs to the stack {home} now, so it is not undone here; "
                f"move it there: `python -m fleet move {split(home)[0]}`"
            )

    def _handed_back(self, host: "Host", state: Stored[I, F], found: Ledger) -> bool:
        """Return a machine to the resource that had it before a failed rename that was then reverted in the config.

        To the engine that resource is unchanged, so no other operation would do it: apply its inputs, and make it the
        recorded owner.
        """
        name, title = state.declared.host, self.chapter.title(state.declared)
        now = None if name in self._access else self._access.named(state.machine.keys)
        if now is None or CLAIMS.failed(now):
            return False
        urn, kept = CLAIMS.state(now, title)
        heir = self._stored(kept) if kept else None
        recorded = found.owner(title)
        if heir is None or not heir.claim or heir.unfinished or recorded is None:
            return False
        change = Transaction(self.chapter, host, heir.declared, recorded)
        change.converge(KnownState())
        owner = replace(Caller(urn).owner(heir.claim).after(recorded), machine=found.machine.id, since=recorded.since)
        change.take_over(owner)
        noted(host, title, owner)
        return True

    def _hold_back(self, state: Stored[I, F]) -> None:
        """Refuse to undo anything on a machine that the program still declares if a change of it failed in this run:
        its replacement may not be in force. Refuse likewise if the machine under its new name is still to take it
        over."""
        name, title = state.declared.host, self.chapter.title(state.declared)
        now = name if name in self._access else self._access.named(state.machine.keys)
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

"""Ownership of a resource on a host: compares the record on the host with the state."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from components.core.claims import CLAIMS, caller
from components.core.stored import Stored
from components.failure import Failure
from hosts.errors import CommandFailed
from hosts.guard.guarded import HELD, hold
from hosts.guard.record import CHANGED, Ledger, Machine, Owner, read_ledger, record_name

if TYPE_CHECKING:
    from hosts.host import Host

T = TypeVar("T")


def ledger_of(host: "Host", title: str = "the record") -> Ledger:
    """Return a host's record; read once per run, on behalf of the resource `title`.

    Every change verifies that it is still current.
    """
    with host.ledger.lock:
        if host.ledger.found is None:
            host.ledger.found = read_ledger(host, title)
        return host.ledger.found


def read_again(host: "Host") -> Ledger:
    """Return a host's record, read again. Raises any HostError."""
    with host.ledger.lock:
        host.ledger.found = None
        return ledger_of(host)


def settled(host: "Host", title: str) -> Ledger:
    """Return a host's record for the resource `title`, after any armed change of a dead run is rolled back.

    Such a change is about to be rolled back by the host, so this does it now. A run that is still alive confirms its
    change, or rolls it back, itself. Raises any HostError.
    """
    with host.ledger.lock:
        if not host.ledger.settled and ledger_of(host, title).unsettled(host.identity.token):
            host.ledger.settled = True  # if another run holds the host, each attempt waits 15 s
            try:
                host.run(hold(host.identity), resource=title)
            except CommandFailed as error:
                if error.exit_status != HELD:
                    raise
            host.ledger.found = None
        return ledger_of(host, title)


def with_ledger(host: "Host", work: Callable[[Ledger], T]) -> T:
    """Run `work` with the host's record. Retry once if the record is outdated: a dead run's change may have been rolled
    back meanwhile.

    Raises what `work` raises.
    """
    try:
        return work(ledger_of(host))
    except CommandFailed as error:
        if error.exit_status != CHANGED:
            raise
    with host.ledger.lock:
        host.ledger.found = None
    return work(ledger_of(host))


def now() -> str:
    """Return the time, as the record has it."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def noted(host: "Host", title: str, owner: Owner | None) -> None:
    """Note the current recorded owner of `title`, or that there is none."""
    with host.ledger.lock:
        found = host.ledger.found
        if found is None:
            return
        name = record_name(title)
        others = {key: value for key, value in found.owners.items() if key != name}
        owners = others if owner is None else {**others, name: owner}
        priors = found.priors - {name} if owner is None else found.priors | {name}
        host.ledger.found = replace(found, owners=owners, priors=priors)


def copied(recorded: Owner, machine: Machine) -> bool:
    """Return whether a record was made on another machine, so that this disk is a copy."""
    return bool(recorded.machine and machine.id and recorded.machine != machine.id)


def taken_from(found: Ledger, owner: Owner, host: str, title: str, existing: str) -> None:
    """Refuse to let `owner` take over what another stack, or another resource of this run, manages.

    Raises `Failure`.
    """
    recorded = found.owner(title)
    if recorded is None or copied(recorded, found.machine):
        return
    alive = CLAIMS.urn(recorded.claim)
    if alive and alive != caller().urn and not recorded.named_as(owner):
        raise Failure(
            f"{host}: {title}: nothing was changed: this machine is in the stack twice: {recorded.resource} "
            "manages it as well. Remove one of the two from the config"
        )
    if existing == "fail" or recorded.took_over_from(owner):
        _refuse_another_state(recorded, owner, host, title, existing)
    if (recorded.project, recorded.stack) == (owner.project, owner.stack) or existing == "takeOver":
        return
    raise Failure(
        f"{host}: {title}: nothing was changed: the stack {recorded.stack} of the project {recorded.project} "
        f"manages it ({recorded.resource}). Remove the host from one of the two stacks. If that stack has been renamed "
        f"to {owner.stack}, run `refresh` on it first; if it is gone for good, `existing: takeOver` takes it over"
    )


def check_owner(
    found: Ledger, owner: Owner, title: str, state: Stored[Any, Any], *, existing: str, there: Callable[[], bool]
) -> None:
    """Refuse to change what has another owner by now, or no longer exists. Raises `Failure`.

    `existing`: as currently declared. `there`: checks whether the settings are still on a host without a record.
    """
    recorded = found.owner(title)
    if recorded is None:
        if found.has(title) or not state.claim or state.unfinished or there():
            return
        raise Failure(
            f"{state.declared.host}: {title}: nothing was changed: the host no longer has a record of Stockade: it is "
            "another machine, or was reinstalled. Run `refresh`, then `up`: everything is applied to it again"
        )
    if recorded.claim == owner.claim or copied(recorded, found.machine):
        return
    if recorded.took_over_from(owner):
        _refuse_another_state(recorded, owner, state.declared.host, title, existing)
    else:  # same stack, as after a reverted rename: the config decides
        taken_from(found, owner, state.declared.host, title, "adopt")


def gone(found: Ledger, title: str, state: Stored[Any, Any], *, as_declared: bool, undone: bool) -> bool:
    """Return whether nothing of a state's resource is left on the host: there is no record, and either the machine or
    its settings are different.

    `undone`: the settings are the prior ones. If they are neither, and it is certainly the same machine, then somebody
    removed the record and changed something, or the record itself is part of what was declared.
    """
    if found.has(title) or not state.claim:
        return False
    if state.unfinished or _is_other(found.machine, state.machine):
        return True
    return not as_declared and (undone or not found.machine.id or found.machine.id != state.machine.id)


def undoes(
    found: Ledger,
    title: str,
    state: Stored[Any, Any],
    owner: Owner,
    *,
    there: Callable[[], bool],
    orphaned: Callable[[Owner], bool],
) -> str:
    """Return why a resource may not undo what is on a host; "" if it may.

    `there`: checks whether the settings are still on a host without a record. A record with the same name but another
    claim is unknown to the state: the stack was restored from a backup. `orphaned`: checks whether a record of this
    state, under any name, is unknown to it: a killed run was renaming the host.
    """
    recorded = found.owner(title)
    if recorded is not None:
        if recorded.claim == state.claim:
            return ""
        if in_this_run(recorded, owner) or recorded.took_over_from(owner):
            return _other(recorded, owner)
        ours = recorded.named_as(owner) or (recorded.of_same_state(owner) and orphaned(recorded))
        return "" if ours else _other(recorded, owner)
    if found.has(title) or not state.claim:
        return ""
    if state.unfinished:
        return "the host has no record of it: it was rolled back already"
    if _is_other(found.machine, state.machine):
        return "this is another machine now; the one that was hardened is left as it is"
    if not there():
        return "the host has no record of Stockade and is not as declared: it was undone, or the host was reinstalled"
    return ""


def in_this_run(recorded: Owner, owner: Owner) -> bool:
    """Return whether a record belongs to a resource that this run has seen alive, or was made by it."""
    return bool(CLAIMS.urn(recorded.claim) or (recorded.run and recorded.run == owner.run))


def _is_other(one: Machine, other: Machine) -> bool:
    """Return whether two machines certainly differ, or are different installations of one: by machine-id if both have
    one, otherwise because they share no host key."""
    if one.id and other.id:
        return one.id != other.id
    return not set(one.keys) & set(other.keys) and bool(one.keys and other.keys)


def _refuse_another_state(recorded: Owner, owner: Owner, host: str, title: str, existing: str) -> None:
    if recorded.of_another_state(owner) and existing != "takeOver":
        raise Failure(f"{host}: {title}: nothing was changed: {_other(recorded, owner)}. {TAKE_BACK}")


def taken_over_from(recorded: Owner, owner: Owner, host: str) -> str:
    """Return a message if another state of this stack managed the host before; "" if not."""
    if not recorded.of_another_state(owner):
        return ""
    return (
        f"{host}: taken over: by its record, another state of this stack managed it{_since(recorded)}. That is "
        "right if that state is lost. If another checkout has it, runs from there will change nothing from now on"
    )


def lost_to(recorded: Owner | None, owner: Owner, host: str) -> str:
    """Return a message if another state of this stack manages the host now; "" if not."""
    if recorded is None or recorded.claim == owner.claim or not recorded.took_over_from(owner):
        return ""
    return f"{host}: no longer managed from here: {_other(recorded, owner)}. {TAKE_BACK}"


TAKE_BACK = (
    "Use that state instead of this one (`state delete` removes a host from this one and changes nothing on it), or "
    "take the host back with `existing: takeOver`"
)


def _since(recorded: Owner) -> str:
    return f" since {recorded.since} (claim {recorded.claim[:8]})" if recorded.since else ""


def _other(recorded: Owner, owner: Owner) -> str:
    if recorded.of_another_state(owner):
        return f"another state of this stack, such as another checkout's, manages it{_since(recorded)}"
    where = ""
    if (recorded.project, recorded.stack) != (owner.project, owner.stack):
        where = f" of the stack {recorded.stack} (project {recorded.project})"
    return f"{recorded.resource}{where} manages it now"

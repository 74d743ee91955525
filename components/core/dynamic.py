"""The base class of every chapter's provider: Pulumi's CRUD built from observe, apply and restore.

A chapter (`components/core/chapter.py`) says what to read on a host, what to change and how to roll that back.
`HostProvider` makes a dynamic provider of it. States refer to provider classes by module path and class name, so these
are a contract: renaming one breaks users' stacks.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic

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
from components.config.inventory import Inventory
from components.core import stored
from components.core.chapter import Chapter, F, I
from components.core.claims import CLAIMS, InState, caller
from components.core.operations.creation import Creation
from components.core.operations.deletion import Deletion
from components.core.operations.importing import taken, told
from components.core.operations.reading import Reading
from components.core.operations.update import Update
from components.core.ownership import (
    ledger_of,
    read_again,
)
from components.core.stored import OUTPUTS, Stored, has_unknown, inputs_of
from components.core.ways import Ways
from components.failure import Failure
from hosts.errors import HostError
from hosts.guard.record import record_name

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
        return Creation(self.chapter, self._ways).create(self._inputs(props), props)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Observe once. Drift on the host shows as changed inputs; anything else changes nothing.

        If the machine has no record of this resource, the resource is gone: the next `up` creates it again.
        """
        return Reading(self.chapter, self._ways, self.noted).read(id_, props, self._stored(props))

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
        return Update(self.chapter, self.way_since).update(self._inputs(_news), self._stored(_olds))

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

    def way_since(self, inputs: I, state: Stored[I, F]) -> "HostAccess | None":
        """Return the access data for a change, including logins that the state knows to have been valid before."""
        return self._ways.since(inputs.host, inputs.connection, state.declared.connection)

    def _host_of(self, state: Stored[I, F]) -> "Host":
        return self._ways.host_of(state.declared.host, state.declared.connection, state.machine)


def _check_failure(item: Any) -> CheckFailure:
    path = ".".join(str(part) if isinstance(part, int) else to_camel(part) for part in item["loc"])
    return CheckFailure(path, item["msg"].removeprefix("Value error, "))

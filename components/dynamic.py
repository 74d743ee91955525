"""The one base of every chapter: Pulumi's check, diff, create, read, update and delete from observe, apply and restore.

A chapter (`components/chapter.py`) says what it reads on a host, what it changes and how that goes back. `HostProvider`
makes the dynamic provider of it. State refers to provider classes by module path and class name: they are a contract;
renaming one breaks the stacks of its users.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic

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
from pulumi.output import Unknown
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from components.change import Change
from components.chapter import STALE, Chapter, F, Failure, I, Known
from components.inventory import Inventory, way_to
from components.shards import split
from hosts.errors import Unreachable
from hosts.guard import is_armed
from hosts.record import forget, forget_after, remember
from hosts.shell import Answer

if TYPE_CHECKING:
    from hosts.host import Host

REFERENCE = "__provider"
OUTPUTS = frozenset({REFERENCE, "observed", "prior"})
ATTEMPTS = 3


class HostProvider(ResourceProvider, Generic[I, F]):
    """Pulumi's CRUD over one chapter. Subclasses set `chapter` and nothing else."""

    serialize_as_secret_always = False
    chapter: Chapter[I, F]
    outputs = OUTPUTS
    """What is no input: where all else is as it was, `diff` finds no change, and is not even asked (provider/)."""
    _access = Inventory({})

    def configure(self, req: ConfigureRequest) -> None:
        """Read the hosts of the stack config: credentials as they are today, whatever the state says."""
        self._access = Inventory.of(req.config.get)

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Validate and normalise the inputs; what is unknown in a preview is left for later."""
        given = _inputs_of(news)
        known = {key: value for key, value in given.items() if not has_unknown(value) and key != "connection"}
        try:
            model = self.chapter.inputs.model_validate(known)
        except ValidationError as error:
            real = (item for item in error.errors() if item["type"] != "missing" or item["loc"][0] not in given)
            return CheckResult(given, [_check_failure(item) for item in real])
        normal = {key: value for key, value in model.props().items() if key in known or key not in given}
        return CheckResult({**given, **normal}, [])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare input by input; a resource is replaced when an input in `replaced_by` changes."""
        olds, news = _inputs_of(_olds), _inputs_of(_news)
        names = set(news) | set(olds)
        changed = {name for name in names if has_unknown(news.get(name)) or olds.get(name) != news.get(name)}
        replaces = sorted(changed & self.chapter.replaced_by)
        return DiffResult(changes=bool(changed), replaces=replaces, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Observe, remember what was there, apply, observe again: one remote run."""
        inputs = self._inputs(props)
        host = self._host(inputs)
        if inputs.existing == "fail":
            self._refuse_existing(host, inputs)
        prior, seen = self._make_so(host, inputs, Known())
        return CreateResult(f"{inputs.host}/{self.chapter.title(inputs)}", _outs(inputs, prior, seen))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Observe once; what someone changed on the host shows as changed inputs, anything else changes nothing."""
        inputs, known = self._inputs(props), self._known(props)
        seen = self._observe(self._host(inputs), inputs)
        shown = self.chapter.shown(inputs, known, seen)
        if shown == inputs:
            return ReadResult(id_, dict(props), _inputs_of(props))
        return ReadResult(id_, _outs(shown, known.prior, seen), shown.props())

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Apply against what was recorded last; a change in how to connect alone touches no host."""
        inputs, known = self._inputs(_news), self._known(_olds)
        if not (known.last and known.prior and known.recorded):  # what create wrote
            raise Failure(
                f"{inputs.host}: {self.chapter.title(inputs)}: the state lacks what was observed; refresh first"
            )
        same_way = {"connection": inputs.connection, "existing": inputs.existing}
        if known.last.model_copy(update=same_way) == inputs:
            return UpdateResult(_outs(inputs, known.prior, known.recorded))
        _, seen = self._make_so(self._host(inputs), inputs, known)
        return UpdateResult(_outs(inputs, known.prior, seen))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Put back what was there before `create`, from the state and the stack config alone."""
        inputs = self._inputs(_props)
        self._refuse_moved(inputs.host)
        known = self._known(_props)
        try:
            self._put_back(self._host(inputs), inputs, known)
        except Unreachable as error:
            stack, project = pulumi.get_stack(), pulumi.get_project()
            urn = f"urn:pulumi:{stack}::{project}::stockade:index:HardenedHost::{inputs.host}"
            raise Failure(
                f"{error}\nIf {inputs.host} is gone for good, take its resources out of the state: "
                f"`pulumi state delete '{urn}' --target-dependents --stack {stack}`."
            ) from error

    def _refuse_moved(self, host: str) -> None:
        """A host that went to another shard stays hardened: only its place in the states is wrong."""
        home = self._access.moved_to(host, pulumi.get_stack())
        if home:
            raise Failure(
                f"{host}: belongs to the stack {home} now, so it is not undone here; "
                f"move it there: `python -m fleet move {split(home)[0]}`"
            )

    def _put_back(self, host: "Host", inputs: I, known: Known[I, F]) -> None:
        title = self.chapter.title(inputs)
        with host.proofs.change(title):
            change, armed = self._restore(host, inputs, known)
            if armed:
                change.keep(forget(title))
            elif change.guard is not None:
                change.run(forget(title))

    def _restore(self, host: "Host", inputs: I, known: Known[I, F]) -> tuple[Change, bool]:
        """Restore, planning anew while the host is found other than expected; return also whether that is armed."""
        chapter, title, armed = self.chapter, self.chapter.title(inputs), False
        enter = partial(chapter.enter, host, inputs, restoring=True)
        for _ in range(ATTEMPTS):
            guard = chapter.guard(inputs, known, host.access, restoring=True)
            change = Change(host, title, guard, enter, chapter.proof and f"{chapter.proof}, before")
            restore = chapter.restore(inputs, known)
            [restored] = change.run(restore if guard else forget_after(restore, title), further=armed)
            armed = armed or is_armed(restored)
            if restored.status != STALE:
                return change, armed
            known = known.seen(self._observe(host, inputs))
        raise _restless(change, armed)

    def _make_so(self, host: "Host", inputs: I, known: Known[I, F]) -> tuple[F, F]:
        """Apply, planning anew while the host is found other than expected; return the facts before and after."""
        chapter, title = self.chapter, self.chapter.title(inputs)
        observe = chapter.observe(inputs)
        *steps, last = chapter.steps(host, inputs, known)
        with host.proofs.change(title):
            for number, step in enumerate(steps):
                change, known, _ = self._apply(host, inputs, step, known, further=number > 0)
                change.prove()
            change, known, (applied, *after) = self._apply(host, inputs, last, known, further=bool(steps))
            if is_armed(applied):
                after = [change.keep(observe)]
        seen = chapter.parse(inputs, after[0]) if after else self._observe(host, inputs)
        unmet = chapter.unmet(inputs, seen)
        if unmet:
            raise Failure(f"{inputs.host}: {title}: applied, but the host does not show it: {unmet}")
        return known.prior or seen, seen

    def _apply(
        self, host: "Host", inputs: I, step: I, known: Known[I, F], *, further: bool
    ) -> tuple[Change, Known[I, F], list[Answer]]:
        """Apply one `step` on the way to `inputs`, planning anew while the host is found other than expected; return
        also what `apply` printed and, where no guard is to be confirmed before, what `observe` did."""
        chapter, title = self.chapter, self.chapter.title(inputs)
        observe = chapter.observe(inputs)
        for _ in range(ATTEMPTS):
            guard = chapter.guard(step, known, host.access)
            change = Change(host, title, guard, partial(chapter.enter, host, step), chapter.proof)
            first = [] if known.prior else [remember(title, observe)]
            last = [observe] if guard is None else []
            answers = change.run(*first, chapter.apply(step, known), *last, further=further)
            if first:
                known = replace(known, prior=chapter.parse(inputs, answers.pop(0)))
            applied, *after = answers
            if applied.status != STALE:
                return change, known, answers
            further = further or is_armed(applied)
            known = known.seen(chapter.parse(inputs, after[0]) if after else self._observe(host, inputs))
        raise _restless(change, further)

    def _refuse_existing(self, host: "Host", inputs: I) -> None:
        there = self.chapter.occupied(inputs, self._observe(host, inputs))
        if there:
            raise Failure(
                f"{inputs.host}: {self.chapter.title(inputs)}: {there}; "
                "with `existing: adopt` Stockade takes it over, and gives it back on delete"
            )

    def _observe(self, host: "Host", inputs: I) -> F:
        answer = host.read(self.chapter.observe(inputs), resource=self.chapter.title(inputs))
        return self.chapter.parse(inputs, answer)

    def _inputs(self, props: Mapping[str, Any]) -> I:
        return self.chapter.inputs.model_validate(_inputs_of(props))

    def _known(self, props: Mapping[str, Any]) -> Known[I, F]:
        facts = self.chapter.facts
        recorded, prior = facts.model_validate(props["observed"]), facts.model_validate(props["prior"])
        return Known(self._inputs(props), recorded, prior, recorded)

    def _host(self, inputs: I) -> "Host":
        access = way_to(inputs.host, self._access, inputs.connection)
        if access is None:
            raise Failure(
                f"{inputs.host}: nothing says how to connect: the stack config has no host of this name. To have it "
                "undone, put its entry back under `hosts`, `pulumi destroy --target` its HardenedHost with "
                "`--target-dependents`, then take it out"
            )
        from hosts.pool import connection_pool  # the SSH client takes 0.2 s to import; the program never needs it

        return connection_pool().host(access)


def _restless(change: Change, armed: bool) -> Failure:
    back = f"\n  {change.go_back()}" if armed else ""
    return Failure(f"{change.host.name}: {change.title}: something keeps changing the host meanwhile; try again{back}")


def _outs(inputs: I, prior: F | None, seen: F) -> dict[str, Any]:
    before = prior.props() if prior else {}
    return {**inputs.props(), "prior": before, "observed": seen.props()}


def _inputs_of(props: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs among `props`: no outputs, no reference to the provider, nothing that is not set."""
    return {key: value for key, value in props.items() if key not in OUTPUTS and value is not None}


def _check_failure(item: Any) -> CheckFailure:
    path = ".".join(str(part) if isinstance(part, int) else to_camel(part) for part in item["loc"])
    return CheckFailure(path, item["msg"].removeprefix("Value error, "))


def has_unknown(value: Any) -> bool:
    """Tell whether anything in `value` is known only once the program's resources are made."""
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(has_unknown(item) for item in value)
    return isinstance(value, Unknown)

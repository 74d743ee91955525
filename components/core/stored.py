"""The contents of a resource's state: declared inputs, observed facts, prior state and owner.

Declared and observed values are kept apart. While the host is as declared, the inputs in the state are the declared
ones, and `observed` holds the facts right after they were applied. If a refresh finds drift, the inputs become what the
host shows, so that the next preview shows the difference. The declared inputs and the facts right after applying them
are kept beside it. Once the host matches them again, the drift is gone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic

from pulumi.output import Unknown
from pulumi.runtime import rpc
from pydantic import SecretStr

from components.core.chapter import Chapter, F, I, KnownState
from hosts.guard.record import Machine

REFERENCE = "__provider"
OUTPUTS = frozenset(
    {REFERENCE, "observed", "prior", "declared", "applied", "claim", "machine", "unfinished", "earlier", "imported"}
)
"""Properties that are not inputs."""
SIGNATURE, _SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
"""How Pulumi marks an object as a secret (sdk/go/common/resource/properties.go)."""


@dataclass(frozen=True)
class Stored(Generic[I, F]):
    """One resource's state, parsed.

    `declared`: the declared inputs. `observed_inputs`: the inputs as the last refresh found them; equal to `declared`
    without drift. `applied`: the facts right after `declared` was applied. `observed`: the latest facts. `prior`: the
    facts before `create`; None if only the host knows them. `claim`: the random word by which the host identifies its
    owner. `unfinished`: the last change failed and could not be rolled back. `earlier`: other inputs of which parts may
    therefore be in force, without their secrets. `imported`: nothing was applied yet, so only what has changed since
    the import is drift.
    """

    declared: I
    observed_inputs: I
    applied: F | None
    observed: F | None
    prior: F | None
    claim: str
    machine: Machine
    unfinished: bool
    imported: bool = False
    earlier: tuple[I, ...] = ()

    @property
    def half_made(self) -> bool:
        """Whether a killed run was creating it: the engine knows only its inputs."""
        return not self.claim and self.observed is None and self.prior is None

    @property
    def known(self) -> KnownState[I, F]:
        """What is known before another change."""
        if self.unfinished:  # nobody knows which parts are in force
            return KnownState(None, None, self.prior, None, earlier=(*self.earlier, self.declared))
        drifted = (self.declared,) if self.observed_inputs != self.declared else ()
        earlier = (*self.earlier, *drifted)
        return KnownState(self.observed_inputs, self.observed, self.prior, self.observed, earlier=earlier)

    @property
    def as_applied(self) -> KnownState[I, F]:
        """What was known of the host right after the last change."""
        return KnownState(self.declared, self.applied, self.prior, self.applied)


def read(chapter: Chapter[I, F], props: Mapping[str, Any]) -> Stored[I, F]:
    """Parse the properties of a state. Observed facts are not validated like declared inputs."""
    given = inputs_of(props)
    connection = {"connection": given["connection"]} if "connection" in given else {}
    declared = chapter.inputs.model_validate({**(props.get("declared") or given), **connection})
    observed, prior = _facts(chapter, props.get("observed")), _facts(chapter, props.get("prior"))
    applied = _facts(chapter, props.get("applied")) or observed
    observed_inputs = declared
    imported = bool(props.get("imported"))
    if props.get("declared") and observed:
        known = KnownState(declared, applied, prior, applied)
        observed_inputs = as_observed(chapter, declared, known, observed, imported=imported)
    return Stored(
        declared=declared,
        observed_inputs=observed_inputs,
        applied=applied,
        observed=observed,
        prior=prior,
        claim=props.get("claim") or "",
        machine=machine_of(props),
        unfinished=bool(props.get("unfinished")),
        imported=imported,
        earlier=earlier_of(chapter, props),
    )


def earlier_of(chapter: Chapter[I, F], props: Mapping[str, Any]) -> tuple[I, ...]:
    """Return the inputs, besides those in the state, of which parts may be in force."""
    return tuple(chapter.inputs.model_validate(one) for one in props.get("earlier") or ())


def as_observed(chapter: Chapter[I, F], inputs: I, known: KnownState[I, F], seen: F, *, imported: bool) -> I:
    """Return the inputs as a host shows them. If they were imported, only what has changed since `known` counts: how it
    is set on the host is not how Stockade would set it."""
    shown = chapter.as_observed(inputs, known, seen)
    if not imported or known.recorded is None:
        return shown
    then = chapter.as_observed(inputs, known, known.recorded)
    fields = type(inputs).model_fields
    changes = {name: getattr(shown, name) for name in fields if getattr(shown, name) != getattr(then, name)}
    return inputs.model_copy(update=changes)


def machine_of(props: Mapping[str, Any]) -> Machine:
    """Return the machine that a state's host is."""
    machine = props.get("machine") or {}
    return Machine(machine.get("id", ""), tuple(machine.get("keys", ())))


def outs(
    inputs: I,
    prior: F | None,
    seen: F | None,
    claim: str,
    machine: Machine,
    *,
    unfinished: bool = False,
    imported: bool = False,
    earlier: Sequence[I] = (),
) -> dict[str, Any]:
    """Return the state of a resource that is as declared. `unfinished`: only as far as is known."""
    own: dict[str, Any] = {"claim": claim, "machine": {"id": machine.id, "keys": list(machine.keys)}}
    if prior is not None:
        own["prior"] = prior.props()
    if seen is not None:
        own["observed"] = seen.props()
    if unfinished:
        own["unfinished"] = True
    if imported:
        own["imported"] = True
    if earlier:
        own["earlier"] = _public(earlier)
    return {**inputs.props(), **own}


def unchanged(inputs: I, stored: Stored[I, F]) -> dict[str, Any]:
    """Return the state of a resource that is as recorded, with inputs that differ only in how the host is reached."""
    return outs(
        inputs,
        stored.prior,
        stored.observed,
        stored.claim,
        stored.machine,
        imported=stored.imported,
        earlier=stored.earlier,
    )


def undrifted(stored: Stored[I, F]) -> dict[str, Any]:
    """Return the state of a resource that is as declared again. A change to just that is finished then."""
    (declared,) = _public([stored.declared])
    left = tuple(one for one in stored.earlier if _public([one]) != [declared])
    return unchanged(stored.declared, replace(stored, observed=stored.applied, earlier=left))


def drifted(stored: Stored[I, F], shown: I, seen: F) -> dict[str, Any]:
    """Return the state of a resource that has drifted to `shown`."""
    state = outs(
        shown, stored.prior, seen, stored.claim, stored.machine, imported=stored.imported, earlier=stored.earlier
    )
    kept = {name: value for name, value in stored.declared.props().items() if name != "connection"}
    applied = stored.applied.props() if stored.applied else {}
    return {**state, "declared": _guarded(stored.declared, kept), "applied": applied}


def inputs_of(props: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs among `props`, without outputs, the provider reference and unset values."""
    return {key: value for key, value in props.items() if key not in OUTPUTS and value is not None}


def has_unknown(value: Any) -> bool:
    """Return whether any part of `value` is unknown until the program's resources are created."""
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(has_unknown(item) for item in value)
    return isinstance(value, Unknown)


def _facts(chapter: Chapter[I, F], value: Any) -> F | None:
    return chapter.facts.model_validate(value) if value else None


def _public(several: Sequence[I]) -> list[dict[str, Any]]:
    """Return the properties of inputs without secrets and connections, each once."""
    found: list[dict[str, Any]] = []
    for inputs in several:
        fields = type(inputs).model_fields
        secret = {name for name in fields if isinstance(getattr(inputs, name), SecretStr)}
        props = inputs.model_copy(update=dict.fromkeys({"connection", *secret})).props()
        if props not in found:
            found.append(props)
    return found


def _guarded(inputs: I, props: dict[str, Any]) -> dict[str, Any]:
    """Return `props` as a Pulumi secret if one of the inputs is secret. The engine tracks secrecy of inputs only."""
    if any(isinstance(getattr(inputs, name), SecretStr) for name in type(inputs).model_fields):
        return {SIGNATURE: _SECRET, "value": props}
    return props


assert rpc._special_sig_key == SIGNATURE and rpc._special_secret_sig == _SECRET  # noqa: PT018

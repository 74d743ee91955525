"""Imports a resource: makes a state of what a host has, without changing it.

The id names the host of the stack config and the resource: `web1/firewall ipv4`. What is there becomes both the inputs
and the prior state, so that an `up` leaves it alone and a `destroy` restores it. The host records who imported it, as
after a `create`; a preview does not record it.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pulumi.dynamic import ReadResult
from pydantic import ValidationError

from components.config.identity import known_by
from components.core.chapter import Chapter, F, I, Model
from components.core.claims import CLAIMS, caller
from components.core.ownership import noted, now, settled, taken_from
from components.core.stored import outs
from components.core.transaction import Transaction
from components.failure import Failure

if TYPE_CHECKING:
    from components.core.dynamic import HostProvider


def taken(provider: "HostProvider[I, F]", id_: str, *, record: bool, refuse: bool) -> ReadResult:
    """Return the state of the resource `id_`; an empty one if the host has nothing of the kind.

    `record`: write the record on the host. `refuse`: refuse what another stack manages; a `get` only looks at it.
    Raises Failure and any HostError.
    """
    chapter = provider.chapter
    sought = _sought(chapter, id_)
    host = provider.host_to_import(sought.host)
    change = Transaction(chapter, host, sought)
    found = settled(host, change.title)
    owner = replace(caller().owner(secrets.token_hex(16)), machine=found.machine.id)
    change.recorded = found.owner(change.title)
    if change.recorded is not None and refuse:
        taken_from(found, owner, sought.host, change.title, sought.existing)
    inputs = change.look()
    if inputs is None:
        return ReadResult("", {})
    change.inputs = _declarable(provider, inputs)
    seen = change.observe()
    if record:
        owner = replace(owner, since=now()).after(change.recorded)
        prior = change.adopt(owner)
        noted(host, change.title, owner)
    else:
        prior = change.look_up_prior() if found.has(change.title) else seen
    CLAIMS.alive(owner.claim, caller().urn)
    state = outs(change.inputs, prior, seen, owner.claim, known_by(found.machine, host.access), imported=True)
    return ReadResult(f"{sought.host}/{change.title}", state, told(change.inputs))


def told(inputs: Model) -> dict[str, Any]:
    """Return the inputs that a program has to declare: without those that have their default or are computed."""
    other = inputs.model_dump(by_alias=True, mode="json", exclude_defaults=True).keys() - _computed(inputs)
    return {name: value for name, value in inputs.props().items() if name in other}


def _computed(inputs: Model) -> frozenset[str]:
    fields = type(inputs).model_fields.items()
    return frozenset(field.alias or name for name, field in fields if "readOnly" in str(field.json_schema_extra))


def _sought(chapter: Chapter[I, F], id_: str) -> I:
    """Return the inputs that an id names, and those to look with. Raises Failure for any other id."""
    host, _, title = id_.partition("/")
    named = next((found for form in chapter.importable if (found := _named(form, title)) is not None), None)
    if not host or named is None:
        if not chapter.importable:
            raise Failure(f"{id_}: cannot be imported: a host has nothing of this kind before it is declared")
        forms = " or ".join(f"`HOST/{form}`" for form in chapter.importable)
        raise Failure(f"`{id_}` is not an id of this type: expected {forms}, with the host's name in the stack config")
    try:
        return chapter.inputs.model_validate({**chapter.sought(), **named, "host": host})
    except ValidationError as error:
        raise Failure(f"`{id_}` is not an id of this type: {_faults(error)}") from None


def _named(form: str, title: str) -> Mapping[str, str] | None:
    """Return the inputs in a title: those that words in capitals stand for."""
    words = (f"(?P<{word.lower()}>\\S+)" if word.isupper() else re.escape(word) for word in form.split())
    found = re.fullmatch(" ".join(words), title)
    return found.groupdict() if found else None


def _declarable(provider: "HostProvider[I, F]", inputs: I) -> I:
    """Return the inputs as a program that declares them has them. Raises Failure if it could not."""
    given = {name: value for name, value in inputs.props().items() if name not in _computed(inputs)}
    checked = provider.check(given, given)
    if checked.failures:
        faults = "; ".join(f"{failure.property}: {failure.reason}" for failure in checked.failures)
        raise Failure(f"{inputs.host}: {provider.chapter.title(inputs)}: cannot be imported: {faults}")
    return provider.chapter.inputs.model_validate(checked.inputs)


def _faults(error: ValidationError) -> str:
    faults: list[Any] = error.errors(include_input=False, include_url=False)
    return "; ".join(f"{fault['loc'][0]}: {fault['msg'].removeprefix('Value error, ')}" for fault in faults)

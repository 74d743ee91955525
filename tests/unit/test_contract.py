"""States and hosts of recorded releases can be read by this one (docs/contributing.md, "What a release may not break").

`make record-state` writes `recorded/states/`: a state as declared, one with drift, and the records on the host.
"""

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from components.core import stored
from components.core.chapter import Model
from components.core.dynamic import HostProvider
from components.keys.files import KeyPairInputs
from components.keys.resource import KeyPairProvider
from hosts.guard.record import Owner, ledger, record_name, replayed
from hosts.shell import Answer
from local.engine.state.secrets import Crypter
from local.engine.state.values import SIGNATURE
from provider import reference
from tests import resources
from tests.lab.stack import PASSPHRASE
from tests.record_state import PASSWORD

STATES = Path(__file__).parent / "recorded" / "states"
RECORDED = sorted(file.stem for file in STATES.glob("*.json") if not file.stem.endswith("-host"))
PREFIX = "pulumi-python:dynamic/stockade:"


@cache
def state(name: str) -> list[dict[str, Any]]:
    """Return the resources of a recorded state, with secrets in plain text, as a provider receives them."""
    deployment = json.loads((STATES / f"{name}.json").read_text("utf-8"))["deployment"]
    crypter = Crypter(deployment["secrets_providers"]["state"]["salt"], PASSPHRASE)

    def opened(value: Any) -> Any:
        if isinstance(value, dict):
            if SIGNATURE in value:
                return json.loads(crypter.decrypt(value["ciphertext"]))
            return {key: opened(item) for key, item in value.items()}
        return [opened(item) for item in value] if isinstance(value, list) else value

    return [opened(one) for one in deployment["resources"]]


def recorded(select: Callable[[str], bool] = lambda _: True) -> list[Any]:
    """Return the resources on hosts in all recorded states, as parameters of a test."""
    found = [(name, urn) for name in filter(select, RECORDED) for urn in _urns(name)]
    return [pytest.param(*one, id=f"{one[0]}: {one[1].rpartition('/')[2]}") for one in found]


def _urns(name: str) -> list[str]:
    resources = json.loads((STATES / f"{name}.json").read_text("utf-8"))["deployment"]["resources"]
    return [one["urn"] for one in resources if one["type"].startswith(PREFIX) and not one["type"].endswith(":KeyPair")]


def find(name: str, urn: str) -> dict[str, Any]:
    return next(one for one in state(name) if one["urn"] == urn)


def provider_of(one: dict[str, Any]) -> HostProvider[Any, Any]:
    found = reference.load(one["outputs"][stored.REFERENCE])
    assert isinstance(found, HostProvider)
    return found


def same_as(model: Model, recorded: dict[str, Any]) -> dict[str, Any]:
    """Return the recorded fields of a model, which may have gained others."""
    props = model.props()
    return {name: props[name] for name in recorded if name in props}


def without_reference(props: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in props.items() if name != stored.REFERENCE and value is not None}


def test_every_resource_is_recorded() -> None:
    latest = {one["type"] for name in RECORDED for one in state(name)}
    assert {kind.token for kind in (*resources.components(), *resources.dynamic())} - latest == set()


@pytest.mark.parametrize("kind", resources.dynamic(), ids=lambda kind: kind.class_.__name__)
def test_a_resource_its_type_and_its_provider_have_one_name(kind: resources.Kind) -> None:
    name = kind.class_.__name__
    assert kind.token == f"{PREFIX}{name}"
    assert kind.provider is not None
    assert kind.provider.__name__ == f"{name}Provider"


@pytest.mark.parametrize(("name", "urn"), recorded())
def test_the_reference_in_a_state_leads_to_the_provider_of_today(name: str, urn: str) -> None:
    one = find(name, urn)
    today = next(kind.provider for kind in resources.dynamic() if kind.token == one["type"])
    assert today is not None
    found = provider_of(one)
    assert isinstance(found, today)  # or a subclass, left in its place when the class moved
    assert type(found.chapter) is type(today.chapter)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("name", "urn"), recorded())
def test_a_state_is_read_with_all_that_it_says(name: str, urn: str) -> None:
    one = find(name, urn)
    provider = provider_of(one)
    outputs = one["outputs"]
    read = stored.read(provider.chapter, outputs)
    assert read.declared.host in ("recorded1", "recorded2")
    assert read.claim == outputs["claim"]
    assert {"id": read.machine.id, "keys": [*read.machine.keys]} == outputs["machine"]
    for facts in ("observed", "applied", "prior"):
        if facts in outputs:
            assert same_as(getattr(read, facts), outputs[facts]) == outputs[facts]
    if "declared" in outputs:
        assert read.observed_inputs != read.declared
        assert same_as(read.declared, outputs["declared"]) == outputs["declared"]
    else:
        assert read.observed_inputs == read.declared
        inputs = stored.inputs_of(outputs)
        assert same_as(read.declared, inputs) == inputs


@pytest.mark.parametrize(("name", "urn"), recorded(lambda name: not name.endswith("-drifted")))
def test_the_same_inputs_are_no_change(name: str, urn: str) -> None:
    """`check` returns them unchanged and `diff` finds nothing, so that a new release alone shows no diff."""
    one = find(name, urn)
    provider = provider_of(one)
    inputs = without_reference(one["inputs"])
    checked = provider.check(dict(one["inputs"]), inputs)
    assert checked.failures == []
    assert without_reference(checked.inputs) == inputs
    told = provider.diff(one["id"], dict(one["outputs"]), checked.inputs)
    assert (told.changes, told.replaces) == (False, [])


@pytest.mark.parametrize("name", RECORDED)
def test_a_key_pair_is_read(name: str) -> None:
    (one,) = (one for one in state(name) if one["type"].endswith(":KeyPair"))
    inputs = without_reference(one["inputs"])
    assert isinstance(reference.load(one["outputs"][stored.REFERENCE]), KeyPairProvider)
    read = KeyPairInputs.model_validate(inputs)
    assert isinstance(read.passphrase, SecretStr)
    assert not KeyPairProvider().diff(one["id"], dict(one["outputs"]), inputs).changes


HOSTS = sorted(file.stem.removesuffix("-host") for file in STATES.glob("*-host.json"))


@pytest.mark.parametrize(
    ("name", "urn"), [one for one in recorded(lambda name: name in HOSTS) if "::recorded1" in one.values[1]]
)
def test_what_the_host_keeps_is_read_as_the_state_has_it(name: str, urn: str) -> None:
    one = find(name, urn)
    provider = provider_of(one)
    kept = json.loads((STATES / f"{name}-host.json").read_text("utf-8"))
    read = stored.read(provider.chapter, one["outputs"])
    record = record_name(provider.chapter.title(read.declared))
    printed = {**dict.fromkeys(("id", "keys", "priors", "armed"), ""), "owners": kept["owners"]}
    owner = ledger(Answer("", "", 0, printed)).owners[record]
    assert isinstance(owner, Owner)
    assert (owner.claim, owner.resource, owner.machine) == (read.claim, urn.split("::", 3)[3], read.machine.id)
    assert record in kept["priors"]
    answer = replayed(Answer("", "", 0, {"record": kept["priors"][record]}))
    prior = provider.chapter.parse(read.declared, answer)
    recorded_prior = one["outputs"]["prior"]
    assert same_as(prior, recorded_prior) == recorded_prior


@pytest.mark.parametrize("file", sorted(STATES.glob("*.json")), ids=lambda file: file.stem)
def test_no_secret_is_recorded_in_clear(file: Path) -> None:
    text = file.read_text("utf-8")
    assert "PRIVATE KEY" not in text
    assert PASSWORD not in text
    found = set(re.findall(r'"(?:password|passphrase|privateKey)": (.*)', text))
    assert found <= {"{", "[],", '"set",', '"none",', '"",'}  # encrypted, a dependency, or described in words

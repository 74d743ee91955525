"""Which machine a deletion is about, by the names in the config: no host is involved."""

import json
from collections.abc import Mapping

import pytest

from components.config.former import Former
from components.config.inventory import Inventory
from components.core.claims import Claims, called_for
from components.core.operations import deletion
from components.core.operations.deletion import Deletion
from components.core.stored import Stored
from components.core.ways import Ways
from components.failure import Failure
from hosts.guard.record import Machine, fingerprint
from tests.unit.components.core.staged import WordChapter, WordFacts, WordInputs

KEYS = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIINGTrIeTsR6ozpNVnIpuip16XQ1BNUtN9TXjbYIHc6e",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP+EO4JscNpGyr9wqnvLR0HjUsVevMFuuqBoM14Dsbuu",
)
FIRST = Machine("one", (fingerprint(KEYS[0]),))


@pytest.fixture(autouse=True)
def claims(monkeypatch: pytest.MonkeyPatch) -> Claims:
    claims = Claims()
    monkeypatch.setattr(deletion, "CLAIMS", claims)
    monkeypatch.setattr("components.core.claims.CLAIMS", claims)
    return claims


def of_alpha() -> Stored[WordInputs, WordFacts]:
    """A resource that the state has on the first machine, as alpha."""
    inputs, facts = WordInputs(host="alpha", word="hello"), WordFacts(word="hello")
    return Stored(inputs, inputs, facts, facts, WordFacts(), "c0", FIRST, unfinished=False)


def held_back(**keys: str) -> str:
    """Why alpha's resource may not be undone on the first machine, with these hosts in the config; "" if it may."""
    hosts = {name: {"address": "198.51.100.1", "hostKey": key} for name, key in keys.items()}
    config = Inventory({"hosts": json.dumps(hosts)})
    try:
        Deletion(WordChapter(), Ways(config, Former()), lambda: None)._hold_back(of_alpha())
    except Failure as error:
        return str(error)
    return ""


SWAPPED: Mapping[str, str] = {"alpha": KEYS[1], "beta": KEYS[0]}


def test_a_machine_whose_new_name_failed_keeps_what_it_has_under_the_old_one(claims: Claims) -> None:
    assert held_back(**SWAPPED) == ""
    claims.fail("beta")
    assert "because a change to beta failed in this run" in held_back(**SWAPPED)
    assert held_back(alpha=KEYS[1]) == ""


def test_a_machine_that_its_new_name_has_not_taken_over_yet_keeps_it_as_well(claims: Claims) -> None:
    with called_for("urn:pulumi:s::p::t::beta"):
        claims.declare("beta", "word")
    assert "beta is the same machine, and has not taken it over yet" in held_back(**SWAPPED)
    assert held_back(alpha=KEYS[1]) == ""
    assert held_back() == ""


def test_a_machine_under_its_own_name_is_held_back_by_its_own_failure_only(claims: Claims) -> None:
    claims.fail("beta")
    assert held_back(alpha=KEYS[0], beta=KEYS[1]) == ""
    claims.fail("alpha")
    assert "because a change to alpha failed in this run" in held_back(alpha=KEYS[0], beta=KEYS[1])

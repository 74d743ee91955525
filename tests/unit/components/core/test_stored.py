"""What a resource's state contains, and what errors show of it."""

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from components.core import stored
from components.core.chapter import KnownState
from components.core.stored import Stored
from hosts.guard.record import Machine
from tests.unit.components.core.staged import WordChapter, WordFacts, WordInputs


class SecretInputs(WordInputs):
    """With something that must not be shown."""

    phrase: SecretStr | None = None


def of(inputs: Any, **more: Any) -> Stored[Any, Any]:
    """The state of a resource that is as declared."""
    facts = WordFacts(word="ours")
    values = {"declared": inputs, "observed_inputs": inputs, "applied": facts, "observed": facts, "prior": facts}
    return Stored(**{**values, "claim": "c", "machine": Machine("m", ("k",)), "unfinished": False, **more})


@pytest.mark.parametrize("model", [WordInputs, SecretInputs])
def test_what_was_declared_is_a_secret_beside_drift_if_any_of_it_is(model: type[WordInputs]) -> None:
    secret = {"phrase": "p"} if model is SecretInputs else {}
    declared = model.model_validate({"host": "web1", "word": "ours", "connection": {"admin": {}}, **secret})
    shown = declared.model_copy(update={"word": "theirs"})
    state = stored.drifted(of(declared), shown, WordFacts(word="theirs"))
    kept = {"host": "web1", "word": "ours", "existing": "adopt", "guarded": False, "kept": True, **secret}
    marked = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": kept}
    assert state["declared"] == (marked if model is SecretInputs else kept)
    assert (state["word"], state["observed"], state["applied"]) == ("theirs", {"word": "theirs"}, {"word": "ours"})
    assert (state["claim"], state["machine"], state["prior"]) == ("c", {"id": "m", "keys": ["k"]}, {"word": "ours"})
    assert stored.drifted(of(declared, applied=None), shown, WordFacts())["applied"] == {}


def test_a_state_is_read_as_it_was_written() -> None:
    inputs = WordInputs(host="web1", word="ours")
    machine = Machine("m", ("k",))
    state = stored.outs(inputs, WordFacts(word="theirs"), WordFacts(word="ours"), "c", machine)
    read = stored.read(WordChapter(), state)
    assert (read.declared, read.observed_inputs, read.prior) == (inputs, inputs, WordFacts(word="theirs"))
    assert (read.applied, read.observed, read.claim, read.machine) == (
        read.observed,
        WordFacts(word="ours"),
        "c",
        machine,
    )
    assert not read.unfinished
    assert read.known == KnownState(inputs, read.observed, read.prior, read.observed)
    assert read.as_applied == KnownState(inputs, read.applied, read.prior, read.applied)
    half = stored.outs(inputs, None, None, "c", machine, unfinished=True)
    assert "prior" not in half
    assert "observed" not in half
    read = stored.read(WordChapter(), half)
    assert read.unfinished
    assert read.known == KnownState(None, None, None, None, earlier=(inputs,))


def test_what_may_be_in_force_beside_what_is_known_is_kept_without_its_secrets() -> None:
    one, two = (
        SecretInputs.model_validate({"host": "web1", "word": word, "phrase": "p", "connection": {"admin": {}}})
        for word in ("one", "two")
    )
    chapter = WordChapter()
    state = stored.outs(two, None, None, "c", Machine(), unfinished=True, earlier=(one, one))
    (kept,) = state["earlier"]
    assert (kept["word"], "phrase" in kept, "connection" in kept) == ("one", False, False)
    state.pop("phrase")
    assert [known.word for known in stored.read(chapter, state).known.possible] == ["one", "two"]
    facts = {"observed": {"word": "by hand"}, "applied": {"word": "two"}, "declared": {"host": "web1", "word": "two"}}
    drifted = stored.read(chapter, {**state, "unfinished": None, **facts})
    assert [known.word for known in drifted.known.possible] == ["one", "two", "by hand"]
    assert stored.undrifted(drifted)["earlier"] == [kept]
    assert stored.drifted(drifted, drifted.observed_inputs, WordFacts())["earlier"] == [kept]
    finished = stored.read(chapter, {**state, "unfinished": None, **facts, "earlier": [{**kept, "word": "two"}]})
    assert "earlier" not in stored.undrifted(finished), "what was to be applied is in force"


def test_drift_is_read_from_the_facts_and_not_from_the_inputs() -> None:
    state = {
        "host": "web1",
        "word": "theirs",
        "declared": {"host": "web1", "word": "ours"},
        "connection": {"admin": {}},
    }
    facts = {"observed": {"word": "theirs"}, "applied": {"word": "ours"}}
    read = stored.read(WordChapter(), {**state, **facts, "__provider": "x", "claim": None})
    assert (read.declared.word, read.observed_inputs.word) == ("ours", "theirs")
    assert read.declared.connection == {"admin": {}}
    assert (read.applied, read.claim, read.machine) == (WordFacts(word="ours"), "", Machine())


def test_an_error_does_not_quote_what_was_given() -> None:
    with pytest.raises(ValidationError) as error:
        WordInputs.model_validate({"host": "web1", "word": ["TOPSECRET"]})
    assert "TOPSECRET" not in str(error.value)
    with pytest.raises(ValidationError, match="Extra inputs"):
        WordInputs.model_validate({"host": "web1", "word": "x", "wrod": "y"})

"""`existing: asIs`: what is as declared is only recorded; a host that has changed since it was read is noticed."""

from typing import Any

import pytest

from hosts.shell import Answer
from tests.shell_room import stage
from tests.unit.components.core.staged import WORD, WordFacts, WordInputs
from tests.unit.components.core.test_dynamic import Chapter, Run, run

__all__ = ["run", "stage"]


class ReadableChapter(Chapter):
    """The word, which can be read from a host."""

    def existing(self, inputs: WordInputs, seen: WordFacts, answer: Answer) -> WordInputs | None:
        return None if seen.word is None else inputs.model_copy(update={"word": seen.word})

    def is_bare(self, inputs: WordInputs, seen: WordFacts) -> bool:
        return seen.word == ""


def create(run: Run, word: str) -> dict[str, Any]:
    """Create the resource as an adopted stack does."""
    run.provider.chapter = ReadableChapter()
    return run.create(word, existing="asIs")


def test_what_is_as_declared_is_only_recorded(run: Run) -> None:
    run.stage.write(WORD, "theirs")
    state = create(run, "theirs")
    assert (run.word, run.warnings, state["imported"]) == ("theirs", [], True)
    assert "write the word" not in run.host.steps


def test_what_has_changed_since_it_was_read_is_said(run: Run) -> None:
    run.stage.write(WORD, "changed since")
    state = create(run, "theirs")
    [warning] = run.warnings
    assert warning.startswith("web1: word: ")
    assert "the word is changed since" in warning
    assert "somebody has changed the host" in warning
    assert (run.word, state["prior"]) == ("theirs", {"word": "changed since"})


@pytest.mark.parametrize("there", [None, ""])
def test_what_is_new_is_not_said_to_have_changed(run: Run, there: str | None) -> None:
    if there is not None:
        run.stage.write(WORD, there)
    create(run, "new")
    assert (run.word, run.warnings) == ("new", [])

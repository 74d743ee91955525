"""gai.conf's scripts on a stage: editing, keeping edits of others, restoring."""

import pytest

from components.core.chapter import STALE, KnownState
from components.gai.chapter import PreferenceChapter
from components.gai.settings import FILE, LINE, PreferenceFacts, PreferenceInputs
from tests.shell_room import Stage

CHAPTER = PreferenceChapter()
WANTED = PreferenceInputs(host="web1")
COMMENTED = f"# Debian's\n#{LINE}\n"


def facts(stage: Stage) -> PreferenceFacts:
    answer = stage.one(CHAPTER.observe(WANTED))
    assert answer.status == 0, answer.stderr
    return CHAPTER.parse(WANTED, answer)


def test_without_a_look_nothing_is_written(stage: Stage) -> None:
    answer = stage.one(CHAPTER.apply(WANTED, KnownState()))
    assert (answer.status, stage.path(FILE).exists()) == (STALE, False)


@pytest.mark.parametrize(
    ("there", "then"), [(None, f"{LINE}\n"), ("", f"{LINE}\n"), (COMMENTED, f"# Debian's\n{LINE}\n"), ("a\\n%", None)]
)
def test_the_line_comes_and_goes(stage: Stage, there: str | None, then: str | None) -> None:
    if there is not None:
        stage.write(FILE, there, 0o640)
    prior = facts(stage)
    assert stage.one(CHAPTER.apply(WANTED, KnownState(before=prior))).status == 0
    shown = facts(stage)
    assert shown.text == (f"{there}\n{LINE}\n" if then is None else then)
    assert shown.file.mode == ("644" if there is None else "640")
    assert CHAPTER.differences(WANTED, shown) == ""
    assert stage.one(CHAPTER.restore(WANTED, KnownState(before=shown, prior=prior))).status == 0
    assert facts(stage) == prior


@pytest.mark.parametrize("undo", [False, True])
@pytest.mark.parametrize("there", [None, COMMENTED])
def test_a_file_that_others_changed_since_is_left_to_another_plan(stage: Stage, there: str | None, undo: bool) -> None:
    if there is not None:
        stage.write(FILE, there)
    prior = facts(stage)
    stage.write(FILE, "theirs\n")
    known = KnownState[PreferenceInputs, PreferenceFacts](before=prior, prior=prior)
    answer = stage.one(CHAPTER.restore(WANTED, known) if undo else CHAPTER.apply(WANTED, known))
    assert (answer.status, stage.read(FILE)) == (STALE, "theirs\n")


def test_a_file_that_is_gone_since_is_no_file_that_was_empty(stage: Stage) -> None:
    stage.write(FILE, COMMENTED)
    known = KnownState[PreferenceInputs, PreferenceFacts](before=facts(stage))
    stage.path(FILE).unlink()
    assert stage.one(CHAPTER.apply(WANTED, known)).status == STALE
    assert not stage.path(FILE).exists()


def test_an_empty_file_is_no_file_that_was_not_there(stage: Stage) -> None:
    known = KnownState[PreferenceInputs, PreferenceFacts](before=facts(stage))
    stage.write(FILE)
    assert stage.one(CHAPTER.apply(WANTED, known)).status == STALE
    assert stage.read(FILE) == ""


def test_what_is_not_to_be_preferred_is_as_it_was(stage: Stage) -> None:
    stage.write(FILE, COMMENTED)
    prior = facts(stage)
    assert stage.one(CHAPTER.apply(WANTED, KnownState(before=prior))).status == 0
    without = PreferenceInputs(host="web1", ipv4_first=False)
    assert stage.one(CHAPTER.apply(without, KnownState(before=facts(stage), prior=prior))).status == 0
    assert facts(stage) == prior
    assert CHAPTER.differences(without, prior) == ""
    assert CHAPTER.differences(WANTED, prior) == f"{FILE} does not prefer IPv4"
    assert CHAPTER.as_observed(without, KnownState(), facts(stage)) == without
    assert CHAPTER.as_observed(WANTED, KnownState(), facts(stage)) == without

"""A change is atomic: on a stage, with the scripts of real runs."""

import shutil
from collections.abc import Callable

import pytest

from components.core.chapter import KnownState
from components.core.ownership import settled
from components.core.transaction import ATTEMPTS, Transaction
from components.failure import Failure
from hosts.errors import CommandFailed, ConnectionLost
from hosts.guard.guarded import HELD, hold
from hosts.guard.record import Owner
from hosts.shell import Script
from tests.shell_room import Stage, stage
from tests.unit.components.core.staged import WORD, StagedHost, WordChapter, WordFacts, WordInputs, cut, failure_of

OWNER = Owner("claim", "stockade", "lab", "web1")
RECORD, OWNED = "/var/lib/stockade/prior/word", "/var/lib/stockade/owner/word"
Change = Callable[..., tuple[StagedHost, Transaction[WordInputs, WordFacts]]]

__all__ = ["stage"]


@pytest.fixture
def change(stage: Stage) -> Change:
    """Create the first change of a host on the stage."""

    def made(word: str = "ours", **given: object) -> tuple[StagedHost, Transaction[WordInputs, WordFacts]]:
        host = StagedHost(stage)
        inputs = WordInputs.model_validate({"host": "web1", "word": word, **given})
        return host, Transaction(WordChapter(), host.as_host(), inputs, claim=OWNER)

    return made


def _fresh() -> KnownState[WordInputs, WordFacts]:
    return KnownState()


@pytest.mark.parametrize("guarded", [False, True])
def test_a_change_is_recorded_applied_and_put_back(stage: Stage, change: Change, guarded: bool) -> None:
    stage.write(WORD, "theirs")
    host, transaction = change(guarded=guarded)
    assert transaction.converge(_fresh()).word == "ours"
    assert (stage.read(WORD), transaction.prior) == ("ours", WordFacts(word="theirs"))
    assert "theirs" in stage.read(RECORD)
    assert stage.read(OWNED).strip() == OWNER.text()
    assert host.logins == int(guarded)
    assert not list(stage.path("/var/lib/stockade/guard").glob("*"))

    later = Transaction(WordChapter(), host.as_host(), transaction.inputs, recorded=OWNER)
    later.put_back(KnownState(transaction.inputs, None, transaction.prior, WordFacts(word="ours")))
    assert stage.read(WORD) == "theirs"
    assert not stage.path("/var/lib/stockade/prior").exists()
    assert not stage.path("/var/lib/stockade/owner").exists()
    assert host.logins == 2 * int(guarded)
    assert host.tried == ["", "any"][: host.logins]


class QuietChapter(WordChapter):
    """Has nothing to restore."""

    def restore(self, inputs: WordInputs, known: KnownState[WordInputs, WordFacts]) -> Script:
        return Script("nothing to restore", ":")


def test_where_nothing_was_to_be_restored_the_record_goes_too(stage: Stage, change: Change) -> None:
    host, first = change(guarded=True)
    seen = first.converge(_fresh())
    later = Transaction(QuietChapter(), host.as_host(), first.inputs, recorded=OWNER)
    later.put_back(KnownState(first.inputs, seen, first.prior, seen))
    assert not stage.path(RECORD).exists()
    assert not stage.path(OWNED).exists()
    assert (stage.read(WORD), host.logins) == ("ours", 1)


def test_a_later_change_keeps_the_first_record(stage: Stage, change: Change) -> None:
    stage.write(WORD, "theirs")
    host, first = change()
    seen = first.converge(_fresh())
    inputs = first.inputs.model_copy(update={"word": "other"})
    again = Transaction(WordChapter(), host.as_host(), inputs, recorded=OWNER)
    assert again.converge(KnownState(first.inputs, seen, first.prior, seen)).word == "other"
    assert again.read_prior() == WordFacts(word="theirs")


def test_a_stale_plan_is_made_anew_from_what_is_there(stage: Stage, change: Change) -> None:
    host, first = change()
    seen = first.converge(_fresh())
    stage.write(WORD, "by hand")
    inputs = first.inputs.model_copy(update={"word": "next"})
    again = Transaction(WordChapter(), host.as_host(), inputs, recorded=OWNER)
    host.steps.clear()
    assert again.converge(KnownState(first.inputs, seen, first.prior, seen)).word == "next"
    assert host.steps.count("write the word") == 2


@pytest.mark.parametrize("guarded", [False, True])
def test_what_keeps_changing_is_given_up(stage: Stage, change: Change, guarded: bool) -> None:
    host, first = change(guarded=guarded)
    changes = iter(range(100))
    host.before = lambda _steps: stage.write(WORD, f"{next(changes)}") and None
    with pytest.raises(Failure, match="something keeps changing the host during this run; try again"):
        first.converge(KnownState(before=WordFacts(word="never")))
    assert host.steps.count("write the word") == ATTEMPTS
    assert stage.read(WORD).isdigit()


def test_a_change_that_locks_everybody_out_goes_back_at_once(stage: Stage, change: Change) -> None:
    stage.write(WORD, "theirs")
    host, first = change(guarded=True)
    host.locked = True
    told = failure_of(lambda: first.converge(_fresh()))
    assert "with it in force, no new login worked" in told
    assert "The host: " in told
    assert "the previous settings are in force again." in told
    assert stage.read(WORD) == "theirs"
    host.locked = False
    assert first.taken_back()
    assert stage.read(WORD) == "theirs"
    assert not stage.path("/var/lib/stockade/prior").exists()


def test_a_change_of_a_host_that_limits_logins_is_tried_again_after_a_pause(stage: Stage, change: Change) -> None:
    stage.write(WORD, "theirs")
    host, transaction = change(guarded=True)
    host.limited = 3  # the proof, and the login that shows that it was not the change
    assert transaction.converge(_fresh()).word == "ours"
    assert (stage.read(WORD), transaction.prior, host.pauses) == ("ours", WordFacts(word="theirs"), 1)
    assert "theirs" in stage.read(RECORD)

    host.limited = 3
    later = Transaction(WordChapter(), host.as_host(), transaction.inputs, recorded=OWNER)
    later.put_back(KnownState(transaction.inputs, None, transaction.prior, WordFacts(word="ours")))
    assert (stage.read(WORD), host.pauses) == ("theirs", 2)
    assert not stage.path("/var/lib/stockade/prior").exists()


def test_a_host_that_never_lets_in_again_is_said_not_to_be_changed(stage: Stage, change: Change) -> None:
    stage.write(WORD, "theirs")
    host, transaction = change(guarded=True)
    host.limited = 99
    told = failure_of(lambda: transaction.converge(_fresh()))
    assert "nothing was changed: no new login works, with the previous settings either" in told
    assert "limit" in told
    assert (stage.read(WORD), host.pauses) == ("theirs", 1)


def test_where_the_host_is_out_of_reach_the_error_says_that_it_goes_back_alone(stage: Stage, change: Change) -> None:
    host, first = change(guarded=True)
    host.locked = True
    host.before = cut("revert the change", times=9)
    told = failure_of(lambda: first.converge(_fresh()))
    assert "It rolls the change back by itself 600 s after it was made" in told
    assert stage.read(WORD) == "ours"  # until that moment
    settled = StagedHost(stage, token="two")
    settled.run(hold(settled.identity))
    assert stage.read(WORD) == ""


def test_a_commit_that_fails_goes_back_at_once(stage: Stage, change: Change) -> None:
    stage.write(WORD, "theirs")
    _, first = change(guarded=True, kept=False)
    with pytest.raises(CommandFailed, match="no room"):
        first.converge(_fresh())
    assert stage.read(WORD) == "theirs"


def test_a_connection_that_breaks_after_the_commit_asks_what_came_of_it(stage: Stage, change: Change) -> None:
    host, first = change(guarded=True)
    host.after = cut("keep the change")
    assert first.converge(_fresh()).word == "ours"
    assert host.steps.count("keep the change") == 2
    assert host.steps.count("take the host") == 2


def test_a_commit_that_nobody_can_ask_about_is_told_as_unknown(stage: Stage, change: Change) -> None:
    host, first = change(guarded=True)
    host.after = cut("keep the change", times=2)
    told = failure_of(lambda: first.converge(_fresh()))
    assert "Whether the host kept the change is unknown: `refresh` shows it, `up` finishes it." in told


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_first_change_that_breaks_is_taken_back_from_the_record(stage: Stage, change: Change, moment: str) -> None:
    stage.write(WORD, "theirs")
    host, first = change()
    setattr(host, moment, cut("write the word"))
    with pytest.raises(ConnectionLost):
        first.converge(_fresh())
    assert first.begun
    assert stage.read(WORD) == {"before": "theirs", "after": "ours"}[moment]
    assert first.taken_back()
    assert stage.read(WORD) == "theirs"
    assert not stage.path("/var/lib/stockade/prior").exists()


PLACES = ("mkdir prior", "chmod prior", "mv prior", "mkdir owner", "chmod owner", "mv owner", "cat prior")


@pytest.mark.parametrize("fault", ["exit 1", 'kill -KILL "$PPID"; exit 1'], ids=["fails", "ends the script"])
@pytest.mark.parametrize("place", PLACES)
def test_a_prior_state_that_could_not_be_recorded_leaves_nothing(
    stage: Stage, change: Change, place: str, fault: str
) -> None:
    """Otherwise a partial record would count as the prior state forever, whatever happens to the host meanwhile."""
    stage.write(WORD, "theirs")
    program, _, folder = place.partition(" ")
    real = f"/host{shutil.which(program)}"
    stage.program(program, f'case "$*" in */stockade/{folder}*) {fault} ;; esac; exec {real} "$@"')
    _, first = change()
    with pytest.raises(CommandFailed, match="remember the prior state"):
        first.converge(_fresh())
    assert (stage.read(WORD), first.begun) == ("theirs", False)
    assert not stage.path("/var/lib/stockade").exists()
    stage.path(f"/usr/local/sbin/{program}").unlink()
    stage.write(WORD, "by hand")
    _, again = change()
    again.converge(_fresh())
    assert again.prior == WordFacts(word="by hand")


def test_a_record_that_was_there_before_stays_where_it_cannot_be_read(stage: Stage, change: Change) -> None:
    stage.write(WORD, "theirs")
    _, first = change()
    first.converge(_fresh())
    _, again = change("other")
    again.recorded = OWNER
    stage.program("cat", "exit 1")
    with pytest.raises(CommandFailed, match="remember the prior state"):
        again.converge(_fresh())
    assert "theirs" in stage.path(RECORD).read_text()
    assert stage.path(OWNED).read_text().strip() == OWNER.text()


def test_where_it_cannot_be_taken_back_it_says_so(stage: Stage, change: Change) -> None:
    host, first = change()
    host.after = cut("write the word")
    with pytest.raises(ConnectionLost):
        first.converge(_fresh())
    host.before = cut("put the word back", times=9)
    assert not first.taken_back()


def test_a_later_change_that_breaks_is_reverted(stage: Stage, change: Change) -> None:
    host, first = change()
    seen = first.converge(_fresh())
    inputs = first.inputs.model_copy(update={"word": "next"})
    again = Transaction(WordChapter(), host.as_host(), inputs, recorded=OWNER)
    known = KnownState(first.inputs, seen, first.prior, seen)
    host.after = cut("write the word")
    with pytest.raises(ConnectionLost):
        again.converge(known)
    assert stage.read(WORD) == "next"
    assert again.gone_back(first.inputs, known)
    assert stage.read(WORD) == "ours"


def test_what_the_host_does_not_show_afterwards_fails(stage: Stage, change: Change) -> None:
    host, first = change()
    host.after = lambda steps: stage.write(WORD, "undone") and None if "write the word" in steps else None
    first.chapter.observe = lambda _inputs: Script("look", "section word echo undone")  # type: ignore[method-assign]
    with pytest.raises(Failure, match="applied, but not in force on the host: the word is undone"):
        first.converge(_fresh())


def test_another_owner_on_record_stops_it_before_anything_is_changed(stage: Stage, change: Change) -> None:
    stage.write(OWNED, Owner("other", "stockade", "prod", "web1").text() + "\n")
    stage.write(WORD, "theirs")
    _, first = change()
    with pytest.raises(CommandFailed, match="another run has changed this host's record"):
        first.converge(_fresh())
    assert (stage.read(WORD), first.begun) == ("theirs", False)


def test_a_damaged_record_is_named_and_nothing_is_changed(stage: Stage, change: Change) -> None:
    stage.write(RECORD, "no record\n")
    stage.write(WORD, "theirs")
    _, first = change()
    told = failure_of(lambda: first.converge(_fresh()))
    assert f"the record of the prior state, {RECORD} on the host, is damaged" in told
    assert not first.begun


def test_a_run_that_is_alive_is_waited_for_once(stage: Stage) -> None:
    stage.folder("/var/lib/stockade/guard/word.three")
    host = StagedHost(stage)

    def held(steps: list[str]) -> None:
        if "take the host" in steps:
            raise CommandFailed("another run is changing this host", exit_status=HELD, step="take the host")

    host.before = held
    for _ in range(3):
        assert settled(host.as_host(), "word").armed == {"word.three"}
    assert host.steps.count("take the host") == 1


def test_what_a_dead_run_left_armed_goes_back_before_anybody_believes_it(stage: Stage, change: Change) -> None:
    stage.write(WORD, "theirs")
    host, first = change(guarded=True)
    host.locked = True
    host.before = cut("revert the change", times=9)
    failure_of(lambda: first.converge(_fresh()))
    assert stage.read(WORD) == "ours"
    assert settled(host.as_host(), "word").armed  # its own run handles its change
    assert stage.read(WORD) == "ours"
    other = StagedHost(stage, token="two")
    assert settled(other.as_host(), "word").armed == frozenset()
    assert stage.read(WORD) == "theirs"
    assert other.steps.count("take the host") == 1
    settled(other.as_host(), "word")
    assert other.steps.count("take the host") == 1

"""Pulumi's operations on a resource, with a chapter of one word on a stage: what the state and the host have then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from pulumi.output import Unknown

from components.config.identity import trusted_keys
from components.config.inventory import Inventory
from components.core import console, ways
from components.core.chapter import Unfinished
from components.core.claims import CLAIMS, called_for
from components.core.dynamic import HostProvider
from components.core.operations import update
from components.failure import Failure
from hosts.errors import ConnectionLost, HostError, Unreachable
from hosts.ssh.connection import HostAccess
from tests.shell_room import Stage, stage
from tests.unit.components.core.staged import WORD, StagedHost, WordChapter, WordFacts, WordInputs, cut

__all__ = ["stage"]
URN = "urn:pulumi:lab::stockade::pulumi-python:dynamic/stockade:Word::web1-word"
OTHER = URN.replace("web1-word", "db1-word")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEDq8c/agbzzpAV2aMQuvzQIGeHzYOep+3ifQMvj8rzQ"
LOGIN = {"host": "192.0.2.1", "user": "deploy", "hostKey": KEY}
OWNED, RECORD = "/var/lib/stockade/owner/word", "/var/lib/stockade/prior/word"
NOTHING_LEFT, LEFT = "Nothing of this change is left on the host.", "could not be rolled back"


class Chapter(WordChapter):
    """The word, which may be there already."""

    def already_configured(self, inputs: WordInputs, seen: WordFacts) -> str:
        return f"there is the word {seen.word}" if seen.word else ""


class WordProvider(HostProvider[WordInputs, WordFacts]):
    """Manages the word."""

    chapter = Chapter()


class Run:
    """One run of a stack, in which the provider reaches the stage as web1."""

    def __init__(self, made: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stage, self.reached, self.warnings = made, list[str](), list[str]()
        self.provider = WordProvider()
        self.host = StagedHost(made)
        self.begin()
        monkeypatch.setattr(ways, "connected", self.connected)
        monkeypatch.setattr(update, "connected", self.connected)
        monkeypatch.setattr(console, "_console", [self])

    def begin(self, token: str = "one", **hosts: Any) -> None:
        """Begin another run, with these hosts in the stack config."""
        self.host = StagedHost(self.stage, token=token)
        self.host.access = HostAccess.model_validate({"name": "web1", "admin": LOGIN})
        self.host.outdated = ""
        CLAIMS.__init__()  # type: ignore[misc] # of a new process
        self.provider._access = Inventory({"hosts": hosts})
        self.reached.clear()
        self.warnings.clear()

    def connected(self, name: str, access: HostAccess | None) -> Any:
        """Reach the stage."""
        assert access is not None
        self.reached.append(name)
        return self.host

    def warn(self, _urn: str, text: str) -> None:
        """Note a warning."""
        self.warnings.append(text)

    def create(self, word: str = "ours", urn: str = URN, **more: Any) -> dict[str, Any]:
        """Check and create; returns the state."""
        with called_for(urn):
            checked = self.provider.check({}, props(word, **more))
            assert not checked.failures
            return cast("dict[str, Any]", self.provider.create(checked.inputs).outs)

    def read(self, state: dict[str, Any]) -> Any:
        """Refresh."""
        with called_for(URN):
            return self.provider.read("web1/word", state)

    def update(self, state: dict[str, Any], word: str, **more: Any) -> dict[str, Any]:
        """Check and update; returns the state."""
        with called_for(URN):
            checked = self.provider.check(state, props(word, **more))
            return cast("dict[str, Any]", self.provider.update("web1/word", state, checked.inputs).outs)

    def delete(self, state: dict[str, Any], urn: str = URN) -> None:
        """Delete."""
        with called_for(urn):
            self.provider.delete("web1/word", state)

    def diff(self, state: dict[str, Any], word: str, **more: Any) -> tuple[bool, list[str]]:
        """Return whether there are changes, and what replaces the resource."""
        found = self.provider.diff("web1/word", state, props(word, **more))
        assert not found.delete_before_replace
        return bool(found.changes), list(found.replaces or ())

    @property
    def word(self) -> str:
        """The word on the host."""
        return self.stage.read(WORD)

    @property
    def recorded(self) -> bool:
        """Whether the host has a record of it."""
        found = [self.stage.path(place).exists() for place in (OWNED, RECORD)]
        assert len({*found}) == 1, "half a record"
        return found[0]


def props(word: str, **more: Any) -> dict[str, Any]:
    """Inputs as a program gives them."""
    return {"host": "web1", "word": word, "connection": {"admin": LOGIN}, **more}


@pytest.fixture
def run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """A run; CLAIMS is of this process, and is emptied for other tests."""
    yield Run(stage, monkeypatch)
    CLAIMS.__init__()  # type: ignore[misc]


def lost(*steps: str) -> Callable[[list[str]], None]:
    """Return a callback that breaks the connection in each run with one of these steps."""

    def at(names: list[str]) -> None:
        if {*names} & {*steps}:
            raise ConnectionLost("the connection broke", host="web1")

    return at


def test_the_life_of_a_resource(run: Run) -> None:
    run.stage.write(WORD, "theirs")
    state = run.create()
    assert (run.word, state["prior"], state["observed"]) == ("ours", {"word": "theirs"}, {"word": "ours"})
    assert state["machine"]["id"]
    assert set(trusted_keys(run.host.access)) <= set(state["machine"]["keys"])
    assert state["claim"] in run.stage.read(OWNED)
    assert '"since": "20' in run.stage.read(OWNED)
    assert "unfinished" not in state
    same = run.read(state)
    assert (same.id, same.outs) == ("web1/word", state)
    assert run.diff(state, "ours", existing="adopt", guarded=False, kept=True) == (False, [])
    assert run.diff(state, "other", existing="adopt", guarded=False, kept=True) == (True, [])
    later = run.update(state, "other")
    assert (run.word, later["word"], later["prior"]) == ("other", "other", {"word": "theirs"})
    assert (later["claim"], later["observed"]) == (state["claim"], {"word": "other"})
    run.delete(later)
    assert (run.word, run.recorded, run.warnings) == ("theirs", False, [])


def test_drift_shows_until_it_is_undone_by_hand_or_by_a_run(run: Run) -> None:
    run.stage.write(WORD, "theirs")
    state = run.create()
    run.stage.write(WORD, "by hand")
    drifted = run.read(state).outs
    assert (drifted["word"], drifted["observed"], drifted["applied"]) == (
        "by hand",
        {"word": "by hand"},
        {"word": "ours"},
    )
    assert drifted["declared"]["word"] == "ours"
    assert run.diff(drifted, "ours")[0]
    run.stage.write(WORD, "ours")
    back = run.read(drifted)
    assert back.outs == {**state, "connection": drifted["connection"]}
    assert back.inputs["word"] == "ours"
    assert "declared" not in back.outs
    run.stage.write(WORD, "by hand")
    assert run.update(drifted, "ours")["observed"] == {"word": "ours"}
    assert run.word == "ours"


def test_what_only_concerns_the_connection_touches_no_host(run: Run) -> None:
    run.stage.write(WORD, "theirs")
    state = run.create()
    run.begin()
    connection = {"admin": {**LOGIN, "port": 2222}}
    kept = run.update(state, "ours", connection=connection, existing="fail")
    assert kept == {**state, "connection": connection, "existing": "fail"}
    assert run.reached == []
    run.update(state, "ours", existing="takeOver")
    assert run.reached == ["web1"]


def test_triggers_make_it_look_at_the_host_again(run: Run) -> None:
    state = run.create(triggers=["1"])
    run.stage.write(WORD, "by hand")
    run.host.steps.clear()
    state = run.update(state, "ours", triggers=["2"])
    assert (run.word, state["triggers"]) == ("ours", ["2"])
    assert run.host.steps.count("write the word") == 1  # the plan is of what was seen


def test_existing_fail_refuses_what_is_there_and_adopts_nothing(run: Run) -> None:
    run.stage.write(WORD, "theirs")
    with pytest.raises(Failure, match=r"web1: word: there is the word theirs; with `existing: adopt`"):
        run.create(existing="fail")
    assert (run.word, run.recorded) == ("theirs", False)
    run.stage.path(WORD).unlink()
    assert run.create(existing="fail")["observed"] == {"word": "ours"}


def test_a_first_change_that_fails_is_taken_back(run: Run) -> None:
    run.stage.write(WORD, "theirs")
    run.host.after = cut("write the word")
    with pytest.raises(HostError) as told:
        run.create()
    assert NOTHING_LEFT in told.value.hint
    assert (run.word, run.recorded) == ("theirs", False)
    run.host.after = lambda _steps: None
    assert run.create()["prior"] == {"word": "theirs"}  # nothing is believed of the claim that failed


def test_nothing_is_said_of_a_change_that_did_not_begin(run: Run) -> None:
    run.host.before = lost("remember the prior state")
    with pytest.raises(HostError) as told:
        run.create()
    assert (run.word, run.recorded) == ("", False)
    assert LEFT not in str(told.value)


@pytest.mark.parametrize("then", ["up", "destroy"])
def test_a_first_change_that_cannot_be_taken_back_is_finished_or_undone_later(run: Run, then: str) -> None:
    run.stage.write(WORD, "theirs")
    run.host.after, run.host.before = cut("write the word"), lost("put the word back")
    with pytest.raises(Unfinished, match=LEFT) as told:
        run.create()
    state = told.value.outs
    assert (told.value.id, state["unfinished"], state["prior"]) == ("web1/word", True, {"word": "theirs"})
    assert "observed" not in state
    assert run.recorded
    assert run.diff(state, "ours", existing="adopt", guarded=False, kept=True)[0]
    run.begin("two")
    seen = run.read(state)
    assert seen.outs["unfinished"]
    if then == "up":
        done = run.update(state, "ours")
        assert "unfinished" not in done
        assert (run.word, done["prior"], done["observed"]) == ("ours", {"word": "theirs"}, {"word": "ours"})
        state = done
    run.delete(state)
    assert (run.word, run.recorded) == ("theirs", False)


def test_a_later_change_that_fails_is_taken_back_or_finished_later(run: Run) -> None:
    run.stage.write(WORD, "theirs")
    state = run.create()
    run.host.after = cut("write the word")
    with pytest.raises(HostError) as told:
        run.update(state, "next")
    assert NOTHING_LEFT in told.value.hint
    assert (run.word, run.recorded) == ("ours", True)

    run.host.after = lost("write the word")
    with pytest.raises(Unfinished, match=LEFT) as unfinished:
        run.update(state, "next")
    left = unfinished.value.outs
    assert (unfinished.value.id, left["word"], left["unfinished"]) == ("web1/word", "next", True)
    assert (left["prior"], left["claim"]) == ({"word": "theirs"}, state["claim"])
    run.begin("two")
    done = run.update(left, "next")
    assert (run.word, done["observed"], "unfinished" in done) == ("next", {"word": "next"}, False)


def test_what_drifted_is_not_put_back_after_a_failure(run: Run) -> None:
    state = run.create()
    run.stage.write(WORD, "by hand")
    drifted = run.read(state).outs
    run.host.after = cut("write the word")
    with pytest.raises(Unfinished) as told:
        run.update(drifted, "next")
    assert NOTHING_LEFT not in str(told.value)
    assert run.word == "next"
    assert {**told.value.outs, "earlier": None} == {**drifted, "earlier": None}
    assert [one["word"] for one in told.value.outs["earlier"]] == ["next"]
    done = run.update(told.value.outs, "last")
    assert (run.word, "earlier" in done) == ("last", False)


def test_a_reinstalled_host_has_lost_it_and_gets_it_again(run: Run) -> None:
    state = run.create()
    run.stage.path(WORD).unlink()
    run.stage.execute("rm", "-rf", "/var/lib/stockade")
    run.stage.write("/etc/machine-id", f"{'f' * 32}\n")
    run.begin("two")
    with pytest.raises(Failure, match="no longer has a record of Stockade"):
        run.update(state, "next")
    assert run.word == ""
    run.delete(state)
    assert "nothing was undone: this is another machine now" in run.warnings[0]
    gone = run.read(state)
    assert (gone.id, gone.outs) == ("", {})
    assert "was reinstalled. The next `up` applies everything" in run.warnings[1]


def test_a_record_that_somebody_removed_is_written_again(run: Run) -> None:
    run.stage.write(WORD, "theirs")
    state = run.create()
    run.stage.execute("rm", "-rf", "/var/lib/stockade")
    run.begin("two")
    assert run.read(state).outs == state
    assert "written there again, from the state" in run.warnings[0]
    assert (run.recorded, state["claim"] in run.stage.read(OWNED)) == (True, True)
    run.stage.execute("rm", "-rf", "/var/lib/stockade")
    run.begin("three")
    state = run.update(state, "next")
    assert (run.word, run.recorded) == ("next", True)
    run.begin("four")
    run.delete(state)
    assert (run.word, run.recorded) == ("theirs", False)


def test_a_lost_state_takes_its_host_over_and_the_old_one_undoes_nothing(run: Run) -> None:
    run.stage.write(WORD, "theirs")
    old = run.create()
    run.begin("two")
    new = run.create("next")
    assert (new["prior"], run.word) == ({"word": "theirs"}, "next")
    assert new["claim"] != old["claim"]
    assert new["claim"] in run.stage.read(OWNED)
    run.delete(old)  # of the same run: the new one took it over
    assert (run.word, run.recorded) == ("next", True)
    run.begin("three")
    run.delete(new)
    assert (run.word, run.recorded) == ("theirs", False)


def test_a_second_resource_for_a_host_is_refused(run: Run) -> None:
    run.create()
    with pytest.raises(Failure, match="this machine is in the stack twice: web1-word manages it as well"):
        run.create("next", urn=OTHER)
    assert run.word == "ours"


def test_what_another_stack_manages_is_left_to_it(run: Run) -> None:
    state = run.create()
    run.begin("two")
    other = URN.replace(":lab:", ":production:")
    with pytest.raises(Failure, match="the stack lab of the project stockade manages it"):
        run.create("next", urn=other)
    taken = run.create("next", urn=other, existing="takeOver")
    assert run.word == "next"
    run.begin("three")
    run.delete(state)
    assert run.warnings == [
        "web1: word: nothing was undone: web1-word of the stack production (project stockade) manages it now"
    ]
    assert run.word == "next"
    run.delete(taken, urn=other)
    assert (run.word, run.recorded) == ("", False)


def test_a_resource_that_was_renamed_is_renamed_in_the_record(run: Run) -> None:
    state = run.create()
    run.begin("two")
    with called_for(OTHER):
        run.provider.read("web1/word", state)
    assert '"resource": "db1-word"' in run.stage.read(OWNED)
    before = run.stage.read(OWNED)
    run.begin("three")
    with called_for(OTHER):
        run.provider.read("web1/word", state)
    assert run.stage.read(OWNED) == before
    assert run.host.steps.count("record the owner") == 0


def test_nothing_is_undone_where_a_change_of_the_host_failed(run: Run) -> None:
    state = run.create()
    entry = {"address": "192.0.2.1", "admin": {"user": "deploy"}, "hostKey": KEY}
    run.begin("two", web1=entry)
    CLAIMS.fail("web1")
    with pytest.raises(Failure, match="not undone, because a change to web1 failed in this run"):
        run.delete(state)
    run.begin("three", db1=entry)
    with called_for(OTHER):
        run.provider.check({}, {"host": "db1", "word": "ours"})
    with pytest.raises(Failure, match="db1 is the same machine, and has not taken it over yet"):
        run.delete(state)
    assert (run.word, run.recorded) == ("ours", True)
    run.begin("four", db1=entry)
    run.delete(state)
    assert (run.word, run.recorded) == ("", False)


def test_a_host_of_another_shard_is_not_undone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    state = run.create()
    run.begin("two")
    hosts = {"web1": {"address": "192.0.2.1", "shard": 2}}
    run.provider._access = Inventory({"hosts": hosts, "shard": {"of": 3}})
    monkeypatch.setattr("pulumi.get_stack", lambda: "production-01")
    with pytest.raises(Failure, match=r"web1: belongs to the stack production-02 now.*fleet move production`"):
        run.delete(state)
    assert run.word == "ours"


def test_a_host_that_is_gone_for_good_can_be_removed_from_the_state(run: Run) -> None:
    state = run.create()

    def unreachable(_steps: list[str]) -> None:
        raise Unreachable("nobody answers", host="web1")

    run.begin("two")
    run.host.before = unreachable
    with pytest.raises(Failure, match=r"urn:pulumi:lab::stockade::stockade:index:HardenedHost::web1' .*--stack lab"):
        run.delete(state)


def test_inputs_are_checked_and_what_is_unknown_is_left(run: Run) -> None:
    unknown = Unknown()
    checked = run.provider.check({}, {"host": "web1", "word": unknown, "guarded": "yes"})
    assert not checked.failures
    assert checked.inputs == {"host": "web1", "word": unknown, "guarded": "yes"}
    checked = run.provider.check({}, {"host": "web1", "word": "ours", "prior": {}, "kept": None})
    assert checked.inputs == {"host": "web1", "word": "ours", "guarded": False, "kept": True, "existing": "adopt"}
    checked = run.provider.check({}, {"host": "web1", "guarded": "perhaps", "triggers": ["a", 3]})
    assert sorted(one.property for one in checked.failures) == ["guarded", "triggers.1", "word"]
    assert run.diff({}, unknown, host="web1")[0]  # type: ignore[arg-type]


def test_another_machine_replaces_the_resource(run: Run) -> None:
    state = run.create()
    entry = {"address": "192.0.2.1", "admin": {"user": "deploy"}}
    run.begin("two", web1={**entry, "hostKey": KEY})
    assert run.diff(state, "ours", existing="adopt", guarded=False, kept=True) == (False, [])
    run.begin("two", web1={**entry, "hostKey": KEY.replace("Mvj8rzQ", "Mvj8rzA")})
    assert run.diff(state, "ours", existing="adopt", guarded=False, kept=True) == (True, ["connection"])

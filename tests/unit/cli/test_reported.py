"""`--json` of a run: the result on stdout, from what the engine wrote; the exit status."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from cli import reported

URN = "urn:pulumi:mine::stockade::pulumi-python:dynamic/stockade:Sshd::web1"
Said = tuple[int, dict[str, Any], list[list[str]]]


def _event(number: int, **content: Any) -> str:
    return json.dumps({"sequence": number, "timestamp": 1, **content})


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run a command with an engine that says and does this; returns its status, the document, and what was run."""

    def run(words: Sequence[str], *, status: int = 0, changes: bool = False) -> Said:
        ran: list[list[str]] = []

        def engine(argv: Sequence[str], *, env: dict[str, str], heard: Callable[[str], None]) -> int:
            assert env["PULUMI_DEBUG_COMMANDS"] == "true"
            ran.append([word for word in argv if "--event-log" not in word][argv.index("local") + 1 :])
            (log,) = (word.partition("=")[2] for word in argv if word.startswith("--event-log="))
            heard("engine: working\n")
            counts = {"update": 1} if changes and ran[-1][0] != "refresh" else {"same": 1}
            summary = {"maybeCorrupt": False, "durationSeconds": 1, "resourceChanges": counts, "PolicyPacks": {}}
            with open(log, "w", encoding="utf-8") as file:
                file.write(_event(1, summaryEvent=summary) + "\n")
            return status

        monkeypatch.setattr(reported, "run_apart", engine)
        ended = reported.reported([*words, "--stack", "mine", "--json"])
        printed = capsys.readouterr()
        assert "engine: working" in printed.err
        return ended, json.loads(printed.out), ran

    return run


def test_an_up_that_changes_something(run: Callable[..., Said]) -> None:
    status, said, ran = run(["up", "--yes"], changes=True)
    assert status == 0
    assert [words[0] for words in ran] == ["up"]
    assert "--json" not in ran[0]
    (stack,) = said["stacks"]
    assert (stack["status"], stack["changes"]) == ("done", {"update": 1})
    assert said["failed"] is False or said["failed"] == []


def test_changes_where_none_were_expected(run: Callable[..., Said]) -> None:
    assert run(["preview"], changes=True)[0] == 0
    assert run(["preview", "--expect-no-changes"], changes=True)[0] == 7
    assert run(["preview", "--expect-no-changes"])[0] == 0
    status, _, ran = run(["drift"], changes=True)
    assert (status, [words[0] for words in ran]) == (7, ["refresh", "preview"])
    assert run(["drift"])[0] == 0


@pytest.mark.parametrize(("status", "word"), [(1, "failed"), (130, "cancelled"), (0, "done")])
def test_a_run_that_fails_ends_with_the_engines_status(run: Callable[..., Said], status: int, word: str) -> None:
    ended, said, ran = run(["drift"], status=status)
    assert ended == status
    assert said["stacks"][0]["status"] == word
    assert len(ran) == (2 if status == 0 else 1)

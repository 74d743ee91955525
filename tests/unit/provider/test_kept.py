"""What one run leaves among the provider's inputs for the next, and what a killed run left in the state."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime import proto

from components.core import console
from components.core.claims import CLAIMS
from provider import exported, interrupted
from provider.exported import UnreadableError
from provider.interrupted import Interrupted, look, read
from provider.kept import Kept
from provider.structs import struct_of

URN = "urn:pulumi:lab::stockade::pulumi:providers:pulumi-python::default"
ONE, TWO = "urn:pulumi:lab::stockade::t::one", "urn:pulumi:lab::stockade::t::two"
WEB1, WEB2 = ({"address": f"192.0.2.{number}", "admin": {"user": "deploy"}} for number in (1, 2))


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Warnings of this process; CLAIMS is emptied for other tests."""
    told: list[str] = []
    monkeypatch.setattr(
        console, "_console", [type("Console", (), {"warn": lambda _self, _urn, text: told.append(text)})()]
    )
    monkeypatch.setenv("PULUMI_PROJECT", "stockade")
    CLAIMS.__init__()  # type: ignore[misc]
    yield told
    CLAIMS.__init__()  # type: ignore[misc]


def checked(kept: Kept, olds: Any, **config: Any) -> Any:
    """Return the inputs to keep, as the engine has them."""
    news = {f"stockade:{name}": json.dumps(value) for name, value in config.items()}
    return kept.checked(proto.CheckRequest(urn=URN, olds=olds, news=struct_of(news)))


NOTHING = struct_of({})


def test_a_state_has_a_lineage_from_its_first_run_on(warnings: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupted, "look", lambda *_given: Interrupted({}))
    first = checked(Kept(), NOTHING, hosts={"web1": WEB1})
    lineage = first.fields["lineage"].string_value
    assert len(lineage) == 32
    assert set(first.fields) == {"stockade:hosts", "lineage"}
    again = checked(Kept(), first, hosts={"web1": WEB1})
    assert again == first
    assert (CLAIMS.lineage, warnings) == (lineage, [])
    assert checked(Kept(), NOTHING, hosts={"web1": WEB1}).fields["lineage"].string_value != lineage


def test_a_host_that_leaves_the_config_is_kept_as_a_secret(
    warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interrupted, "look", lambda *_given: Interrupted({}))
    first = checked(Kept(), NOTHING, hosts={"web1": WEB1, "web2": WEB2})
    kept = Kept()
    second = checked(kept, first, hosts={"web1": WEB1})
    secret = second.fields["former"].struct_value.fields
    assert secret["4dabf18193072939515e22adb298388d"].string_value == "1b47061264138c4ac30d75fd1eb44270"
    assert "192.0.2.2" in secret["value"].string_value
    assert [way.admin.host for way in kept.former.ways("web2", ()) if way.admin] == ["192.0.2.2"]
    later = Kept()
    config = later.configured(proto.ConfigureRequest(args=second))
    assert set(config) == {"stockade:hosts"}
    assert [way.admin.host for way in later.former.ways("web2", ()) if way.admin] == ["192.0.2.2"]
    assert CLAIMS.lineage == first.fields["lineage"].string_value
    third = Kept()
    assert checked(third, second, hosts={"web1": WEB1}).fields["former"] == second.fields["former"]


def test_a_killed_runs_operations_are_remembered(warnings: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []
    found = Interrupted({ONE: ("digest", "1")}, frozenset({ONE}))

    def looked(*given: Any) -> Interrupted:
        asked.append(given)
        return found

    monkeypatch.setattr(interrupted, "look", looked)
    kept = Kept()
    first = checked(kept, NOTHING)
    assert asked == []  # no run of this stack has got this far
    second = checked(kept, first)
    lineage = first.fields["lineage"].string_value
    assert [given[:3] for given in asked] == [("lab", lineage, {})]
    assert kept.interrupted == {ONE}
    assert read(second.fields["interrupted"].string_value) == found.marks
    assert "interrupted" not in kept.configured(proto.ConfigureRequest(args=second))

    def unreadable(*_given: Any) -> Interrupted:
        raise UnreadableError("no passphrase")

    monkeypatch.setattr(interrupted, "look", unreadable)
    other = Kept()
    third = checked(other, second)
    assert read(third.fields["interrupted"].string_value) == found.marks
    assert other.interrupted == {ONE}
    [told] = warnings
    assert "since the state cannot be read. If one was, run `refresh` first (no passphrase)" in told


Engine = Callable[..., list[str]]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A CLI that prints a state, and notes its arguments; each call is by another process unless it is `same`."""
    program, notes = tmp_path / "pulumi", tmp_path / "notes"
    monkeypatch.setattr(interrupted, "engine", lambda: str(program))
    monkeypatch.setattr(exported, "engine", lambda: str(program))
    monkeypatch.setattr(interrupted, "private_folder", lambda _name: tmp_path)
    number = iter(range(99))

    def made(state: Any, *, status: int = 0, same: bool = False) -> list[str]:
        text = state if isinstance(state, str) else json.dumps({"deployment": state})
        (tmp_path / "state").write_text(text)
        told = "" if status == 0 else "echo locked >&2"
        program.write_text(f'#!/bin/sh\necho "$*" >>{notes}\n{told}\ncat {tmp_path}/state\nexit {status}\n')
        program.chmod(0o755)
        if not same:
            process = f"process {next(number)}"
            monkeypatch.setattr(interrupted, "_process", lambda: process)
        return notes.read_text().splitlines() if notes.exists() else []

    return made


def deployment(*pending: str, lineage: str = "L0", **modified: str) -> dict[str, Any]:
    """A state with these resources, and these updates in progress."""
    provider = {"urn": URN, "type": "pulumi:providers:pulumi-python", "inputs": {"lineage": lineage}}
    resources = [
        {"urn": f"urn:pulumi:lab::stockade::t::{name}", "type": "t", "modified": time}
        for name, time in modified.items()
    ]
    operations = [{"type": "updating", "resource": {"urn": urn}} for urn in pending]
    found = {"resources": [provider, *resources]}
    return {**found, "pending_operations": operations} if pending else found


def test_a_state_is_asked_of_the_cli_that_runs(engine: Engine) -> None:
    engine(deployment(one="1"))
    assert look("lab", "L0", {}) == Interrupted({})
    assert engine("")[0].startswith("stack export --non-interactive")


def test_what_was_being_changed_is_found_until_it_is_changed(engine: Engine) -> None:
    engine(deployment(ONE, one="1", two="1"))
    first = look("lab", "L0", {})
    assert (first.urns, set(first.marks)) == ({ONE}, {ONE})
    engine(deployment(one="1", two="2"))
    assert look("lab", "L0", first.marks).urns == {ONE}
    engine(deployment(one="2", two="2"))
    assert look("lab", "L0", first.marks) == Interrupted({})


def test_what_a_preview_found_its_up_knows(engine: Engine) -> None:
    engine(deployment(ONE, one="1"))
    look("lab", "L0", {})
    engine(deployment(one="1"), same=True)  # the CLI has dropped it when it starts us again
    assert look("lab", "L0", {}).urns == {ONE}
    engine(deployment(one="1"))
    assert look("lab", "L0", {}) == Interrupted({})  # another run
    engine(deployment(ONE, one="1"))
    look("lab", "L0", {})
    engine(deployment(one="2"), same=True)
    assert look("lab", "L0", {}).urns == frozenset()
    engine(deployment(one="2"), same=True)
    assert look("lab", "L0", {}) == Interrupted({})


def test_the_state_of_another_stack_with_the_same_name_settles_nothing(engine: Engine) -> None:
    engine(deployment(lineage="L1", one="2"))
    marks = {ONE: ("digest", "1")}
    assert look("lab", "L0", marks) == Interrupted(marks, frozenset({ONE}))


@pytest.mark.parametrize(("state", "status"), [("{}", 0), ("{", 0), ("[]", 0), ("{}", 255)])
def test_a_state_that_cannot_be_read_is_told(engine: Engine, state: str, status: int) -> None:
    engine(state, status=status)
    with pytest.raises(UnreadableError, match="locked" if status else None):
        look("lab", "L0", {ONE: ("digest", "1")})


def test_the_embedded_engine_reads_the_state_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupted, "engine", lambda: "")
    assert look("lab", "L0", {ONE: ("digest", "1")}) == Interrupted({})


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("pulumi up --stack me/lab --yes", ["--stack", "me/lab"]),
        ("pulumi up -s me/lab", ["--stack", "me/lab"]),
        ("pulumi up --stack=me/lab", ["--stack=me/lab"]),
        ("pulumi up", []),
    ],
)
def test_the_stack_is_named_as_in_the_run(
    words: str, option: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cmdline").write_bytes(words.replace(" ", "\0").encode() + b"\0")
    monkeypatch.setattr(exported, "Path", lambda name: tmp_path / Path(name).name)
    assert exported._stack_option("lab") == option
    monkeypatch.setattr(exported, "Path", lambda name: tmp_path / "none")
    assert exported._stack_option("lab") == ["--stack", "lab"]


def test_only_a_pulumi_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for program, found in (("/usr/bin/pulumi", True), ("/nix/.pulumi-wrapped", True), ("/usr/bin/python3", False)):
        monkeypatch.setattr(os, "readlink", lambda _path, program=program: program)
        assert exported.engine() == (program if found else "")

"""Partial failures (ErrorResourceInitFailed): the resource is in the state, and is completed or deleted later."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Sample

Engine = Callable[..., str]

ENGINES = [
    "engine",
    pytest.param("cli", marks=pytest.mark.skipif(shutil.which("pulumi") is None, reason="pulumi is not on PATH")),
]


@pytest.fixture(params=ENGINES)
def run(request: pytest.FixtureRequest, sample: Sample) -> Engine:
    """Each engine: both behave alike."""
    sample.configure_password()

    def run(command: str, *arguments: str, ok: bool = True) -> str:
        skip = ("--skip-preview",) if request.param == "cli" and command != "preview" else ()
        yes = () if command == "preview" else ("--yes",)
        return (sample.cli if request.param == "cli" else sample.engine)(command, *yes, *skip, *arguments, ok=ok)

    return run


def _one(sample: Sample, **props: Any) -> None:
    sample.spec({"one": {"props": props, "secret": True}, "user": {"from": "one"}, "other": {}})


def test_a_creation_that_came_half_way_is_finished_by_an_update(sample: Sample, run: Engine) -> None:
    _one(sample, text="a", partly="create")
    shown = run("up", ok=False)
    assert "one: create came half-way" in shown
    made = sample.resources()
    assert "user" not in made  # not attempted: it needs the other one
    one = made["one"]
    assert one["id"] == "one-0"
    assert one["initErrors"] == ["one: create came half-way"]
    assert one["outputs"]["greeting"] == "hello"
    assert "hunter2" not in sample.state_file.read_text()
    assert "pending_operations" not in sample.deployment()

    shown = run("preview", "--diff", "--expect-no-changes", ok=False)
    assert "(update)" in shown
    sample.log()
    run("up")
    assert "update one" in sample.log()
    assert "create one" not in sample.log()
    assert "initErrors" not in sample.resources()["one"]
    run("preview", "--expect-no-changes")


def test_what_came_half_way_may_be_large(sample: Sample, run: Engine) -> None:
    _one(sample, text="a rule\n" * 300_000, partly="create")  # the text is part of the error
    shown = run("up", ok=False)
    assert "one: create came half-way" in shown
    assert sample.resources()["one"]["initErrors"] == ["one: create came half-way"]


def test_what_came_half_way_is_deleted(sample: Sample, run: Engine) -> None:
    _one(sample, partly="create")
    run("up", ok=False)
    assert (sample.world / "one-0.json").exists()
    sample.log()
    run("destroy")
    assert "deleted one" in sample.log()
    assert not (sample.world / "one-0.json").exists()


def test_a_replacement_that_came_half_way_leaves_both_in_the_state(sample: Sample, run: Engine) -> None:
    _one(sample, key="1")
    run("up")
    _one(sample, key="2", partly="create")
    run("up", ok=False)
    ones = [item for item in sample.deployment()["resources"] if item["urn"].endswith("::one")]
    assert sorted((item["id"], item.get("delete", False)) for item in ones) == [("one-1", True), ("one-2", False)]
    _one(sample, key="2")
    run("up")
    assert sorted(file.name for file in sample.world.glob("one-*.json")) == ["one-2.json"]


def test_an_update_that_came_half_way_is_tried_again(sample: Sample, run: Engine) -> None:
    _one(sample, text="a")
    run("up")
    _one(sample, text="b", partly="update")
    shown = run("up", ok=False)
    assert "one: update came half-way" in shown
    one = sample.resources()["one"]
    assert one["initErrors"] == ["one: update came half-way"]
    assert (one["inputs"]["text"], one["outputs"]["text"]) == ("a", "b")  # current outputs, former inputs
    assert "hunter2" not in sample.state_file.read_text()
    sample.log()
    _one(sample, text="b")
    run("up")
    assert "updated one" in sample.log()
    assert "initErrors" not in sample.resources()["one"]


def test_what_is_read_unwell_is_taken_into_the_state(sample: Sample, run: Engine) -> None:
    _one(sample, text="a", partly="read")
    run("up")
    (sample.world / "one-0.json").write_text(json.dumps({"text": "b"}))
    shown = run("refresh")
    assert "unhealthy state" in shown
    assert "one: read came half-way" in shown
    one = sample.resources()["one"]
    assert one["initErrors"] == ["one: read came half-way"]
    assert one["inputs"]["text"] == "b"
    assert "hunter2" not in sample.state_file.read_text()
    sample.log()
    _one(sample, text="b")
    run("up")
    assert "updated one" in sample.log()

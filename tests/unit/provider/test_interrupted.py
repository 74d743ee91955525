"""What the CLI's state shows about a killed run, and when that is settled."""

from typing import Any

import pytest

from provider.interrupted import Marks, found_in, read, written

ONE, TWO = "urn:pulumi:s::p::t::one", "urn:pulumi:s::p::t::two"


def state(*begun: tuple[str, str], nonce: str = "a", **modified: str) -> dict[str, Any]:
    """A deployment with these resources, modified at these times, and these operations in progress."""
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": nonce}
    resources = [{"urn": f"urn:pulumi:s::p::t::{name}", "modified": time} for name, time in modified.items()]
    operations = [{"type": type_, "resource": {"urn": urn, "inputs": {"word": secret}}} for urn, type_ in begun]
    return {"resources": resources, "pending_operations": operations}


def test_a_run_that_came_to_its_end_leaves_nothing() -> None:
    assert found_in(state(one="1"), {}).marks == {}


@pytest.mark.parametrize("type_", ["creating", "updating", "deleting"])
def test_what_was_begun_is_kept_until_the_state_shows_a_change(type_: str) -> None:
    first = found_in(state((ONE, type_), one="1", two="1"), {})
    assert first.urns == {ONE}
    dropped = found_in(state(one="1", two="2"), first.marks)  # a run that did not reach it
    assert dropped.urns == {ONE}
    assert found_in(state(one="2", two="2"), dropped.marks).marks == {}
    assert found_in(state(two="2"), dropped.marks).marks == {}


def test_what_was_to_be_applied_is_kept_without_secrets() -> None:
    begun = state((ONE, "updating"), (TWO, "creating"), one="1")
    begun["pending_operations"][0]["resource"]["inputs"] |= {"groups": ["games"], "connection": {"admin": {}}}
    first = found_in(begun, {})
    assert first.meant == {ONE: [{"groups": ["games"]}], TWO: [{}]}
    again = state((ONE, "updating"), one="1")
    again["pending_operations"][0]["resource"]["inputs"] = {"groups": ["audio"]}
    second = found_in(again, read(written(first.marks)))
    assert second.meant[ONE] == [{"groups": ["games"]}, {"groups": ["audio"]}]
    assert found_in(state(one="2"), second.marks).meant == {}
    assert found_in(state((TWO, "creating"), one="1", two="2"), first.marks).meant == {ONE: first.meant[ONE]}
    assert found_in(state((ONE, "deleting"), one="1"), {}).meant == {ONE: []}


def test_what_was_read_alone_is_nothing() -> None:
    assert found_in(state((ONE, "reading"), one="1"), {}).marks == {}


def test_a_creation_that_the_cli_never_forgets_counts_once() -> None:
    """It stays in the state although the resource exists, encrypted differently each time."""
    marks: Marks = {}
    for number, known in enumerate([{}, {"one": "1"}, {"one": "1"}, {"one": "2"}]):
        found = found_in(state((ONE, "creating"), nonce=str(number), two="1", **known), marks)
        assert found.urns == frozenset()
        marks = found.marks
    again = found_in(state((ONE, "creating"), (ONE, "creating"), one="2"), marks)
    assert again.urns == {ONE}
    assert found_in(state((ONE, "creating"), (ONE, "creating"), one="3"), again.marks).urns == frozenset()


def test_a_resource_that_is_only_left_to_be_deleted_is_no_resource() -> None:
    deployment = state((ONE, "deleting"), one="1")
    deployment["resources"][0]["delete"] = True
    assert found_in(deployment, {}).urns == frozenset()


def test_a_creation_under_another_name_concerns_what_the_state_has_on_the_machine() -> None:
    """Until that is applied again: the CLI keeps the creation in the state."""

    def on(key: str, name: str, modified: str, type_: str = "t", **more: bool) -> dict[str, Any]:
        urn = f"urn:pulumi:s::p::{type_}::{name}"
        return {"urn": urn, "type": type_, "modified": modified, "outputs": {"machine": {"keys": [key]}}, **more}

    def deployment(modified: str) -> dict[str, Any]:
        created = {"urn": "urn:pulumi:s::p::t::new", "type": "t", "inputs": {"host": "new"}}
        resources = [
            on("a", "one", modified),
            on("a", "other", "1", "another"),
            on("b", "two", "1"),
            on("a", "old", "1", delete=True),
            {"urn": "urn:pulumi:s::p::t::three", "type": "t"},
        ]
        return {"resources": resources, "pending_operations": [{"type": "creating", "resource": created}]}

    machines = {"new": ["a", "c"]}
    found = found_in(deployment("1"), {}, lambda name: machines.get(name, []))
    assert found.urns == {ONE}
    assert found_in(deployment("1"), {}).urns == frozenset()
    later = found_in(deployment("2"), found.marks, lambda name: machines.get(name, []))
    assert later.urns == frozenset()
    assert found_in(deployment("2"), later.marks, lambda name: machines.get(name, [])).urns == frozenset()


def test_marks_are_kept_as_text() -> None:
    marks = found_in(state((ONE, "updating"), (TWO, "creating"), one="1"), {}).marks
    assert read(written(marks)) == marks
    assert [read(text) for text in ("", "[]", "{", '{"a": 1}', '{"a": ["b"]}')] == [{}] * 5

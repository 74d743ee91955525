"""Registrations: reading, inheritance, refusals."""

from __future__ import annotations

from typing import Any

import pytest
from pulumi.runtime.proto import resource_pb2 as pb

from local.engine.errors import UnsupportedError
from local.engine.run.goals import keep_ignored, make_urn, read_goal
from local.engine.run.providers import default_name

STACK_URN = make_urn("s", "p", "", "pulumi:pulumi:Stack", "p-s")


def _request(**values: Any) -> Any:
    return pb.RegisterResourceRequest(type="pulumi-python:dynamic:Resource", name="n", custom=True, **values)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"importId": "x"}, "import_"),
        ({"replace_with": ["urn"]}, "replace_with"),
        ({"packageRef": "x"}, "parameterized"),
        ({"hideDiffs": ["x"]}, "hide_diffs"),
        ({"hooks": pb.RegisterResourceRequest.ResourceHooksBinding(before_create=["x"])}, "hook"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(values: dict[str, Any], named: str) -> None:
    with pytest.raises(UnsupportedError, match=named):
        read_goal(_request(**values))


def test_options_come_from_the_parent() -> None:
    parent = read_goal(_request(protect=True, retainOnDelete=True, deletedWith="urn:host"))
    child = read_goal(_request()).inherit(parent)
    assert (child.protect, child.retain_on_delete, child.deleted_with) == (True, True, "urn:host")
    own = read_goal(_request(protect=False, retainOnDelete=False, deletedWith="urn:other")).inherit(parent)
    assert (own.protect, own.retain_on_delete, own.deleted_with) == (False, False, "urn:other")


def test_a_provider_is_inherited_by_its_own_package_only() -> None:
    parent = read_goal(_request(provider="urn:pulumi:s::p::pulumi:providers:pulumi-python::mine::id"))
    assert read_goal(_request()).inherit(parent).provider.endswith("::mine::id")
    other = pb.RegisterResourceRequest(type="command:local:Command", name="n", custom=True)
    assert read_goal(other).inherit(parent).provider == ""


def test_urns_have_the_types_of_the_parents() -> None:
    outer = make_urn("s", "p", STACK_URN, "a:b:Outer", "o")
    assert outer == "urn:pulumi:s::p::a:b:Outer::o"
    assert make_urn("s", "p", outer, "a:b:Inner", "i") == "urn:pulumi:s::p::a:b:Outer$a:b:Inner::i"


def test_timeouts_are_seconds() -> None:
    timeouts = pb.RegisterResourceRequest.CustomTimeouts(create="1h2m3s", update="45s", delete="500ms")
    seconds = {"create": 3723.0, "update": 45.0, "delete": 0.5}
    assert read_goal(_request(customTimeouts=timeouts)).custom_timeouts == seconds
    some = pb.RegisterResourceRequest.CustomTimeouts(update="2us")
    assert read_goal(_request(customTimeouts=some)).custom_timeouts == {"update": 0.000002}


def test_ignored_changes_keep_what_was() -> None:
    old: Any = {"a": 1, "b": {"c": [1, 2], "d": 3}}
    new: Any = {"a": 2, "b": {"c": [5, 6], "d": 4}, "e": 5}
    assert keep_ignored(new, old, ("a", "b.c[1]", "e")) == {"a": 1, "b": {"c": [5, 2], "d": 4}}
    assert keep_ignored(new, old, ("*",)) == old
    with pytest.raises(UnsupportedError, match="wildcard"):
        keep_ignored(new, old, ("b.*",))


def test_default_providers_are_named_as_pulumi_does() -> None:
    assert default_name("", "") == "default"
    assert default_name("1.2.3", "") == "default_1_2_3"

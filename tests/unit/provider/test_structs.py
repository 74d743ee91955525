"""The fast reader of properties returns the same as the SDK."""

from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st
from pulumi.output import Unknown
from pulumi.runtime import proto, rpc

from components.firewall.ruleset.resource import RulesetProvider
from provider.server import PROVIDER_KEY, Server
from provider.structs import SIGNATURE, plain, properties, same, same_but

SCALARS = st.one_of(st.text(max_size=5), st.booleans(), st.floats(allow_nan=False), st.just(rpc.UNKNOWN), st.none())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner)),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=3), VALUES, max_size=4)


def _struct(values: dict[str, Any]) -> Struct:
    struct = Struct()
    struct.update(values)
    return struct


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    return "unknown" if isinstance(value, Unknown) else value


def _has_null(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is None or any(map(_has_null, inner))


@given(OBJECTS)
def test_any_properties_are_read_as_the_sdk_does(values: dict[str, Any]) -> None:
    struct = _struct(values)
    assert _comparable(properties(struct)) == _comparable(rpc.deserialize_properties(struct, True))
    assert (plain(struct) is None) is _has_null(values)


def test_marked_values_are_the_sdks_matter() -> None:
    secret = {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "value": "hidden"}
    assert plain(_struct({"a": secret})) is None
    assert properties(_struct({"a": secret})) == {"a": secret}


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({"a": 1, "b": [1, {"c": True}]}, True),
        ({"a": 1, "b": [1, {"c": True}], "seen": 2}, True),
        ({"a": 2, "b": [1, {"c": True}]}, False),
        ({"a": 1, "b": [1, {"c": False}]}, False),
        ({"a": 1, "b": [1, {"c": True}], "more": ""}, False),
        ({"a": 1}, False),
    ],
)
def test_what_differs_beside_the_outputs(other: dict[str, Any], same: bool) -> None:
    one = _struct({"a": 1, "b": [1, {"c": True}], "seen": 1})
    assert same_but(one, _struct(other), frozenset({"seen"})) is same
    assert same_but(_struct(other), one, frozenset({"seen"})) is same


@given(OBJECTS, OBJECTS)
def test_the_same_is_what_makes_the_same_struct(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert same(one, other) is (_struct(one) == _struct(other))
    assert same(one, one)
    assert not same({"a": [1, True]}, {"a": [1, 1]})
    assert same({"a": [1]}, {"a": [1.0]})


def test_check_and_diff_of_what_is_normal_already() -> None:
    """They return the inputs unchanged, and no difference; anything else is examined."""
    server, urn = Server(), "urn:pulumi:test::stockade::pulumi-python:dynamic/stockade:Ruleset::a"
    from pulumi.dynamic.dynamic import serialize_provider

    given: dict[str, Any] = {
        "host": "a",
        "family": "ipv4",
        "rules": "-A INPUT -j DROP",
        PROVIDER_KEY: serialize_provider(RulesetProvider()),
    }
    request = proto.CheckRequest(urn=urn, news=_struct(given))
    normal = server.Check(request, None).inputs
    assert "*filter" in normal["rules"]  # made canonical
    again = server.Check(proto.CheckRequest(urn=urn, olds=normal, news=normal), None)
    assert (again.inputs, list(again.failures)) == (normal, [])
    olds = _struct({**properties(normal), "observed": {"saved": "..."}, "prior": None})
    for text, changes in (
        ("", proto.DiffResponse.DIFF_NONE),
        ("*filter\n-A INPUT -j ACCEPT\nCOMMIT\n", proto.DiffResponse.DIFF_SOME),
    ):
        news = _struct(properties(normal) | ({"rules": text} if text else {}))
        assert server.Diff(proto.DiffRequest(urn=urn, id="a", olds=olds, news=news), None).changes == changes

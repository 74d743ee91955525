"""Property values between the wire, the engine and the state."""

from __future__ import annotations

import json

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st

from local.engine.errors import UnsupportedError
from local.engine.state.state import decode_value, encode_value
from local.engine.state.values import (
    ASSET_SIGNATURES,
    SECRET_SIGNATURE,
    SIGNATURE,
    UNKNOWN,
    UNKNOWN_TEXT,
    PropertyValue,
    Reference,
    Secret,
    contains_secret,
    contains_unknown,
    from_struct,
    mark_secrets,
    reveal,
    to_struct,
    without_unknown,
)
from tests.unit.engine.crypter import CRYPTER

KEYS = st.text().filter(lambda key: key != SIGNATURE)
NUMBERS = st.integers(-(2**50), 2**50) | st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text().filter(lambda text: text != UNKNOWN_TEXT),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
VALUES = PLAIN | PLAIN.map(Secret) | st.lists(PLAIN.map(Secret), max_size=3)


@given(VALUES)
def test_the_wire_keeps_values(value: PropertyValue) -> None:
    assert from_struct(to_struct({"key": value}, secrets=True)) == {"key": value}


@given(VALUES)
def test_the_state_keeps_values_and_shows_no_secret(value: PropertyValue) -> None:
    encoded = json.loads(json.dumps(encode_value(value, CRYPTER)))
    assert decode_value(encoded, CRYPTER) == value
    marked = json.dumps(encoded)
    assert (SECRET_SIGNATURE in marked) == contains_secret(value)


def test_a_secret_is_not_readable_in_the_state() -> None:
    encoded = json.dumps(encode_value({"a": [Secret({"password": "hunter2"})]}, CRYPTER))
    assert "hunter2" not in encoded
    assert "hunter2" not in repr(Secret("hunter2"))


def test_the_state_keeps_references() -> None:
    value: PropertyValue = {"r": Reference("urn:x", "id-1"), "c": [Reference("urn:y")]}
    assert decode_value(json.loads(json.dumps(encode_value(value, CRYPTER))), CRYPTER) == value


def test_an_export_with_plain_secrets_is_read_again() -> None:
    value: PropertyValue = {"a": [Secret({"password": "hunter2"})]}
    plain = json.loads(json.dumps(encode_value(value, None)))
    assert json.loads(plain["a"][0]["plaintext"]) == {"password": "hunter2"}
    assert decode_value(plain, CRYPTER) == value


def test_a_value_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="the signature 0123"):
        decode_value({SIGNATURE: "0123"}, CRYPTER)


def test_receivers_that_know_no_secrets_or_references_get_bare_values() -> None:
    properties: dict[str, PropertyValue] = {"s": Secret("x"), "r": Reference("urn:x", "id-1"), "c": Reference("urn:y")}
    assert from_struct(to_struct(properties, secrets=False, references=False)) == {"s": "x", "r": "id-1", "c": "urn:y"}
    assert from_struct(to_struct(properties, secrets=True)) == properties


def test_unknown_values() -> None:
    struct = Struct()
    struct.fields["u"].string_value = UNKNOWN_TEXT
    assert from_struct(struct) == {"u": UNKNOWN}
    assert contains_unknown({"a": [Secret(UNKNOWN)]})
    assert without_unknown({"a": 1, "b": [UNKNOWN]}) == {"a": 1}


def test_output_values_become_what_they_carry() -> None:
    struct = Struct()
    output = {SIGNATURE: "d0e6a833031e9bbcd3f4e8bde6ca49a4"}
    struct.update(
        {"known": {**output, "value": 1}, "secret": {**output, "value": 1, "secret": True}, "unknown": output}
    )
    assert from_struct(struct) == {"known": 1, "secret": Secret(1), "unknown": UNKNOWN}


@pytest.mark.parametrize("signature", ASSET_SIGNATURES)
def test_assets_are_refused(signature: str) -> None:
    struct = Struct()
    struct.update({"file": {SIGNATURE: signature, "path": "x"}})
    with pytest.raises(UnsupportedError, match="asset"):
        from_struct(struct)


def test_outputs_are_secret_where_inputs_are() -> None:
    marked = mark_secrets({"a": "x", "b": {"c": "y", "d": 1}, "e": 2}, {"a": Secret("x"), "b": {"c": Secret("y")}})
    assert marked == {"a": Secret("x"), "b": {"c": Secret("y"), "d": 1}, "e": 2}
    assert reveal(marked) == {"a": "x", "b": {"c": "y", "d": 1}, "e": 2}


def test_a_secret_in_a_secret_is_the_same_value() -> None:
    """A value that a provider's check marks twice equals the one in the state."""
    struct = Struct()
    way = struct.fields["way"].struct_value.fields
    way[SIGNATURE].string_value = SECRET_SIGNATURE
    inner = way["value"].struct_value.fields
    inner["host"].string_value = "web1"
    inner["key"].struct_value.fields[SIGNATURE].string_value = SECRET_SIGNATURE
    inner["key"].struct_value.fields["value"].string_value = "k"
    value = from_struct(struct)["way"]
    assert value == Secret({"host": "web1", "key": "k"})
    assert decode_value(encode_value(value, CRYPTER), CRYPTER) == value

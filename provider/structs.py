"""Reads properties from the engine without the SDK's handling of what is never sent here: in a fifth of the time.

Structs with secrets, assets, references or nulls are left to the SDK.
"""

from collections.abc import Coroutine, Mapping, Set
from typing import Any

from pulumi.output import Unknown
from pulumi.runtime import rpc

SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key that marks a special object (`sdk/go/common/resource`)."""


class _NotPlainError(Exception):
    """A struct that only the SDK can read."""


def plain(struct: Any) -> dict[str, Any] | None:
    """Return the properties of a Struct as `rpc.deserialize_properties(struct, True)` does; None if it is special.

    A plain Struct contains exactly what `plain` returns, so one may be sent for the other.
    """
    try:
        return _object(struct.fields)
    except _NotPlainError:
        return None


def properties(struct: Any) -> dict[str, Any]:
    """Return the properties of any Struct, unknown ones as `Unknown`."""
    found = plain(struct)
    return rpc.deserialize_properties(struct, True) if found is None else found


def same(one: Any, other: Any) -> bool:
    """Return whether two plain values make the same Struct: like `==`, but `True` is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) and isinstance(one, bool) is isinstance(other, bool)


def same_but(one: Any, other: Any, left_out: Set[str]) -> bool:
    """Return whether two Structs agree in all other properties."""
    mine, theirs = one.fields, other.fields
    names = (set(mine) | set(theirs)) - left_out
    return all(name in mine and name in theirs and mine[name] == theirs[name] for name in names)


def _object(fields: Any) -> dict[str, Any]:
    if SIGNATURE in fields:
        raise _NotPlainError
    return {key: _value(value) for key, value in fields.items()}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        text = value.string_value
        return Unknown() if text == rpc.UNKNOWN else text  # type: ignore[no-untyped-call]
    if kind == "struct_value":
        return _object(value.struct_value.fields)
    if kind == "list_value":
        return [_value(item) for item in value.list_value.values]
    if kind in ("number_value", "bool_value"):
        return getattr(value, kind)
    raise _NotPlainError


def struct_of(props: Mapping[str, Any]) -> Any:
    """Serialise plain properties for the engine.

    The SDK's coroutine never waits for anything, and an event loop for it would cost as much as its work.
    """
    work: Coroutine[Any, Any, Any] = rpc.serialize_properties(dict(props), {})
    try:
        work.send(None)
    except StopIteration as ended:
        return ended.value
    work.close()
    raise TypeError("properties that are not plain values")

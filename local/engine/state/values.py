"""Property values, of which inputs and outputs of resources consist, and their conversion from and to the wire.

Pulumi marks secrets, resource references and output values as objects with a signature key (`sdk/go/common/resource`,
"Special signatures" in Pulumi's developer documentation). Here they are classes, so that the mark cannot get lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from local.engine.errors import UnsupportedError

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import Struct, Value

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a public marker, no secret
REFERENCE_SIGNATURE = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT_SIGNATURE = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
ASSET_SIGNATURES = ("c44067f5952c0a294b673a41bacd8c17", "0def7320c3a5731c473e5ecbe6d01bc7")
UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


@dataclass(frozen=True)
class Secret:
    """A value that is encrypted in the state and never shown."""

    value: PropertyValue

    def __repr__(self) -> str:
        return "[secret]"


@dataclass(frozen=True)
class Unknown:
    """A value that is unknown until the resource that it comes from has been changed."""


@dataclass(frozen=True)
class Reference:
    """A resource passed as a value: its URN, and its ID if it is a custom resource (empty while unknown)."""

    urn: str
    id: str | None = None


UNKNOWN = Unknown()
PropertyValue: TypeAlias = (
    "bool | int | float | str | list[PropertyValue] | dict[str, PropertyValue] | Secret | Unknown | Reference | None"
)
PropertyMap: TypeAlias = dict[str, PropertyValue]


def from_struct(struct: Struct) -> PropertyMap:
    """The properties in a protobuf Struct; raises UnsupportedError for assets and archives."""
    return {key: _from_value(value) for key, value in struct.fields.items()}


def _from_value(value: Value) -> PropertyValue:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return UNKNOWN if value.string_value == UNKNOWN_TEXT else str(value.string_value)
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return bool(value.bool_value)
    if kind == "list_value":
        return [_from_value(item) for item in value.list_value.values]
    if kind == "struct_value":
        fields = value.struct_value.fields
        if SIGNATURE in fields:
            return _from_special(fields[SIGNATURE].string_value, from_struct_unsigned(fields))
        return {key: _from_value(item) for key, item in fields.items()}
    return None


def from_struct_unsigned(fields: Mapping[str, Value]) -> PropertyMap:
    """The members of a signed object, without the signature."""
    return {key: _from_value(item) for key, item in fields.items() if key != SIGNATURE}


def _from_special(signature: str, members: PropertyMap) -> PropertyValue:
    if signature == SECRET_SIGNATURE:
        return Secret(reveal(members.get("value")))  # secret as a whole: some providers also mark values inside
    if signature == OUTPUT_SIGNATURE:
        inner = members.get("value", UNKNOWN)
        return Secret(reveal(inner)) if members.get("secret") is True else inner
    if signature == REFERENCE_SIGNATURE:
        urn, id_ = members.get("urn"), members.get("id")
        return Reference(str(urn), None if id_ is None else "" if isinstance(id_, Unknown) else str(id_))
    if signature in ASSET_SIGNATURES:
        raise UnsupportedError("a file asset or archive as a resource's property")
    raise UnsupportedError(f"a property value with the signature {signature}")


def to_struct(properties: Mapping[str, PropertyValue], *, secrets: bool, references: bool = True) -> Struct:
    """The properties as a protobuf Struct.

    `secrets` and `references` tell whether the receiver supports them. Otherwise a secret is sent as its plain value
    and a reference as the resource's ID, or its URN if it has no ID.
    """
    from google.protobuf.struct_pb2 import Struct

    struct = Struct()
    for key, value in properties.items():
        _fill(struct.fields[key], value, secrets, references)
    return struct


def _fill(out: Value, value: PropertyValue, secrets: bool, references: bool) -> None:
    if value is None:
        out.null_value = 0
    elif isinstance(value, bool):
        out.bool_value = value
    elif isinstance(value, str):
        out.string_value = value
    elif isinstance(value, int | float):
        out.number_value = value
    elif isinstance(value, list):
        out.list_value.SetInParent()
        for item in value:
            _fill(out.list_value.values.add(), item, secrets, references)
    elif isinstance(value, dict):
        out.struct_value.SetInParent()
        for key, item in value.items():
            _fill(out.struct_value.fields[key], item, secrets, references)
    elif isinstance(value, Unknown):
        out.string_value = UNKNOWN_TEXT
    elif isinstance(value, Secret):
        _fill_secret(out, value, secrets, references)
    else:
        _fill_reference(out, value, references)


def _fill_secret(out: Value, value: Secret, secrets: bool, references: bool) -> None:
    if not secrets or contains_unknown(value.value):
        _fill(out, value.value, secrets, references)
        return
    out.struct_value.fields[SIGNATURE].string_value = SECRET_SIGNATURE
    _fill(out.struct_value.fields["value"], value.value, secrets, references)


def _fill_reference(out: Value, value: Reference, references: bool) -> None:
    if not references:
        out.string_value = value.id or value.urn
        return
    fields = out.struct_value.fields
    fields[SIGNATURE].string_value = REFERENCE_SIGNATURE
    fields["urn"].string_value = value.urn
    if value.id is not None:
        fields["id"].string_value = value.id or UNKNOWN_TEXT


def children(value: PropertyValue) -> Iterator[PropertyValue]:
    """The values directly inside a value."""
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value
    elif isinstance(value, Secret):
        yield value.value


def contains_unknown(value: PropertyValue) -> bool:
    """Whether a value, or any value in it, is unknown."""
    return isinstance(value, Unknown) or any(contains_unknown(child) for child in children(value))


def contains_secret(value: PropertyValue) -> bool:
    """Whether a value, or any value in it, is secret."""
    return isinstance(value, Secret) or any(contains_secret(child) for child in children(value))


def reveal(value: PropertyValue) -> Any:
    """The value without secret marks."""
    if isinstance(value, Secret):
        return reveal(value.value)
    if isinstance(value, dict):
        return {key: reveal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [reveal(item) for item in value]
    return value


def without_unknown(properties: PropertyMap) -> PropertyMap:
    """The properties whose values are completely known."""
    return {key: value for key, value in properties.items() if not contains_unknown(value)}


def mark_secrets(outputs: PropertyMap, inputs: Mapping[str, PropertyValue]) -> PropertyMap:
    """Outputs, with every property marked secret that is secret in the inputs: not all providers support secrets."""
    marked = dict(outputs)
    for key, wanted in inputs.items():
        if key not in marked:
            continue
        value = marked[key]
        if isinstance(value, dict) and isinstance(wanted, dict):
            marked[key] = mark_secrets(value, wanted)
        elif not isinstance(value, Secret) and contains_secret(wanted):
            marked[key] = Secret(value)
    return marked

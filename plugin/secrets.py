"""Secrets in properties from an engine: unwrapped for the provider, and marked again in its answers.

The dynamic shell leaves this to the engine, which marks whole properties. Here, each secret stays where it was.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.struct_pb2 import Struct, Value
from pulumi.runtime import rpc
from pydantic.alias_generators import to_camel, to_snake

from hosts.ssh.connection import SECRET_FIELDS
from provider.structs import SIGNATURE

SECRET, OUTPUT = rpc._special_secret_sig, "d0e6a833031e9bbcd3f4e8bde6ca49a4"
"""The marks of a secret, and of a value with its metadata (sdk/go/common/resource/properties.go)."""
WAYS = frozenset({"connection", "hosts", "defaults"})
"""Properties with logins, in which some fields are always secret."""

Path = tuple[str, ...]


@dataclass(frozen=True)
class Sealing:
    """Which properties are secret.

    `paths`: where the engine marked a secret; for one in a list, the whole list. `named`: inherently secret properties.
    `derived`: properties that are computed from the others and reveal them.
    """

    paths: frozenset[Path] = frozenset()
    named: frozenset[str] = frozenset()
    derived: frozenset[str] = frozenset()

    def seal(self, struct: Any) -> Any:
        """Return properties with their secrets marked, and without those that are internal to this process."""
        told = {path[0] for path in self.paths} - self.named - WAYS - self.derived
        secret = self.named | (self.derived if told else frozenset())
        out = Struct()
        for name, value in struct.fields.items():
            if not name.startswith("__"):
                out.fields[name].CopyFrom(self._sealed(value, (name,), secret))
        return out

    def _sealed(self, value: Any, path: Path, secret: Collection[str]) -> Any:
        if value.WhichOneof("kind") == "null_value" or _mark(value):
            return value
        of_login = path[0] in WAYS and len(path) > 1 and to_camel(path[-1]) in SECRET_FIELDS
        if path in self.paths or of_login or (len(path) == 1 and path[0] in secret):
            return marked(value)
        if value.WhichOneof("kind") != "struct_value":
            return value
        out = Value()
        out.struct_value.SetInParent()
        for name, below in value.struct_value.fields.items():
            out.struct_value.fields[name].CopyFrom(self._sealed(below, (*path, name), secret))
        return out


def tells_secrets(text: str) -> bool:
    """Return whether the JSON of a property in `WAYS`, as SDKs encode a provider's inputs, contains a secret."""
    return any(f'"{word}"' in text for name in SECRET_FIELDS for word in (name, to_snake(name)))


def marked(value: Any) -> Any:
    """Return a value marked as a secret."""
    out = Value()
    out.struct_value.fields[SIGNATURE].string_value = SECRET
    out.struct_value.fields["value"].CopyFrom(value)
    return out


def opened(struct: Any) -> tuple[Any, frozenset[Path]]:
    """Return properties without secret marks, and the paths of the secrets."""
    paths: set[Path] = set()
    out = Struct()
    for name, value in struct.fields.items():
        out.fields[name].CopyFrom(_opened(value, (name,), paths))
    return out, frozenset(paths)


def marks(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the paths of the secrets in a value, down to list items."""
    if _mark(value):
        if (
            value.struct_value.fields[SIGNATURE].string_value == SECRET
            or value.struct_value.fields["secret"].bool_value
        ):
            yield path
        value = value.struct_value.fields["value"]
    if value.WhichOneof("kind") == "struct_value":
        for name, below in value.struct_value.fields.items():
            yield from marks(below, (*path, name))
    for number, item in enumerate(value.list_value.values if value.WhichOneof("kind") == "list_value" else ()):
        yield from marks(item, (*path, str(number)))


def _opened(value: Any, path: Path, paths: set[Path]) -> Any:
    mark = _mark(value)
    if mark:
        fields = value.struct_value.fields
        if mark == SECRET or ("secret" in fields and fields["secret"].bool_value):
            paths.add(path)
        return _opened(fields["value"], path, paths) if "value" in fields else Value(string_value=rpc.UNKNOWN)
    kind = value.WhichOneof("kind")
    if kind not in ("struct_value", "list_value"):
        return value
    out = Value()
    if kind == "list_value":
        out.list_value.SetInParent()
        out.list_value.values.extend(_opened(item, path, paths) for item in value.list_value.values)
        return out
    out.struct_value.SetInParent()
    for name, below in value.struct_value.fields.items():
        out.struct_value.fields[name].CopyFrom(_opened(below, (*path, name), paths))
    return out


def _mark(value: Any) -> str:
    """Return the mark of an object: that of a secret, or of a value with metadata; "" for any other value."""
    if value.WhichOneof("kind") != "struct_value" or SIGNATURE not in value.struct_value.fields:
        return ""
    sign = str(value.struct_value.fields[SIGNATURE].string_value)
    return sign if sign in (SECRET, OUTPUT) else ""

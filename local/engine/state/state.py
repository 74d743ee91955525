"""The state of a stack: resources in Pulumi's deployment format, version 3."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

from local.engine.errors import EngineError, UnsupportedError
from local.engine.state.secrets import Crypter
from local.engine.state.values import (
    REFERENCE_SIGNATURE,
    SECRET_SIGNATURE,
    SIGNATURE,
    PropertyMap,
    PropertyValue,
    Reference,
    Secret,
    Unknown,
    reveal,
)

STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_PREFIX = "pulumi:providers:"


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource in the state. Field names are those of Pulumi's `apitype.ResourceV3`, in snake case."""

    urn: str
    custom: bool
    delete: bool = False
    id: str = ""
    type: str
    inputs: PropertyMap = field(default_factory=dict)
    outputs: PropertyMap = field(default_factory=dict)
    parent: str = ""
    protect: bool = False
    taint: bool = False
    external: bool = False
    dependencies: tuple[str, ...] = ()
    init_errors: tuple[str, ...] = ()
    provider: str = ""
    property_dependencies: dict[str, tuple[str, ...]] = field(default_factory=dict)
    pending_replacement: bool = False
    additional_secret_outputs: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    retain_on_delete: bool = False
    deleted_with: str = ""
    created: str = ""
    modified: str = ""
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def name(self) -> str:
        """The resource's name: the last part of its URN."""
        return self.urn.split("::", 3)[3]

    @property
    def is_provider(self) -> bool:
        """Whether this is an (explicit or default) provider."""
        return self.type.startswith(PROVIDER_PREFIX)

    @property
    def provider_urn(self) -> str:
        """The URN in the provider reference (`<urn>::<id>`), empty if there is none."""
        return self.provider.rpartition("::")[0]

    def needs(self) -> set[str]:
        """URNs of all resources that must exist as long as this one does."""
        found = {self.parent, self.provider_urn, self.deleted_with, *self.dependencies}
        for urns in self.property_dependencies.values():
            found.update(urns)
        found.discard("")
        return found

    def changed(self, **values: Any) -> Resource:
        """A copy with other values in some fields."""
        return replace(self, **values)


def outermost(urn: str, parents: Mapping[str, str]) -> str:
    """The outermost component around a resource, or the resource itself; `parents` are those of all resources."""
    while (parent := parents.get(urn)) and parents.get(parent):  # only the stack has no parent
        urn = parent
    return urn


def now() -> str:
    """The current time in the state's format."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


_KEYS = {item.name: _camel(item.name) for item in fields(Resource) if item.name != "extra"}
_ALWAYS = ("urn", "custom", "type")
_BAGS = ("inputs", "outputs")
_UNSUPPORTED = ("replaceWith", "replacementTrigger", "viewOf", "resourceHooks", "extensionRef", "snippetID")


def encode_resource(resource: Resource, crypter: Crypter | None) -> dict[str, Any]:
    """A resource as JSON data; secrets are encrypted, or in plain text without a crypter."""
    data: dict[str, Any] = {}
    for name, key in _KEYS.items():
        value = getattr(resource, name)
        if name in _BAGS:
            value = encode_value(value, crypter)
        elif isinstance(value, dict):
            value = dict(sorted(value.items()))
        if value or name in _ALWAYS:
            data[key] = value
    return data | resource.extra


def encode_value(value: PropertyValue, crypter: Crypter | None) -> Any:
    """A property value as JSON data."""
    if isinstance(value, Secret):
        plain = json.dumps(encode_value(reveal(value), crypter), separators=(",", ":"))
        form = {"plaintext": plain} if crypter is None else {"ciphertext": crypter.encrypt(plain)}
        return {SIGNATURE: SECRET_SIGNATURE, **form}
    if isinstance(value, dict):
        return {key: encode_value(value[key], crypter) for key in sorted(value)}
    if isinstance(value, list):
        return [encode_value(item, crypter) for item in value]
    if isinstance(value, Reference):
        reference = {SIGNATURE: REFERENCE_SIGNATURE, "urn": value.urn}
        return reference if value.id is None else {**reference, "id": value.id}
    if isinstance(value, Unknown):
        raise EngineError("an unknown value cannot be stored in the state")
    return value


def decode_resource(data: dict[str, Any], crypter: Crypter) -> Resource:
    """A resource from JSON data; raises UnsupportedError for what the embedded engine does not support."""
    for key in _UNSUPPORTED:
        if data.get(key):
            raise UnsupportedError(f"`{key}` of the resource {data.get('urn')} in the state")
    values: dict[str, Any] = {}
    for name, key in _KEYS.items():
        if key not in data:
            continue
        value = data[key]
        if name in _BAGS:
            value = {prop: decode_value(item, crypter) for prop, item in value.items()}
        elif name == "property_dependencies":
            value = {prop: tuple(urns or ()) for prop, urns in value.items()}
        elif isinstance(value, list):
            value = tuple(value)
        values[name] = value
    known = set(_KEYS.values())
    values["extra"] = {key: value for key, value in data.items() if key not in known}
    return Resource(**values)


def decode_value(data: Any, crypter: Crypter) -> PropertyValue:
    """A property value from JSON data."""
    if isinstance(data, list):
        return [decode_value(item, crypter) for item in data]
    if not isinstance(data, dict):
        return int(data) if isinstance(data, float) and data.is_integer() else data
    signature = data.get(SIGNATURE)
    if signature is None:
        return {key: decode_value(item, crypter) for key, item in data.items()}
    if signature == SECRET_SIGNATURE:
        plain = data["plaintext"] if "plaintext" in data else crypter.decrypt(data["ciphertext"])
        return Secret(decode_value(json.loads(plain), crypter))
    if signature == REFERENCE_SIGNATURE:
        return Reference(data["urn"], data.get("id"))
    raise UnsupportedError(f"a property value with the signature {signature} in the state")


@dataclass(frozen=True)
class Operation:
    """An operation in progress; one that is still in the state belongs to an interrupted run."""

    resource: Resource
    type: str


@dataclass(frozen=True)
class Snapshot:
    """The state of a stack at one moment."""

    resources: tuple[Resource, ...] = ()
    pending: tuple[Operation, ...] = ()


def decode_deployment(data: dict[str, Any], crypter: Crypter) -> Snapshot:
    """The snapshot in a deployment (the `deployment` of an export, the `latest` of a checkpoint)."""
    for key in ("snippets", "extensions"):
        if data.get(key):
            raise UnsupportedError(f"`{key}` in the state")
    return Snapshot(
        tuple(decode_resource(item, crypter) for item in data.get("resources") or ()),
        tuple(
            Operation(decode_resource(item["resource"], crypter), item["type"])
            for item in data.get("pending_operations") or ()
        ),
    )


class Encoder:
    """Writes snapshots as deployments, encoding each resource once per run."""

    def __init__(self, crypter: Crypter) -> None:
        self._crypter = crypter
        self._texts: dict[int, tuple[Resource, str]] = {}

    def keep(self, resource: Resource, data: dict[str, Any]) -> None:
        """Remember the text that a resource was read from, so that its ciphertexts do not change."""
        self._texts[id(resource)] = (resource, json.dumps(data, ensure_ascii=False, separators=(",", ":")))

    def resource(self, resource: Resource) -> str:
        """A resource as JSON text."""
        known = self._texts.get(id(resource))
        if known is None:
            self.keep(resource, encode_resource(resource, self._crypter))
            known = self._texts[id(resource)]
        return known[1]

    def deployment(self, snapshot: Snapshot) -> str:
        """A snapshot as the JSON text of a deployment."""
        secrets = {"type": "passphrase", "state": {"salt": self._crypter.salt}}
        manifest = {"time": now(), "magic": "", "version": ""}
        parts = [f'"manifest":{json.dumps(manifest)}', f'"secrets_providers":{json.dumps(secrets)}']
        if snapshot.resources:
            texts = ",".join(self.resource(item) for item in in_dependency_order(snapshot.resources))
            parts.append(f'"resources":[{texts}]')
        if snapshot.pending:
            texts = ",".join(
                f'{{"resource":{self.resource(item.resource)},"type":{json.dumps(item.type)}}}'
                for item in snapshot.pending
            )
            parts.append(f'"pending_operations":[{texts}]')
        return "{" + ",".join([*parts, '"metadata":{}']) + "}"


def in_dependency_order(resources: Iterable[Resource]) -> list[Resource]:
    """Sort resources after everything that they need (Pulumi's rule), otherwise in the given order."""
    resources = list(resources)
    live = {item.urn: item for item in resources if not item.delete}
    needs = {id(item): [live[urn] for urn in sorted(item.needs()) if urn in live] for item in resources}
    return depth_first([*live.values(), *resources], needs)


def depth_first(resources: Iterable[Resource], before: Mapping[int, Sequence[Resource]]) -> list[Resource]:
    """Sort resources, each once, after those that `before` has for it (by `id()`)."""
    ordered: list[Resource] = []
    seen: set[int] = set()

    def visit(item: Resource) -> None:
        if id(item) in seen:
            return
        seen.add(id(item))
        for other in before[id(item)]:
            visit(other)
        ordered.append(item)

    for item in resources:
        visit(item)
    return ordered

"""What a program declares: a resource registration, read from its gRPC request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from local.engine.errors import UnsupportedError
from local.engine.state.state import PROVIDER_PREFIX, STACK_TYPE
from local.engine.state.values import PropertyMap, PropertyValue, from_struct

if TYPE_CHECKING:
    from pulumi.runtime.proto.resource_pb2 import RegisterResourceRequest

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Alias:
    """A former identity of a resource: its whole URN, or the parts that differed."""

    urn: str = ""
    name: str = ""
    type: str = ""
    stack: str = ""
    project: str = ""
    parent: str = ""
    no_parent: bool = False


@dataclass(frozen=True)
class Goal:
    """A resource as the program declares it."""

    type: str
    name: str
    custom: bool
    parent: str
    inputs: PropertyMap
    protect: bool | None
    dependencies: tuple[str, ...]
    provider: str
    property_dependencies: dict[str, tuple[str, ...]]
    delete_before_replace: bool | None
    version: str
    download_url: str
    ignore_changes: tuple[str, ...]
    additional_secret_outputs: tuple[str, ...]
    aliases: tuple[Alias, ...]
    custom_timeouts: dict[str, float]
    replace_on_changes: tuple[str, ...]
    retain_on_delete: bool | None
    deleted_with: str
    supports_results: bool

    @property
    def package(self) -> str:
        """The package in the resource's type."""
        return self.type.split(":", 1)[0]

    @property
    def is_provider(self) -> bool:
        """Whether this registers an explicit provider."""
        return self.type.startswith(PROVIDER_PREFIX)

    def inherit(self, parent: Goal) -> Goal:
        """This goal with the options that it inherits from its parent."""
        provider = self.provider
        if not provider and (not self.custom or _package_of(parent.provider) == self.package):
            provider = parent.provider
        return replace(
            self,
            deleted_with=self.deleted_with or parent.deleted_with,
            protect=parent.protect if self.protect is None else self.protect,
            retain_on_delete=parent.retain_on_delete if self.retain_on_delete is None else self.retain_on_delete,
            provider=provider,
        )


def _package_of(reference: str) -> str:
    """The package of a provider reference (`urn:…::pulumi:providers:<package>::<name>::<id>`)."""
    parts = reference.split("::")
    return parts[2].rsplit(":", 1)[-1] if len(parts) > 3 else ""


def pattern(urn: str) -> re.Pattern[str]:
    """The pattern for URNs in an option: `*` matches any text within a part of a URN, `**` any text."""
    parts = (".*" if part == "**" else "[^:]*" if part == "*" else re.escape(part) for part in re.split(r"(\*+)", urn))
    return re.compile("".join(parts))


def read_goal(request: RegisterResourceRequest) -> Goal:
    """The goal in a registration request; raises UnsupportedError naming the first option that is not supported."""
    _refuse(request)
    deps = request.propertyDependencies
    inputs = from_struct(request.object)
    if deps:
        property_dependencies = {key: tuple(sorted(set(deps[key].urns))) for key in deps}
        for key in inputs:
            property_dependencies.setdefault(key, ())
    else:
        property_dependencies = {key: tuple(sorted(set(request.dependencies))) for key in inputs}
    defined = request.deleteBeforeReplaceDefined or request.deleteBeforeReplace
    return Goal(
        type=request.type,
        name=request.name,
        custom=request.custom,
        parent=request.parent,
        inputs=inputs,
        protect=request.protect if request.HasField("protect") else None,
        dependencies=tuple(sorted(set(request.dependencies))),
        provider=_provider(request),
        property_dependencies=property_dependencies,
        delete_before_replace=request.deleteBeforeReplace if defined else None,
        version=request.version,
        download_url=request.pluginDownloadURL,
        ignore_changes=tuple(request.ignoreChanges),
        additional_secret_outputs=tuple(request.additionalSecretOutputs),
        aliases=_aliases(request),
        custom_timeouts=_timeouts(request),
        replace_on_changes=tuple(request.replaceOnChanges),
        retain_on_delete=request.retainOnDelete if request.HasField("retainOnDelete") else None,
        deleted_with=request.deletedWith,
        supports_results=request.supportsResultReporting,
    )


def _refuse(request: RegisterResourceRequest) -> None:
    refused = {
        "the resource option `import_`": request.importId,
        "a resource transform": request.transforms,
        "a resource hook": request.HasField("hooks") and any(values for _, values in request.hooks.ListFields()),
        "a state migration": request.state_migrations,
        "the resource option `env_var_mappings`": request.envVarMappings,
        "the resource option `replace_with`": request.replace_with,
        "the resource option `replacement_trigger`": request.HasField("replacement_trigger"),
        "the resource option `hide_diffs`": request.hideDiffs,
        "a parameterized provider package": request.packageRef,
        "a resource of the type pulumi:pulumi:StackReference": request.type == "pulumi:pulumi:StackReference",
        "a resource of the type pulumi:index:Stash": request.type == "pulumi:index:Stash",
    }
    for what, asked in refused.items():
        if asked:
            raise UnsupportedError(f"{what} (resource {request.name!r})" if request.type != STACK_TYPE else what)


def _provider(request: RegisterResourceRequest) -> str:
    if request.provider:
        return str(request.provider)
    return str(request.providers.get(request.type.split(":", 1)[0], ""))


def _aliases(request: RegisterResourceRequest) -> tuple[Alias, ...]:
    found = [Alias(urn=urn) for urn in request.aliasURNs]
    for item in request.aliases:
        if item.WhichOneof("alias") == "urn":
            found.append(Alias(urn=item.urn))
        else:
            spec = item.spec
            found.append(
                Alias("", spec.name, spec.type, spec.stack, spec.project, spec.parentUrn, spec.noParent)
            )  # fmt: skip
    return tuple(found)


def _timeouts(request: RegisterResourceRequest) -> dict[str, float]:
    if not request.HasField("customTimeouts"):
        return {}
    timeouts = request.customTimeouts
    pairs = {"create": timeouts.create, "update": timeouts.update, "delete": timeouts.delete}
    return {key: _seconds(text) for key, text in pairs.items() if text}


def _seconds(text: str) -> float:
    """Go's duration notation ("1h30m", "5m", "45s") in seconds."""
    parts = re.findall(r"([0-9.]+)(ns|us|µs|ms|s|m|h)", text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def make_urn(stack: str, project: str, parent: str, type_: str, name: str) -> str:
    """The URN of a resource, which contains the types of its parents except the stack's."""
    if parent:
        parent_type = parent.split("::", 3)[2]
        if parent_type != STACK_TYPE:
            type_ = f"{parent_type}${type_}"
    return f"urn:pulumi:{stack}::{project}::{type_}::{name}"


def former_urns(goal: Goal, stack: str, project: str, renamed: Mapping[str, str]) -> Iterator[str]:
    """The former URNs that a resource may have: from its own aliases, its parent's, or both.

    `renamed` maps each resource that was found by an alias to its former URN.
    """
    for alias in (*goal.aliases, Alias()):
        if alias.urn:
            yield alias.urn
            continue
        name = alias.name or goal.name
        parent = alias.parent or ("" if alias.no_parent else goal.parent)
        places = [(parent, name)]
        former = renamed.get(parent)
        if former:
            places.append((former, name))
            mine, its = (urn.split("::", 3)[3] for urn in (goal.parent, former))
            if name.startswith(mine):
                places.append((former, its + name.removeprefix(mine)))
        for place, called in places:
            yield make_urn(alias.stack or stack, alias.project or project, place, alias.type or goal.type, called)


def keep_ignored(inputs: PropertyMap, old: PropertyMap, ignore: tuple[str, ...]) -> PropertyMap:
    """Inputs with the properties of `ignoreChanges` as they were before, or absent if they were."""
    result: PropertyMap = dict(inputs)
    for path in ignore:
        if path == "*":
            return dict(old)
        keys = [part or index for part, index in re.findall(r'([^.\[\]"]+)|\["?([^\]"]*)"?\]', path)]
        if any(key == "*" for key in keys):
            raise UnsupportedError(f"a wildcard within `ignore_changes` ({path})")
        result = _keep(result, old, keys)
    return result


def _keep(new: PropertyMap, old: PropertyMap, keys: list[str]) -> PropertyMap:
    first, *rest = keys
    result: PropertyMap = dict(new)
    before, after = old.get(first), new.get(first)
    if rest and isinstance(after, dict):
        result[first] = _keep(after, before if isinstance(before, dict) else {}, rest)
    elif rest and isinstance(after, list):
        result[first] = _keep_item(after, before if isinstance(before, list) else [], rest)
    elif not rest and first in old:
        result[first] = before
    elif not rest:
        result.pop(first, None)
    return result


def _keep_item(new: list[PropertyValue], old: list[PropertyValue], keys: list[str]) -> list[PropertyValue]:
    index = int(keys[0])
    if index >= len(new) or index >= len(old):
        return new
    kept = _keep({"item": new[index]}, {"item": old[index]}, ["item", *keys[1:]])
    return [*new[:index], kept["item"], *new[index + 1 :]]

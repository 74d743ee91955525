"""The base of all policies: reading resources, reporting violations, and reporting that a value is not known yet."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError

from components.config.shards import home_of, index_in, read_inventory
from hosts.text import yamltext
from hosts.text.masking import printable
from policies.settings import WAIVED_HOSTS, PolicySettings, Setting, SettingsError

ROOT = Path(__file__).parents[1]
RULESET, SSHD, USER, KEY_PAIR, KEPT = "Ruleset", "Sshd", "LimitedUser", "KeyPair", "KeptFirewall"
PACKAGES, LISTENERS, JAILS, UPDATES = "Packages", "Listeners", "Fail2Ban", "AutomaticUpdates"
_HARDENED, _FIREWALL = "HardenedHost", "Firewall"
_TYPE = re.compile(r"(?:pulumi-python:dynamic/stockade|stockade:index):(\w+)")
"""Types of Stockade's resources: in programs of this repository, and in the package."""

Props = Mapping[str, Any]
# Analyses share caches that are not thread-safe, and the pack's server has several threads.
_ONE_AT_A_TIME = threading.RLock()


class CannotTellYetError(UnknownValueError):
    """A value is known only in `pulumi up`. The SDK turns this into an advisory note, which the preview shows."""

    START = "cannot tell yet: "

    def __init__(self, *what: str) -> None:
        super().__init__(UNKNOWN_STRING_VALUE, [])
        self.message = self.START + "; ".join(what)


def kind_of(resource_type: str) -> str:
    """Return what a resource is: the name of one of Stockade's; "" for any other."""
    found = _TYPE.fullmatch(resource_type)
    return found[1] if found else ""


@dataclass(frozen=True)
class DeclaredHost:
    """One host of the stack with all its resources."""

    name: str
    resources: list[PolicyResource] = field(default_factory=list)

    def of(self, kind: str) -> list[PolicyResource]:
        """Its resources of one type."""
        return [resource for resource in self.resources if kind_of(resource.resource_type) == kind]


Check = Callable[[Props, PolicySettings], Iterable[str]]
HostCheck = Callable[[DeclaredHost, PolicySettings], Iterable[str]]


def resource_policy(
    name: str,
    description: str,
    kind: str,
    check: Check,
    *settings: Setting,
    advisory: bool = False,
    looked_at: tuple[str, Callable[[PolicySettings], None]] | None = None,
) -> Policy:
    """A policy on every resource of one type. ``check`` yields violations; the host's name is prepended.

    ``looked_at``: a type that can be checked only after the host has been read, which is left to a stack policy, and a
    function that stores the settings for it.
    """
    known = (*settings, WAIVED_HOSTS)

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        if looked_at and kind_of(args.resource_type) == looked_at[0]:
            looked_at[1](_read(name, known, args.get_config(), report))
        if kind_of(args.resource_type) != kind:
            return
        with _ONE_AT_A_TIME:
            chosen = _read(name, known, args.get_config(), report)
            host = _known(args.props, "host") or args.name
            if host in chosen.table(WAIVED_HOSTS.name):
                return
            try:
                for problem in check(args.props, chosen):
                    report(printable(f"{host}: {problem}"), None)
            except ValueError as error:  # rules that cannot be parsed, or chains that form a loop
                report(printable(f"{host}: this cannot be decided: {error}"), None)
            except UnknownValueError as error:
                raise CannotTellYetError(f"{host}: {_why(error)}") from None

    return ResourceValidationPolicy(name, description, validate, _level(advisory), config_schema=_schema(known))


def host_policy(name: str, description: str, check: HostCheck, *settings: Setting, advisory: bool = False) -> Policy:
    """A policy on every host of the stack, including hosts that were forgotten."""

    def validate(args: StackValidationArgs, chosen: PolicySettings) -> Iterator[str]:
        waived = chosen.table(WAIVED_HOSTS.name)
        undecided: dict[str, list[str]] = {}
        for host in hosts(args.resources):
            if host.name in waived:
                continue
            try:
                for problem in check(host, chosen):
                    yield f"{host.name}: {problem}"
            except ValueError as error:
                yield f"{host.name}: this cannot be decided: {error}"
            except UnknownValueError as error:
                undecided.setdefault(_why(error), []).append(host.name)
        if undecided:
            raise CannotTellYetError(*(f"{', '.join(names)}: {why}" for why, names in undecided.items()))

    return stack_policy(name, description, validate, *settings, WAIVED_HOSTS, advisory=advisory)


def stack_policy(
    name: str,
    description: str,
    check: Callable[[StackValidationArgs, PolicySettings], Iterable[str]],
    *settings: Setting,
    advisory: bool = False,
) -> Policy:
    """A policy on the stack as a whole."""

    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        with _ONE_AT_A_TIME:
            for problem in check(args, _read(name, settings, args.get_config(), report)):
                report(printable(problem), None)

    return StackValidationPolicy(name, description, validate, _level(advisory), _schema(settings))


def _read(policy: str, known: Sequence[Setting], config: Props, report: ReportViolation) -> PolicySettings:
    """The settings. An invalid configuration is a violation and has no effect, so it cannot disable a policy."""
    try:
        return PolicySettings(known, config)
    except SettingsError as error:
        report(printable(f"the policy configuration is wrong: {policy}: {error}"), None)
        return PolicySettings(known, {})


def hosts(resources: Sequence[PolicyResource]) -> list[DeclaredHost]:
    """All hosts by name: those in the stack config, those that are hardened, those that have resources."""
    found = {name: DeclaredHost(name) for name in configured_hosts()}
    for resource in resources:
        kind = kind_of(resource.resource_type)
        if kind == _HARDENED:
            found.setdefault(resource.name, DeclaredHost(resource.name))
        elif kind not in ("", KEY_PAIR, _FIREWALL):
            name = _known(resource.props, "host") or resource.name
            found.setdefault(name, DeclaredHost(name)).resources.append(resource)
    return sorted(found.values(), key=lambda host: host.name)


@lru_cache  # a pack serves one run
def configured_hosts() -> Mapping[str, Any]:
    """This stack's hosts, as in the stack config; empty if that cannot be read."""
    try:
        entries, shard = _entries(), _setting("shard", {})
        index = index_in(shard, os.environ.get("PULUMI_STACK", ""))
        ours = (name for name in entries if not shard or home_of(name, entries[name], shard["of"]) == index)
        return {name: entries[name] for name in ours}
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        RecursionError,
    ):  # the program reports errors in the config
        return {}


def configured_login(name: str) -> Mapping[str, Any]:
    """The permanent login, as in the stack config: the admin's, or the only one; empty if the config lacks the host.

    The most specific setting counts, as in components/config/inventory.py.
    """
    entry, common = configured_hosts().get(name), _setting("defaults", {})
    if not isinstance(entry, Mapping) or not isinstance(common, Mapping):
        return {}
    below = {"host": entry["address"]} if "address" in entry else {}
    shared = {**common, **entry, **below}
    for login in ("admin", "bootstrap"):
        if login in entry or login in common:
            return {**shared, **(common.get(login) or {}), **(entry.get(login) or {})}
    return shared


def known_hosts() -> Sequence[str] | None:
    """The names of all hosts that share this stack's config, in all shards; None if unknown."""
    try:
        entries = _entries()
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None
    return None if [*entries] == ["secure"] else tuple(entries)


def _entries() -> Mapping[str, Any]:
    inventory = _setting("inventory", "")
    return {**(read_inventory(inventory, ROOT, checked=True) if inventory else {}), **_setting("hosts", {})}


def _setting(name: str, default: Any) -> Any:
    """A setting of the stack config: text, or JSON."""
    config = json.loads(os.environ.get("PULUMI_CONFIG") or "{}")
    keys = dict.fromkeys((f"{os.environ.get('PULUMI_PROJECT', 'stockade')}:{name}", f"stockade:{name}"))
    value = next((config[key] for key in keys if key in config), None)
    if value is None:
        value = next((found for key in keys if (found := _in_file(key, None)) is not None), default)
    return json.loads(value) if isinstance(value, str) and value.startswith(("{", "[")) else value


def _in_file(key: str, default: Any) -> Any:
    """The same from the file: an engine does not pass a setting to a pack if any part of it is secret."""
    try:
        where = _yaml(ROOT / "Pulumi.yaml").get("stackConfigDir") or "."
        stack = _yaml(ROOT / where / f"Pulumi.{os.environ.get('PULUMI_STACK', '')}.yaml")
        return (stack.get("config") or {}).get(key, default)
    except (OSError, ValueError, AttributeError, yaml.YAMLError):
        return default


@lru_cache
def _yaml(file: Path) -> Any:
    return yamltext.load(file.read_text(encoding="utf-8"))


def items(values: Any) -> tuple[list[Any], bool]:
    """The known items of a list, and whether there are others."""
    found, unknown = [], False
    for index in range(len(values or ())):
        try:
            found.append(values[index])
        except UnknownValueError:
            unknown = True
    return found, unknown


def _known(props: Props, name: str) -> Any:
    try:
        return props.get(name)
    except UnknownValueError:
        return None


def _why(error: UnknownValueError) -> str:
    if isinstance(error, CannotTellYetError):
        return error.message.removeprefix(CannotTellYetError.START)
    return f"{'.'.join(error.props)} is known only in `pulumi up`, which decides then"


def _level(advisory: bool) -> EnforcementLevel:
    return EnforcementLevel.ADVISORY if advisory else EnforcementLevel.MANDATORY


def _schema(settings: Sequence[Setting]) -> PolicyConfigSchema:
    return PolicyConfigSchema({setting.name: setting.as_schema for setting in settings})

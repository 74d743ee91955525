"""The hosts of earlier stack configs, carried from run to run in the provider's inputs.

A failed or killed run leaves resources in the state whose host is no longer in the config, or is there under another
name, at another address, or with other credentials. Nothing tells the provider when a host's last resource is gone. So
it keeps the access data of the hosts removed most recently, encrypted as one secret.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from components.config.identity import trusted_keys
from components.config.inventory import HostDefaults, Inventory, config_value
from components.config.shards import InventoryError, home_of, index_in, read_inventory
from components.failure import Failure
from hosts.errors import HostError
from hosts.ssh.connection import HostAccess

GONE = 64
"""How many hosts to keep after they leave the config: the most recently removed ones."""
OF_ONE = 3
"""How many entries to keep under one name, including the current one."""
LARGEST = 256 * 1024
"""Maximum size, in characters, of everything kept from earlier configs."""
LOGINS = 2
"""How many former logins to try on one machine. Refused logins count against the account (pam_faillock, Fail2Ban)."""
PLACES = 4
"""How many addresses that are no longer in any config to try for one machine."""
_REACH = frozenset(to_camel(name) for name in {*HostDefaults.model_fields, "address", "addresses"} - {"existing"})

Config = Mapping[str, Any]
"""The hosts and defaults of one stack config, reduced to what is needed to reach them."""


def reach(entries: Mapping[str, Any], stack: str, listed: Mapping[str, Any] | None = None) -> Config:
    """Return what a stack's config says about reaching its hosts.

    `entries`: `hosts`, `defaults` and so on, as Pulumi passes them. `listed`: the hosts of the inventory file, if
    already read. Nothing is validated; invalid entries are skipped.
    """
    hosts = {**(listed_in(entries, stack) if listed is None else listed), **_mapping(entries.get("hosts"))}
    return {
        "defaults": _reaching(_mapping(entries.get("defaults"))),
        "hosts": {name: _reaching(entry) for name, entry in hosts.items() if isinstance(entry, dict)},
    }


def listed_in(entries: Mapping[str, Any], stack: str) -> Mapping[str, Any]:
    """Return the hosts of the inventory file that belong to a stack. A later run may find other hosts in the file."""
    path, shard = entries.get("inventory"), _mapping(entries.get("shard"))
    try:
        hosts = read_inventory(str(path)) if path else {}
        own = index_in(shard, stack) if shard else None
        of = int(shard.get("of") or 0)
    except (InventoryError, ValueError, TypeError):
        return {}
    mine = (name for name, entry in hosts.items() if isinstance(entry, dict))
    return {name: _reaching(hosts[name]) for name in mine if not own or not of or home_of(name, hosts[name], of) == own}


def older(now: Config, before: Sequence[Config]) -> tuple[Config, ...]:
    """Return what to keep of earlier configs, newest first: only what differs from the current one."""
    kept: dict[str, list[Any]] = {name: [(now["defaults"], entry)] for name, entry in now["hosts"].items()}
    out, gone, left = [], 0, LARGEST
    for config in before:
        hosts = {}
        for name, entry in config["hosts"].items():
            others = kept.setdefault(name, [])
            if (config["defaults"], entry) in others or len(others) >= OF_ONE or (not others and gone >= GONE):
                continue
            gone += not others
            others.append((config["defaults"], entry))
            hosts[name] = entry
        left -= len(json.dumps((config["defaults"], hosts)))
        if left < 0:
            break
        if hosts:
            out.append({"defaults": config["defaults"], "hosts": hosts})
    return tuple(out)


def written(listed: Mapping[str, Any], kept: Sequence[Config]) -> str:
    """Serialize what the current config does not contain. The text may contain secrets."""
    return json.dumps({"listed": listed, "kept": kept}, separators=(",", ":"), sort_keys=True)


def read(text: str) -> tuple[Mapping[str, Any] | None, tuple[Config, ...]]:
    """Parse the output of `written`; return empty values for any other text."""
    found = _mapping(text)
    kept = found.get("kept")
    good = isinstance(kept, list) and all(
        isinstance(config, dict) and all(isinstance(config.get(name), dict) for name in ("defaults", "hosts"))
        for config in kept
    )
    listed = found.get("listed")
    return (listed if isinstance(listed, dict) else None), tuple(kept or ()) if good else ()


class Former:
    """The access data of machines in earlier configs."""

    def __init__(self, configs: Sequence[Config] = ()) -> None:
        self._configs = configs

    def ways(self, name: str, keys: Collection[str]) -> Iterator[HostAccess]:
        """Yield the access data of the machine with these host keys, newest first, under any name it had. If its keys
        are unknown, look it up by name."""
        for other, trusted, way in self._all:
            if trusted & set(keys) or (other == name and not (trusted and keys)):
                yield way.model_copy(update={"name": name})

    def keys_of(self, name: str) -> frozenset[str]:
        """Return the host keys of all machines that have or had this name."""
        return frozenset(key for other, trusted, _ in self._all if other == name for key in trusted)

    def places(self, name: str, keys: Collection[str]) -> list[HostAccess]:
        """Return the newest access data for each address of that machine, which may have moved. If there is none,
        return that of the last machine with this name."""
        ways = [*self.ways(name, keys)] or [way for other, _, way in self._all if other == name][:1]
        return distinct(ways)[:PLACES]

    def since(self, way: HostAccess, keys: Collection[str]) -> HostAccess:
        """Return the access data with logins to the same machine that used to be valid: a few at most, and only the
        last password."""
        tried, words = 0, set[str]()
        for former in self.ways(way.name, keys):
            later, others = way.since(former), _passwords(former)
            if later is way or (words and others - words):
                continue
            way, tried, words = later, tried + 1, words | others
            if tried == LOGINS:
                break
        return way

    @cached_property
    def _all(self) -> tuple[tuple[str, frozenset[str], HostAccess], ...]:
        return tuple(self._read())

    def _read(self) -> Iterator[tuple[str, frozenset[str], HostAccess]]:
        for config in self._configs:
            inventory = Inventory(config)
            for name in inventory:
                with suppress(Failure, ValidationError, HostError):  # validity is not required here
                    yield name, trusted_keys(inventory[name]), inventory[name]


def distinct(ways: Iterable[HostAccess]) -> list[HostAccess]:
    """Return the first access data for each address."""
    found: dict[Any, HostAccess] = {}
    for way in ways:
        found.setdefault(tuple(login.endpoint for _, login in way.logins()), way)
    return [*found.values()]


def _passwords(way: HostAccess) -> set[str]:
    words = (
        word
        for _, login in way.logins()
        for one in (login, *login.former)
        for word in (one.password, one.sudo_password)
    )
    return {word.get_secret_value() for word in words if word is not None}


def _mapping(value: Any) -> dict[str, Any]:
    try:
        found = config_value(value)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _reaching(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if to_camel(str(key)) in _REACH}

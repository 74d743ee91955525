"""Which hosts a stack hardens and how to reach them: the `hosts`, `inventory`, `shard` and `defaults` entries.

Settings in `defaults` apply to every host, settings beside `address` to both logins of that host, and settings under
`admin` or `bootstrap` to that login only. The most specific setting wins.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Literal

from pulumi import get_project
from pulumi.runtime.config import CONFIG
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel

from components.config.identity import trusted_keys
from components.config.sealing import sealed
from components.config.shards import InventoryError, home_of, index_in, read_inventory, split, stack_of
from components.failure import Failure
from hosts.errors import HostError
from hosts.ssh.connection import SECRET_FIELDS, HostAccess


class Problems(ValueError):  # noqa: N818
    """One or more errors in a settings block, each with its path within the block."""

    def __init__(self, found: Mapping[str, str]) -> None:
        self.found = dict(found)
        super().__init__("; ".join(f"{path}: {message}" for path, message in found.items()))


def camel(name: str) -> str:
    """Return a setting's name as users write it."""
    return name if name == "fail2ban" else to_camel(name)


class Settings(BaseModel):
    """Base class for what users write in a stack config: camelCase, as in Pulumi. snake_case is accepted too."""

    model_config = ConfigDict(
        alias_generator=camel, populate_by_name=True, frozen=True, extra="forbid", defer_build=True
    )


OneOrMore = SecretStr | tuple[SecretStr, ...] | None
"""A secret; during rotation a list, with the new one first."""


class Login(Settings):
    """How to log in: the settings of pulumi-command's `ConnectionArgs`, and a few more.

    Passwords and private keys may each be a list, the new one first, while they are being changed.
    """

    host: str | None = Field(None, description="Address or name to connect to. Default: the host's `address`.")
    port: int | None = Field(None, ge=1, le=65535, description="TCP port of sshd. Default: 22.")
    user: str | None = Field(None, description="Login name. Default: root.")
    password: OneOrMore = Field(None, description="Password; set it with `pulumi config set --secret --path`.")
    private_key: OneOrMore = Field(None, description="Private key as text; a secret. Prefer `privateKeyFile`.")
    private_key_file: str | tuple[str, ...] | None = Field(
        None,
        description="Private key file: an absolute path, `~/...`, or relative to the project folder. "
        "Default: ~/.ssh/id_*, if nothing else is given.",
    )
    private_key_password: OneOrMore = Field(None, description="Passphrase of the private key; a secret.")
    agent_socket_path: str | None = Field(None, description="Socket of an SSH agent. Default: $SSH_AUTH_SOCK.")
    sudo_password: OneOrMore = Field(None, description="Password for sudo, if it asks for one; a secret.")
    host_key: str | None = Field(None, description="The host's public key (`ssh-ed25519 AAAA...`), to pin it.")
    known_hosts_file: str | None = Field(
        None, description="File in which host keys are looked up. Default: ~/.ssh/known_hosts."
    )
    dial_error_limit: int | None = Field(
        None, ge=0, description="Connection attempts before giving up. Default: no limit."
    )
    per_dial_timeout: int | None = Field(
        None, ge=1, description="Timeout of one connection attempt, in seconds. Default: 15."
    )
    old_algorithms: bool | None = Field(
        None, description="Allow SHA-1 and small keys, for an old host. Default: false."
    )
    proxy: "Login | None" = Field(None, description="Jump host, with the same settings.")


class HostDefaults(Login):
    """How a host is reached and treated, apart from its chapters; `defaults` applies to every host."""

    admin: Login | None = Field(None, description="The limited user with sudo; tried first.")
    bootstrap: Login | None = Field(None, description="The login that the machine came with; tried if `admin` fails.")
    connect_timeout: int | None = Field(
        None, ge=1, description="Seconds to wait for a host that may still be booting. Default: 60."
    )
    existing: Literal["adopt", "fail", "takeOver", "asIs"] | None = Field(
        None,
        description="What to do with existing settings: `adopt` them, or `fail`; `takeOver` also adopts hosts that "
        "another stack manages; `asIs` writes nothing to a host that is as declared already. "
        "Default: adopt.",
    )
    retain_on_delete: bool | None = Field(
        None, description="`destroy` drops the host from the state and leaves it hardened. Default: false."
    )


class HostEntry(HostDefaults):
    """One host of the stack config, without the settings of its chapters.

    `components.registry.HostSettings` adds those.
    """

    address: str | None = Field(None, description="IPv4 address, IPv6 address or DNS name.")
    addresses: tuple[str, ...] | None = Field(
        None, description="Additional addresses that must stay reachable after a change."
    )
    shard: int | None = Field(
        None, ge=1, description="Shard that the host belongs to. Default: computed from its name."
    )


class ShardSettings(Settings):
    """One of the stacks that an environment's hosts are split into."""

    of: int = Field(ge=1, le=1000, description="Number of shards in the environment.")
    index: int | None = Field(
        None, ge=1, description="Number of this shard. Default: the number that the stack's name ends in."
    )


_LOGIN = frozenset(camel(name) for name in Login.model_fields)


def secrets_in(entry: Any) -> Iterator[str]:
    """Yield the paths of secrets in an entry, as written."""
    for key, value in entry.items() if isinstance(entry, dict) else ():
        if to_camel(str(key)) in SECRET_FIELDS:
            yield key
        yield from (f"{key}.{below}" for below in secrets_in(value))


def plain(model: BaseModel) -> dict[str, Any]:
    """Return the fields set in `model` under their camelCase names, with secrets in plain text."""
    out: dict[str, Any] = _reveal(model.model_dump(by_alias=True, exclude_none=True))
    return out


def access(name: str, host: HostEntry, defaults: HostDefaults | None = None) -> HostAccess:
    """Merge defaults, host and logins into the access data of one host.

    Raises `pydantic.ValidationError` if the result has no address or no login.
    """
    base, own = plain(defaults) if defaults else {}, plain(host)
    shared = {key: value for key, value in {**base, **own}.items() if key in _LOGIN}
    if "address" in own:
        shared["host"] = own["address"]
    logins = {}
    for login in ("admin", "bootstrap"):
        if login in own or login in base:
            logins[login] = {**shared, **base.get(login, {}), **own.get(login, {})}
    timeout = own.get("connectTimeout", base.get("connectTimeout"))
    if not logins:
        logins["bootstrap"] = shared
    more = {"connectTimeout": timeout, "addresses": own.get("addresses")}
    return HostAccess.model_validate({"name": name, **logins, **{key: item for key, item in more.items() if item}})


def _reached(entry: Mapping[str, Any]) -> HostEntry:
    """Return the parts of an entry that a provider needs. The chapters in it are the program's business."""
    return HostEntry.model_validate({key: value for key, value in entry.items() if camel(key) in _REACHED})


_REACHED = frozenset(camel(name) for name in HostEntry.model_fields)
ENTRIES = ("hosts", "defaults", "inventory", "shard")


class Inventory(Mapping[str, HostAccess]):
    """The access data of all hosts of an environment, as the provider process finds it in the stack config.

    Values are JSON text, as Pulumi passes them, or plain values. Each is parsed and validated on first use, because
    most runs touch few hosts. Using one may raise `Failure` or `pydantic.ValidationError`.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        self._entries: Mapping[str, Any] | None = None
        self._ways: dict[str, HostAccess] = {}

    @classmethod
    def of(cls, get: Callable[[str], Any]) -> "Inventory":
        """Build the inventory from the stack config; `get` returns an entry by name."""
        return cls({name: get(name) for name in ENTRIES})

    def __contains__(self, name: object) -> bool:
        return name in self._hosts()

    def __getitem__(self, name: str) -> HostAccess:
        if name not in self._ways:  # every resource of a host looks it up
            common = HostDefaults.model_validate(config_value(self._config.get("defaults")) or {})
            self._ways[name] = access(name, _reached(self._hosts()[name]), common)
        return self._ways[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._hosts())

    def __len__(self) -> int:
        return len(self._hosts())

    def named(self, keys: Collection[str]) -> str | None:
        """Return the name of the host in the config that accepts one of these host key fingerprints, or None."""
        for name, way in self.items():
            with suppress(HostError):  # its own resources report an unreadable known_hosts file
                if trusted_keys(way) & set(keys):
                    return name
        return None

    def by_key(self, name: str, keys: Collection[str]) -> HostAccess | None:
        """Return the access data of a host whose name is no longer in the config: the entry with the same host keys."""
        other = self.named(keys)
        return self[other].model_copy(update={"name": name}) if other else None

    def moved_to(self, name: str, stack: str) -> str | None:
        """Return the stack that a host belongs to now, if that is a shard other than `stack`."""
        shard = config_value(self._config.get("shard"))
        if not shard or name not in self:
            return None
        home, here = home_of(name, self._hosts()[name], int(shard["of"])), index_in(shard, stack)
        return None if home == here else stack_of(split(stack)[0], home)

    def _hosts(self) -> Mapping[str, Any]:
        if self._entries is None:
            path = self._config.get("inventory")
            try:
                more = read_inventory(path) if path else {}
            except InventoryError as error:
                raise Failure(str(error)) from None
            self._entries = {**more, **(config_value(self._config.get("hosts")) or {})}
        return self._entries


def stack_inventory() -> Inventory:
    """Return the hosts of this stack's config; for use in the Pulumi program."""
    config, project = CONFIG.get(), get_project()
    return _inventory(tuple(config.get(f"{project}:{name}") for name in ENTRIES))


@lru_cache(maxsize=1)  # called for every host of a program
def _inventory(texts: tuple[str | None, ...]) -> Inventory:
    return Inventory(dict(zip(ENTRIES, texts, strict=True)))


def way_to(host: str, inventory: Mapping[str, HostAccess], connection: Mapping[str, Any] | None) -> HostAccess | None:
    """Return the access data of a resource's host: from the stack config if listed there, else from the resource.

    Raises `Failure` and `pydantic.ValidationError`.
    """
    access = inventory.get(host)
    return HostAccess.model_validate({"name": host, **connection}) if access is None and connection else access


def connections(
    hosts: str | Mapping[str, Any] | None, defaults: str | Mapping[str, Any] | None
) -> Mapping[str, HostAccess]:
    """Read the stack config's `hosts` and `defaults`, given as JSON text or as values."""
    return Inventory({"hosts": hosts, "defaults": defaults})


def connection_props(way: HostAccess) -> dict[str, Any]:
    """Return `way` as resource inputs: its secrets as Pulumi secrets, everything else readable in a diff."""
    props: dict[str, Any] = _reveal(way.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True))
    props.pop("name")
    secret: dict[str, Any] = sealed(props)
    return secret


def config_value(value: str | Mapping[str, Any] | None) -> Any:
    """Return an entry of the stack config, which Pulumi passes as JSON text."""
    return json.loads(value) if isinstance(value, str) else value


def _reveal(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {key: _reveal(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_reveal(item) for item in value]
    return value

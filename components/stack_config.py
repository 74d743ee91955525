"""The stack config: hosts and what is wanted of them, validated before anything else happens.

`load()` is what the program calls; `python -m components.stack_config` writes the JSON Schema that editors use.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

import pulumi
from pydantic import Field, ValidationError

from components.config.inventory import HostDefaults, Problems, ShardSettings, access, plain, secrets_in
from components.config.names import HostName, host_name, shown
from components.config.remarks import advice, bad_files, in_clear, misplaced
from components.config.shards import InventoryError, index_in, read_inventory, shard_of, split, stack_of
from components.keys.settings import KeySettings
from components.registry import CHAPTERS, Hardening, HostSettings
from hosts.ssh.connection import HostAccess, resolve
from hosts.text.masking import one_line, printable, shortened
from hosts.text.yamltext import DEEPEST

_LONGEST = 1000
"""Characters of one problem: it is told beside others, and repeats what the config has."""


class StackConfig(Hardening):
    """Everything under `stockade:` in stacks/Pulumi.<stack>.yaml."""

    hosts: dict[HostName, HostSettings] = Field({}, description="The hosts of this stack, by name.")
    inventory: str | None = Field(None, description="File that lists more hosts; relative to the project folder.")
    shard: ShardSettings | None = Field(None, description="Split the hosts into several stacks (docs/fleet.md).")
    key_pair: KeySettings | None = Field(None, description="A key pair on this machine, for all users of the stack.")
    policies: Literal["required", "optional"] | None = Field(
        None,
        description="What happens to a run without a policy pack: it is refused (`required`) or runs without a warning "
        "(`optional`). Default: a warning.",
    )
    defaults: HostDefaults = Field(
        HostDefaults(), description="How hosts are reached, unless a host has its own settings."
    )

    def access(self) -> dict[str, HostAccess]:
        """Return the way to reach each host."""
        return {name: access(name, host, self.defaults) for name, host in self.hosts.items()}

    def hardening(self) -> Hardening:
        """Return what is wanted of every host."""
        return Hardening(**{name: getattr(self, name) for name in CHAPTERS})


class ConfigError(pulumi.RunError):
    """The stack config is wrong; Pulumi shows the message and no traceback."""


def load() -> StackConfig:
    """Read this stack's config: the hosts of its shard, if it is one.

    Raises `ConfigError` that lists every error with its path in the file.
    """
    prefix, stack = pulumi.get_project() + ":", pulumi.get_stack()
    given = {key: value for key, value in pulumi.runtime.config.CONFIG.get().items() if key.startswith(prefix)}
    values = {key.removeprefix(prefix): _json(value) for key, value in given.items()}
    secret = frozenset(key for key in values if pulumi.runtime.config.is_config_secret(prefix + key))
    file = Path(f"stacks/Pulumi.{stack}.yaml")
    if secret and (shown_there := misplaced(file, prefix)):
        raise _error(stack, [_problem(path, "is no secret, and would show what is encrypted") for path in shown_there])
    config = parse(values, stack, prefix)
    if paths := in_clear(values, secret, file, prefix):
        pulumi.log.warn(advice(paths, stack))
    _look_at_files(config, stack, prefix)
    return config


def _look_at_files(config: "StackConfig", stack: str, prefix: str) -> None:
    """Refuse a key file that is none. One that is missing may be made by this run, or be on another machine: what runs
    in CI may only preview, without any key."""
    bad = bad_files(config.defaults, config.hosts, prefix)
    wrong = [_problem(place, fault) for place, (fault, missing) in bad.items() if not missing]
    if wrong:
        raise _error(stack, wrong)
    own = resolve(str(config.key_pair.props()["path"])) if config.key_pair else None
    for place, (fault, _) in bad.items():
        if not os.environ.get("CI") and not (own and fault.startswith(f"{own} ")):
            pulumi.log.warn(printable(f"{place}: {fault}"))


def parse(values: Mapping[str, Any], stack: str, prefix: str = "stockade:") -> StackConfig:
    """Validate config values. Raises `ConfigError` that lists every error with its path in the file."""
    problems = [problem for name, value in values.items() for problem in _unreadable(value, prefix + name)]
    config = None
    if not problems:
        with _collecting(problems, prefix):
            config = StackConfig.model_validate(values)
    if config is not None:
        listed = _listed(config, prefix, problems)
        config = config.model_copy(update={"hosts": {**config.hosts, **listed}})
        places = {
            name: f"{config.inventory}: {name}" if name in listed else f"{prefix}hosts.{name}" for name in config.hosts
        }
        if not problems:
            problems += _wrong_hosts(config, prefix, places)
        if config.shard and not problems:
            problems += _wrong_shard(config, config.shard, stack, prefix)
            config = config.model_copy(update={"hosts": _own_hosts(config, config.shard, stack)})
        wanted = config.hardening()
        for name, host in config.hosts.items():
            with _collecting(problems, f"{places[name]}."):
                wanted.on(host)
    if problems or config is None:
        raise _error(stack, problems)
    return config


def _error(stack: str, problems: Iterable[str]) -> ConfigError:
    return ConfigError(printable("\n".join((f"stacks/Pulumi.{stack}.yaml is not valid:", *problems))))


def _listed(config: StackConfig, prefix: str, problems: list[str]) -> dict[str, HostSettings]:
    """Return the hosts of the inventory file; what is wrong in it goes to `problems`."""
    found: dict[str, HostSettings] = {}
    try:
        entries = read_inventory(config.inventory) if config.inventory else {}
    except InventoryError as error:
        problems.append(_problem(f"{prefix}inventory", str(error)))
        return found
    for name, entry in entries.items():
        place = f"{config.inventory}: {shown(name)}"
        try:
            host_name(name)
        except ValueError as error:
            problems.append(_problem(str(config.inventory), str(error)))
            continue
        if name in config.hosts:
            problems.append(_problem(place, f"the same name as {prefix}hosts.{name}"))
        if broken := [*_unreadable(entry, place)]:
            problems += broken
            continue
        secrets = secrets_in(entry)
        problems += (
            _problem(f"{place}.{path}", "a secret belongs into the stack config, encrypted") for path in secrets
        )
        with _collecting(problems, f"{place}."):
            found[name] = HostSettings.model_validate(entry)
    return found


def _wrong_hosts(config: StackConfig, prefix: str, places: Mapping[str, str]) -> list[str]:
    problems = [] if config.hosts else [_problem(f"{prefix}hosts", "is needed")]
    for name, host in config.hosts.items():
        with _collecting(problems, f"{places[name]}."):
            access(name, host, config.defaults)
        if host.shard and host.shard > (config.shard.of if config.shard else 0):
            there = f"there are {config.shard.of} shards" if config.shard else f"there is no {prefix}shard"
            problems.append(_problem(f"{places[name]}.shard", there))
    return problems or list(_same_machines(config, places))


def _wrong_shard(config: StackConfig, shard: ShardSettings, stack: str, prefix: str) -> Iterator[str]:
    index, environment = index_in(plain(shard), stack), split(stack)[0]
    if index is None:
        names = f"{stack_of(stack, 1)} to {stack_of(stack, shard.of)}"
        yield _problem(
            f"{prefix}shard", f"the stack {stack} is no shard; they are {names} (python -m fleet up {stack})"
        )
    elif not 1 <= index <= shard.of:
        mend = f"give its hosts to the others: python -m fleet move {environment}"
        yield _problem(f"{prefix}shard.of", f"{stack} is shard {index}, and there are {shard.of}; {mend}")
    if config.key_pair:
        yield _problem(f"{prefix}keyPair", "each shard would have it; make it with ssh-keygen and name it in keyFiles")


def _own_hosts(config: StackConfig, shard: ShardSettings, stack: str) -> dict[str, HostSettings]:
    index = index_in(plain(shard), stack)
    return {name: host for name, host in config.hosts.items() if (host.shard or shard_of(name, shard.of)) == index}


@contextmanager
def _collecting(problems: list[str], prefix: str) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        for item in error.errors(include_url=False):
            problems.extend(_lines(prefix, item))


def _lines(prefix: str, item: Any) -> Iterator[str]:
    """Write a validation error: its path as the user wrote it, and what is wrong there."""
    parts = item["loc"][:-2] if item["loc"][-1:] == ("[key]",) else item["loc"]  # of a name that is none: where it is
    path = prefix + "".join(f"[{part}]" if isinstance(part, int) else f".{shown(part)}" for part in parts).lstrip(".")
    cause = item.get("ctx", {}).get("error")
    if isinstance(cause, Problems):
        for below, message in cause.found.items():
            yield _problem(path + below if below.startswith("[") else f"{path}.{below}", message)
    elif item["type"] == "string_pattern_mismatch":  # what must have a form is no secret
        yield _problem(path, f"{shown(item['input'])} is not of the form {item['ctx']['pattern']}")
    elif item["type"] == "extra_forbidden":
        yield _problem(path, "no setting has this name")
    elif item["type"] == "missing":
        name = path.rpartition(".")[2]
        yield _problem(path, "the host has no address" if name == "host" else "is needed")
    else:
        yield _problem(path, item["msg"].removeprefix("Value error, "))


def _problem(path: str, message: str) -> str:
    place = one_line(path).replace("..", ".").rstrip(".:")
    return f"  {shortened(place, _LONGEST)}: " + shortened(message, _LONGEST).replace("\n", "\n    ")


def _same_machines(config: StackConfig, places: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with entries that are one machine: each would undo what the other did."""
    first: dict[tuple[str, ...], str] = {}
    compared = set()
    for name, way in config.access().items():
        for mark, words in _marks(way):
            other = first.setdefault(mark, name)
            if other != name and (other, name) not in compared:
                compared.add((other, name))
                yield _problem(places[name], f"the same {words[0]} as {other}: {words[1]}")


def _marks(way: HostAccess) -> Iterator[tuple[tuple[str, ...], tuple[str, str]]]:
    """Yield what tells one machine from another, and in words: its addresses behind a jump host, its pinned keys."""
    for _, login in way.logins():
        if login.host_key:
            yield ("key", *login.host_key.split()[:2]), ("hostKey", "they are one machine")
        through = repr(login.proxy and (login.proxy.endpoint, login.proxy.user, login.proxy.proxy))
        for address in (login.host, *way.addresses):
            mark = ("address", _plain_address(address), str(login.port), through)
            yield mark, ("address", f"{address}, port {login.port}")


def _plain_address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        return text.lower().rstrip(".")


def _json(value: str) -> Any:
    """Return a config value: Pulumi hands over objects, lists and booleans as JSON text."""
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _unreadable(value: Any, path: str, level: int = 0) -> Iterator[str]:
    """Tell what no host could hold and nobody writes: half a letter (`\\ud800` in JSON), too many levels."""
    if level > DEEPEST:
        yield _problem(path, f"has more than {DEEPEST} nested levels")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _unreadable(str(key), path, level + 1)
            yield from _unreadable(item, f"{path}.{key}", level + 1)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _unreadable(item, f"{path}[{index}]", level + 1)
    elif isinstance(value, str) and not value.isascii() and any("\ud800" <= one <= "\udfff" for one in value):
        yield _problem(path, "has half a letter in it, as `\\ud800` in JSON is: write the letter itself")


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the stack files."""
    inner = StackConfig.model_json_schema(by_alias=True)
    definitions = inner.pop("$defs")
    config = {f"stockade:{key}": value for key, value in inner["properties"].items()}
    needed = [{"required": ["stockade:hosts"]}, {"required": ["stockade:inventory"]}]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Stockade stack configuration",
        "type": "object",
        "properties": {"config": {"type": "object", "properties": config, "anyOf": needed}},
        "$defs": definitions,
    }


def inventory_schema() -> dict[str, Any]:
    """Return the JSON Schema of inventory files."""
    definitions = HostSettings.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Stockade inventory",
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/HostSettings"},
        "$defs": {**definitions.pop("$defs"), "HostSettings": definitions},
    }

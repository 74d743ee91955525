"""The stack config: hosts and what is wanted of them, validated before anything else happens.

`load()` is what the program calls; `python -m components.config` writes the JSON Schema that editors use.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pulumi
from pydantic import Field, ValidationError

from components.hardening import CHAPTERS, Hardening
from components.inventory import HostSettings, Problems, Reach, access
from components.keys import KeySettings
from hosts.connection import HostAccess

SCHEMA = Path("stacks/stockade.schema.json")


class StackConfig(Hardening):
    """Everything under `stockade:` in stacks/Pulumi.<stack>.yaml."""

    hosts: dict[str, HostSettings] = Field(min_length=1, description="The hosts of this stack, by name.")
    key_pair: KeySettings | None = Field(None, description="A key pair on this machine, for all users of the stack.")
    defaults: Reach = Field(Reach(), description="How hosts are reached, unless the host has settings of its own.")

    def access(self) -> dict[str, HostAccess]:
        """Return the way to reach each host."""
        return {name: access(name, host, self.defaults) for name, host in self.hosts.items()}

    def hardening(self) -> Hardening:
        """Return what is wanted of every host."""
        return Hardening(**{name: getattr(self, name) for name in CHAPTERS})


class ConfigError(pulumi.RunError):
    """The stack config is wrong; Pulumi shows the message and no traceback."""


def load() -> StackConfig:
    """Read this stack's config. Raises `ConfigError` that lists every error with its path in the file."""
    prefix = pulumi.get_project() + ":"
    values = {key: value for key, value in pulumi.runtime.config.CONFIG.get().items() if key.startswith(prefix)}
    return parse({key.removeprefix(prefix): _json(value) for key, value in values.items()}, pulumi.get_stack(), prefix)


def parse(values: Mapping[str, Any], stack: str, prefix: str = "stockade:") -> StackConfig:
    """Validate config values. Raises `ConfigError` that lists every error with its path in the file."""
    problems: list[str] = []
    config = None
    with _collecting(problems, prefix):
        config = StackConfig.model_validate(values)
    if config is not None:
        for name in config.hosts:
            with _collecting(problems, f"{prefix}hosts.{name}."):
                access(name, config.hosts[name], config.defaults)
            with _collecting(problems, f"{prefix}hosts.{name}."):
                config.hardening().on(config.hosts[name])
        problems = problems or list(_same_addresses(config, prefix))
    if problems or config is None:
        raise ConfigError("\n".join((f"stacks/Pulumi.{stack}.yaml is not valid:", *problems)))
    return config


@contextmanager
def _collecting(problems: list[str], prefix: str) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        for item in error.errors(include_input=False, include_url=False):
            problems.extend(_lines(prefix, item))


def _lines(prefix: str, item: Any) -> Iterator[str]:
    """Write a validation error: its path as the user wrote it, and what is wrong there."""
    path = prefix + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in item["loc"]).lstrip(".")
    cause = item.get("ctx", {}).get("error")
    if isinstance(cause, Problems):
        for below, message in cause.found.items():
            yield _problem(f"{path}.{below}", message)
    elif item["type"] == "extra_forbidden":
        yield _problem(path, "no setting has this name")
    elif item["type"] == "missing":
        name = path.rpartition(".")[2]
        yield _problem(path, "the host has no address" if name == "host" else "is needed")
    else:
        yield _problem(path, item["msg"].removeprefix("Value error, "))


def _problem(path: str, message: str) -> str:
    return f"  {path.replace('..', '.').rstrip('.:')}: " + message.replace("\n", "\n    ")


def _same_addresses(config: StackConfig, prefix: str) -> Iterator[str]:
    names = defaultdict(list)
    for name, way in config.access().items():
        for place in {(*connection.endpoint, connection.proxy) for _, connection in way.logins()}:
            names[place].append(name)
    for (address, port, _proxy), twice in names.items():
        if len(twice) > 1:
            yield _problem(f"{prefix}hosts.{twice[1]}", f"the same address as {twice[0]}: {address}, port {port}")


def _json(value: str) -> Any:
    """Return a config value: Pulumi hands over objects, lists and booleans as JSON text."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the stack files."""
    inner = StackConfig.model_json_schema(by_alias=True)
    definitions = inner.pop("$defs")
    config = {f"stockade:{key}": value for key, value in inner["properties"].items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Stockade stack configuration",
        "type": "object",
        "properties": {"config": {"type": "object", "properties": config, "required": ["stockade:hosts"]}},
        "$defs": definitions,
    }


if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(schema(), indent=2) + "\n", encoding="utf-8")

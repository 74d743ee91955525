"""The stack config: hosts and what is wanted of them, validated before anything else happens.

`load()` is what the program calls; `python -m components.config` writes the JSON Schema that editors use.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
from pydantic import Field, ValidationError, model_validator

from components.firewall import FirewallSettings
from components.inventory import HostSettings, Settings, access, plain
from hosts.connection import HostAccess

SCHEMA = Path("stacks/stockade.schema.json")


class StackConfig(Settings):
    """Everything under `stockade:` in stacks/Pulumi.<stack>.yaml."""

    hosts: dict[str, HostSettings] = Field(min_length=1, description="The hosts of this stack, by name.")
    defaults: HostSettings = Field(HostSettings(), description="Settings of every host, unless the host has its own.")
    firewall: FirewallSettings = Field(FirewallSettings(), description="The firewall of every host.")

    @model_validator(mode="after")
    def _each_address_once(self) -> "StackConfig":
        names = defaultdict(list)
        for name, way in self.access().items():
            for endpoint in {connection.endpoint for _, connection in way.logins()}:
                names[endpoint].append(name)
        for (address, port), twice in names.items():
            if len(twice) > 1:
                raise ValueError(f"hosts {' and '.join(twice)} have the same address {address}, port {port}")
        return self

    def access(self) -> dict[str, HostAccess]:
        """Return the way to reach each host."""
        return {name: access(name, host, self.defaults) for name, host in self.hosts.items()}

    def firewall_of(self, name: str) -> FirewallSettings:
        """Return the firewall settings of one host: the stack's, with the host's own in their place."""
        own = {**(self.defaults.firewall or {}), **(self.hosts[name].firewall or {})}
        return FirewallSettings.model_validate({**plain(self.firewall), **own}) if own else self.firewall


class ConfigError(pulumi.RunError):
    """The stack config is wrong; Pulumi shows the message and no traceback."""


def load() -> StackConfig:
    """Read this stack's config. Raises `ConfigError` that lists every error with its path in the file."""
    prefix = pulumi.get_project() + ":"
    values = {key: value for key, value in pulumi.runtime.config.CONFIG.get().items() if key.startswith(prefix)}
    return parse({key.removeprefix(prefix): _json(value) for key, value in values.items()}, pulumi.get_stack(), prefix)


def parse(values: Mapping[str, Any], stack: str, prefix: str = "stockade:") -> StackConfig:
    """Validate config values. Raises `ConfigError` that lists every error with its path in the file."""
    problems = []
    try:
        config = StackConfig.model_validate(values)
    except ValidationError as error:
        problems = [_line(prefix, item) for item in error.errors(include_input=False, include_url=False)]
    else:
        for name in config.hosts:
            try:
                config.firewall_of(name)
            except ValidationError as error:
                under = f"{prefix}hosts.{name}.firewall."
                problems += [_line(under, item) for item in error.errors(include_input=False, include_url=False)]
    if problems:
        raise ConfigError("\n".join((f"stacks/Pulumi.{stack}.yaml is not valid:", *problems)))
    return config


def _line(prefix: str, item: Any) -> str:
    """Write one validation error: its path as the user wrote it, and what is wrong there."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in item["loc"]]
    path = prefix + "".join(parts).lstrip(".")
    message = item["msg"].removeprefix("Value error, ").replace("\n", "\n    ")
    if item["type"] == "extra_forbidden":
        message = "no setting has this name"
    return f"  {path.rstrip('.:')}: {message}"


def _json(value: str) -> Any:
    """Return a config value: Pulumi hands over objects, lists and booleans as JSON text."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def write_schema() -> None:
    """Write the JSON Schema of the stack files for editors."""
    inner = StackConfig.model_json_schema(by_alias=True)
    definitions = inner.pop("$defs")
    config = {f"stockade:{key}": value for key, value in inner["properties"].items()}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Stockade stack configuration",
        "type": "object",
        "properties": {
            "config": {"type": "object", "properties": config, "required": ["stockade:hosts"]},
        },
        "$defs": definitions,
    }
    SCHEMA.write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_schema()

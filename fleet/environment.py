"""The stacks of an environment: one config file that all share, through links named as Pulumi expects."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from components.config.inventory import ShardSettings
from components.config.shards import InventoryError, home_of, read_inventory, stack_of
from local.engine.state.project import read_yaml


class FleetError(Exception):
    """An error that the user can fix; its text is the whole message."""


@dataclass(frozen=True)
class Environment:
    """An environment whose hosts are split into shards.

    `file`: its config, stacks/Pulumi.<name>.yaml. `config`: the settings in it under the project's name, with secrets
    encrypted. `shards`: their number. `backend`: where the states are, if the project specifies it.
    """

    folder: Path
    name: str
    file: Path
    shards: int
    config: Mapping[str, Any]
    backend: str = ""

    def stacks(self, only: frozenset[int] = frozenset()) -> tuple[str, ...]:
        """Return the names of the shards' stacks, or of some of them. Raises FleetError if a shard does not exist."""
        wrong = sorted(number for number in only if not 1 <= number <= self.shards)
        if wrong:
            raise FleetError(f"{self.name} has no shard {wrong[0]}: there are {self.shards}")
        return tuple(stack_of(self.name, number) for number in range(1, self.shards + 1) if not only or number in only)

    def config_file(self, stack: str) -> Path:
        """Return the path at which Pulumi expects the config of a stack."""
        return self.file.with_name(f"Pulumi.{stack}.yaml")

    def former(self, stacks: Iterable[str]) -> tuple[str, ...]:
        """Return those of the stacks that used to be shards, and the stack from before the split."""
        pattern = re.compile(rf"{re.escape(self.name)}-(\d+)")
        found = (pattern.fullmatch(stack) for stack in sorted(stacks))
        shards = tuple(match[0] for match in found if match and int(match[1]) > self.shards)
        return (self.name, *shards) if self.name in stacks else shards

    def shard_of(self, host: str) -> int:
        """Return the number of the shard that a host is in. Raises FleetError if the host does not exist."""
        hosts = self.hosts()
        if host not in hosts:
            near = difflib.get_close_matches(host, hosts, 1)
            raise FleetError(f"{self.name} has no host {host}" + (f"; is {near[0]} meant?" if near else ""))
        return home_of(host, hosts[host], self.shards)

    def home(self, host: str) -> str:
        """Return the stack that a host belongs to; if it is no longer declared, the one that its name determines."""
        return stack_of(self.name, home_of(host, self.hosts().get(host), self.shards))

    def hosts(self) -> Mapping[str, Any]:
        """Return the entries of all hosts by name, as written. Raises FleetError."""
        inventory, own = self.config.get("inventory"), self.config.get("hosts") or {}
        try:
            return {**(read_inventory(str(inventory), self.folder) if inventory else {}), **own}
        except InventoryError as error:
            raise FleetError(str(error)) from None

    def link(self, stacks: Iterable[str] | None = None) -> None:
        """Link the config of every shard (or of those given) to the environment's, so that each is a stack for Pulumi.

        A regular file in place of a link is kept.
        """
        for stack in self.stacks() if stacks is None else stacks:
            file = self.config_file(stack)
            if not file.exists():
                file.unlink(missing_ok=True)  # a dangling link
                file.symlink_to(self.file.name)


def load(folder: Path, name: str) -> Environment:
    """Read the number of shards of an environment. Raises FleetError, EngineError."""
    project = read_yaml(folder / "Pulumi.yaml") if (folder / "Pulumi.yaml").is_file() else {}
    if "name" not in project:
        raise FleetError(f"no Pulumi.yaml with a project's name in {folder}")
    file = folder / str(project.get("stackConfigDir", ".")) / f"Pulumi.{name}.yaml"
    shown = file.relative_to(folder)
    if not file.is_file():
        raise FleetError(f"no environment {name}: there is no {shown}")
    key = f"{project['name']}:shard"
    config = read_yaml(file).get("config") or {}
    own = {name.partition(":")[2]: value for name, value in config.items() if name.startswith(f"{project['name']}:")}
    settings: Any = own.get("shard")
    if not isinstance(settings, dict):
        raise FleetError(f"{shown}: {key}.of: is needed; it says how many stacks {name} is split into")
    try:
        shard = ShardSettings.model_validate(settings)
    except ValidationError as error:
        (first, *_) = error.errors(include_input=False, include_url=False)
        raise FleetError(f"{shown}: {key}.{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if shard.index is not None:
        raise FleetError(f"{shown}: {key}.index: is for the file of one stack; a fleet's stacks are told by their name")
    return Environment(folder, name, file, shard.of, own, backend_of(folder))


def backend_of(folder: Path) -> str:
    """Return where the states of a project are, if the project specifies it. Raises EngineError."""
    project = read_yaml(folder / "Pulumi.yaml")
    return str(os.environ.get("PULUMI_BACKEND_URL") or (project.get("backend") or {}).get("url") or "")

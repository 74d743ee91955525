"""Moves hosts from state to state if their shard changes because the number of shards has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from fleet.environment import Environment
from fleet.job import Engine
from fleet.outcome import HARDENED
from fleet.summary import listed


def move_all(engine: Engine, environment: Environment, tell: Callable[[str], None]) -> int:
    """Move every host's resources to the stack of its shard; return the number of hosts moved.

    Searches the current shards, the former ones, and the environment's own stack from before the split. No host is
    touched. Raises FleetError, EngineError, CommandError.
    """
    there = engine.stacks()
    former = environment.former(there)
    environment.link(former)
    count = 0
    for source in (*former, *(stack for stack in environment.stacks() if stack in there)):
        resources = engine.resources(source)
        for home, found in sorted(_elsewhere(resources, source, environment, gone=source in former).items()):
            if home not in engine.stacks():
                engine.create(home)
            engine.move(source, home, [urn for _, urn in found])
            tell(f"{source} -> {home}: {', '.join(name for name, _ in found)}")
            count += len(found)
    for stack in former:
        if not any(_hosts(engine.resources(stack))):
            tell(f"{stack}: has no host any more; `pulumi stack rm {stack} --preserve-config` removes it")
    return count


def stranded(engine: Engine, environment: Environment) -> list[str]:
    """Name the hosts in the states of former shards, where nothing manages them.

    Raises FleetError, EngineError, CommandError.
    """
    former = environment.former(engine.stacks())
    environment.link(former)
    listing = environment.hosts()
    lines = []
    for stack in former:
        hosts = [name for name, _ in _hosts(engine.resources(stack))]
        for suffix, names in (
            ("", [name for name in hosts if name in listing]),
            (", which no list names any more: the next `up` undoes what was done there",
             [name for name in hosts if name not in listing]),
        ):  # fmt: skip
            if names:
                lines.append(f"  {stack}: {listed(names)}{suffix}")
    if not lines:
        return []
    shards = f"{environment.name} has {environment.shards} shard{'s' if environment.shards > 1 else ''}"
    return [
        f"{shards}, and nothing manages the hosts that are still in the state of another stack:",
        *lines,
        f"Move them to their shards, which touches no host: `stockade fleet move {environment.name} --yes`",
    ]


def _elsewhere(
    resources: Sequence[Mapping[str, Any]], stack: str, environment: Environment, *, gone: bool
) -> dict[str, list[tuple[str, str]]]:
    """Return the hosts in a state that belong to other stacks: names and URNs, by stack, in the inventory's order.

    A host that is no longer declared stays, and the next `up` of its stack undoes it. From a former shard (`gone`), it
    moves to the stack that its name determines.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    there, hosts = dict(_hosts(resources)), environment.hosts()
    for name in (*hosts, *(name for name in there if gone and name not in hosts)):
        home = environment.home(name) if name in there else stack
        if home != stack:
            found.setdefault(home, []).append((name, there[name]))
    return found


def _hosts(resources: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for item in resources:
        if item["type"] == HARDENED:
            yield item["urn"].rpartition("::")[2], item["urn"]

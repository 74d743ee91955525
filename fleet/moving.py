"""Hosts whose shard is another one since there are more shards, or fewer: they go from one state to another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from components.shards import home_of, stack_of
from fleet.environment import Environment
from fleet.job import Engine

HARDENED = "stockade:index:HardenedHost"


def move_all(engine: Engine, environment: Environment, tell: Callable[[str], None]) -> int:
    """Give every host's resources to the stack of its shard; return how many hosts were moved.

    Looks in the shards there are, in those there were (their config files are still there), and in the environment's
    own stack of the time before it was split. No host is touched. Raises FleetError, EngineError, CommandError.
    """
    hosts = environment.hosts()
    former = [environment.name, *environment.former()]
    sources = [stack for stack in (*former, *environment.stacks()) if not engine.missing([stack])]
    count = 0
    for source in sources:
        for home, found in sorted(_elsewhere(engine.resources(source), source, hosts, environment).items()):
            if engine.missing([home]):
                engine.create(home)
            engine.move(source, home, [urn for _, urn in found])
            tell(f"{source} -> {home}: {', '.join(name for name, _ in found)}")
            count += len(found)
    for stack in former:
        if stack in sources and not any(_hosts(engine.resources(stack))):
            tell(f"{stack}: has no host any more; `pulumi stack rm {stack} --preserve-config` removes it")
    return count


def _elsewhere(
    resources: Sequence[Mapping[str, Any]], stack: str, hosts: Mapping[str, Any], environment: Environment
) -> dict[str, list[tuple[str, str]]]:
    """Return the hosts in a state that belong to other stacks: names and URNs, by stack, in the inventory's order."""
    found: dict[str, list[tuple[str, str]]] = {}
    there = dict(_hosts(resources))
    for name, host in hosts.items():  # one that is in none of the lists is gone, and is undone where it is
        home = stack_of(environment.name, home_of(name, host, environment.shards))
        if name in there and home != stack:
            found.setdefault(home, []).append((name, there[name]))
    return found


def _hosts(resources: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for item in resources:
        if item["type"] == HARDENED:
            yield item["urn"].rpartition("::")[2], item["urn"]

"""More shards, or fewer: hosts go to the states of their new stacks, and nothing is done on them."""

from __future__ import annotations

import json
from typing import Any

from components.shards import home_of, shard_of, stack_of

from .conftest import Fleet

HOSTS = [f"web{number}" for number in range(1, 9)]


def _declare(fleet: Fleet, shards: int, **hosts: Any) -> dict[str, list[str]]:
    """Split eight hosts; return which items are in each stack."""
    entries = {name: hosts.get(name, {}) for name in HOSTS}
    file = fleet.folder / "Pulumi.production.yaml"
    settings = json.loads(file.read_text())
    settings["config"] |= {"items:shard": {"of": shards}, "items:hosts": entries}
    file.write_text(json.dumps(settings))
    homes = {name: stack_of("production", home_of(name, entry, shards)) for name, entry in entries.items()}
    items: dict[str, Any] = {}
    for name, home in homes.items():
        items[name] = {"type": "host", "stacks": [home]}
        items[f"{name}-rules"] = {"options": {"parent": name}, "secret": True, "stacks": [home]}
        items[f"{name}-sshd"] = {"from": f"{name}-rules", "options": {"parent": name}, "stacks": [home]}
    fleet.spec(**items)
    expected: dict[str, list[str]] = {stack_of("production", number): [] for number in range(1, shards + 1)}
    for name in HOSTS:
        expected[homes[name]] += [f"{name}-rules", f"{name}-sshd"]
    return {stack: sorted(names) for stack, names in expected.items()}


def test_more_shards_and_fewer(fleet: Fleet) -> None:
    before = _declare(fleet, 1)
    assert fleet.run("up").status == 0
    (fleet.world / "log").unlink()

    expected = _declare(fleet, 2)
    moving = [name for name in HOSTS if shard_of(name, 2) == 2]
    assert 0 < len(moving) < len(HOSTS)
    moved = fleet.run("move")
    assert moved.status == 0, moved
    assert f"production-01 -> production-02: {', '.join(moving)}\n{len(moving)} hosts moved\n" in moved.out
    assert {stack: fleet.resources(stack) for stack in expected} == expected
    again = fleet.run("move")
    assert (again.status, again.out) == (0, "every host is in the stack of its shard\n"), again
    unchanged = fleet.run("up")
    assert (unchanged.status, "2 done; no changes; " in unchanged.out) == (0, True), unchanged

    before = _declare(fleet, 1)
    back = fleet.run("move")
    assert back.status == 0, back
    assert (
        "production-02: has no host any more; `pulumi stack rm production-02 --preserve-config` removes it" in back.out
    )
    assert {stack: fleet.resources(stack) for stack in before} == before
    unchanged = fleet.run("preview")
    assert (unchanged.status, "1 done; no changes; " in unchanged.out) == (0, True), unchanged
    assert not (fleet.world / "log").exists(), "something was done on a host"

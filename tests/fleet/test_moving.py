"""More shards, or fewer: hosts move to the states of their new stacks, without any operation on them."""

from __future__ import annotations

import json
from typing import Any

from components.config.shards import home_of, shard_of, stack_of

from .conftest import Fleet

STACKS = ("production-01", "production-02", "production-02")
HOSTS = [f"web{number}" for number in range(1, 9)]


def _declare(fleet: Fleet, shards: int, **hosts: Any) -> dict[str, list[str]]:
    """Split eight hosts into shards; return the items of each stack."""
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


def test_nobody_is_left_behind_when_shards_become_fewer(fleet: Fleet) -> None:
    """Hosts in the state of a shard that no longer exists, whether the inventory still lists them or not."""
    fleet.declare_hosts("web1", "web2", "web3", web3=2)
    hosts = {
        name: {"type": "host", "stacks": [stack]} for name, stack in zip(("web1", "web2", "web3"), STACKS, strict=True)
    }
    rules = {f"{name}-rules": {"options": {"parent": name}, "stacks": hosts[name]["stacks"]} for name in hosts}
    fleet.spec(**hosts, **rules)
    assert fleet.run("up").status == 0
    (fleet.world / "log").unlink()

    fleet.declare_hosts("web1", "web2", shards=1, web2=1)  # web3 is removed
    (fleet.folder / "Pulumi.production-02.yaml").unlink()
    kept = {"web1": hosts["web1"], "web2": {"type": "host", "stacks": STACKS[:1]}}
    fleet.spec(**kept, **{f"{name}-rules": {"options": {"parent": name}, "stacks": STACKS[:1]} for name in kept})
    left = fleet.run("up")
    assert left.status == 2, left
    told = (
        "production has 1 shard, and nothing manages the hosts that are still in the state of another stack:\n"
        "  production-02: web2\n"
        "  production-02: web3, which no list names any more: the next `up` undoes what was done there\n"
        "Move them to their shards, which touches no host: `stockade fleet move production --yes`\n"
    )
    assert left.err == f"error: {told}"
    assert not (fleet.world / "log").exists()
    for command in ("preview", "drift"):
        shown = fleet.run(command)
        assert (shown.status, told in shown.out) == (1, True), shown

    moved = fleet.run("move")
    assert moved.status == 0, moved
    assert "production-02 -> production-01: web2, web3\n" in moved.out
    assert not (fleet.world / "log").exists()
    done = fleet.run("up")
    assert done.status == 0, done
    assert (fleet.world / "log").read_text().splitlines() == ["delete web3-rules", "deleted web3-rules"]
    assert fleet.resources("production-01") == ["web1-rules", "web2-rules"]


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

"""An environment in several stacks: the assignment of hosts, its stability when shards or hosts are added, refusals."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pulumi.dynamic import Config, ConfigureRequest
from pulumi.runtime import Settings, configure

from components.config.inventory import Inventory
from components.config.shards import shard_of, split, stack_of
from components.failure import Failure
from components.stack_config import ConfigError, StackConfig, inventory_schema, parse
from components.timesync.resource import TimeSyncProvider
from hosts.errors import HostError

REPOSITORY = Path(__file__).parents[4]
NAMES = [f"web{number}" for number in range(1, 1001)]


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a hundred hosts in the project's folder."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "hosts.yaml"
    lines = (f"web{n}: {{address: 203.0.113.{n}}}" for n in range(1, 101))
    file.write_text("\n".join(lines))
    return file


def sharded(stack: str, **more: Any) -> StackConfig:
    """The config of a stack with the inventory and twenty shards."""
    return parse({"inventory": "hosts.yaml", "shard": {"of": 20}, **more}, stack)


def refused(stack: str, **more: Any) -> list[str]:
    """The lines with which such a config is refused."""
    with pytest.raises(ConfigError) as caught:
        sharded(stack, **more)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_where_hosts_are_is_for_ever() -> None:
    """Any other assignment would move the hosts of every user."""
    assert [shard_of(name, 20) for name in ("web1", "web2", "db1", "münchen")] == [6, 17, 17, 1]


def test_a_further_shard_takes_from_all_and_nobody_else_moves() -> None:
    moved = {name: (shard_of(name, 20), shard_of(name, 21)) for name in NAMES}
    moved = {name: (old, new) for name, (old, new) in moved.items() if old != new}
    assert {new for _, new in moved.values()} == {21}
    assert len(moved) < 2 * len(NAMES) / 21
    assert len({old for old, _ in moved.values()}) > 15


def test_shards_are_about_equal() -> None:
    sizes = Counter(shard_of(name, 20) for name in NAMES)
    assert sorted(sizes) == list(range(1, 21))
    assert max(sizes.values()) < 80


def test_every_host_is_in_one_stack(inventory: Path) -> None:
    found = [name for shard in range(1, 21) for name in sharded(stack_of("production", shard)).hosts]
    assert sorted(found) == sorted(NAMES[:100])


def test_hosts_stay_when_others_come_and_go(inventory: Path) -> None:
    before = set(sharded("production-03").hosts)
    inventory.write_text(inventory.read_text().replace("web7:", "web7000:") + "\nnew1: {address: 198.51.100.1}\n")
    after = set(sharded("production-03").hosts)
    assert before - after <= {"web7"}
    assert after - before <= {"web7000", "new1"}


def test_a_host_can_be_pinned(inventory: Path) -> None:
    inventory.write_text("db1: {address: 198.51.100.1, shard: 20}\n")
    assert [name for shard in range(1, 21) for name in sharded(stack_of("p", shard)).hosts] == ["db1"]
    assert [*sharded("p-20").hosts] == ["db1"]
    inventory.write_text("db1: {address: 198.51.100.1, shard: 21}\n")
    assert refused("p-20") == ["hosts.yaml: db1.shard: there are 20 shards"]


def test_a_shard_may_be_said_in_place_of_the_name(inventory: Path) -> None:
    assert sharded("anything", shard={"of": 20, "index": 3}).hosts == sharded("production-03").hosts


@pytest.mark.parametrize(
    ("stack", "more", "line"),
    [
        ("production", {}, "stockade:shard: the stack production is no shard; they are production-01 to production-20"),
        ("production-21", {}, "stockade:shard.of: production-21 is shard 21, and there are 20; give its hosts to the"),
        ("production-00", {}, "stockade:shard.of: production-00 is shard 0"),
        ("p-01", {"shard": {"of": 0}}, "stockade:shard.of: Input should be greater than or equal to 1"),
        ("p-01", {"shard": {}}, "stockade:shard.of: is needed"),
        ("p-01", {"keyPair": {}}, "stockade:keyPair: each shard would have it"),
        ("p-01", {"inventory": "none.yaml"}, "stockade:inventory: none.yaml: No such file or directory"),
        ("p-01", {"hosts": {"web7": {"address": "x"}}}, "hosts.yaml: web7: the same name as stockade:hosts.web7"),
        (
            "p-01",
            {"hosts": {"a": {"address": "203.0.113.9"}}},
            "hosts.yaml: web9: the same address as a: 203.0.113.9",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(inventory: Path, stack: str, more: dict[str, Any], line: str) -> None:
    assert refused(stack, **more)[0].startswith(line)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: {address: x}\nb: {address: x}", "hosts.yaml: b: the same address as a: x, port 22"),
        ("a: {address: x}\nb: {address: y}\na: {address: z}", "stockade:inventory: hosts.yaml:3: a appears twice"),
        ('{"a": {"address": "x"}, "a": {"address": "y"}}', "stockade:inventory: hosts.yaml: a appears twice"),
        ("a: {address: x, prot: 22}", "hosts.yaml: a.prot: no setting has this name"),
        ("a: {address: x, port: 0}", "hosts.yaml: a.port: Input should be greater than or equal to 1"),
        ("a: {}", "hosts.yaml: a.bootstrap.host: the host has no address"),
        ("a: x", "hosts.yaml: a: Input should be a valid dictionary or instance of HostSettings"),
        ("- a", "stockade:inventory: hosts.yaml: must list hosts by name"),
        ("", "stockade:inventory: hosts.yaml: must list hosts by name"),
        ("a: [", "stockade:inventory: hosts.yaml:2: did not find expected node content"),
        (
            "a: &a {address: x, firewall: *a}",
            "stockade:inventory: hosts.yaml:1: an alias refers to a value that contains it",
        ),
        ("[" * 50_000, "stockade:inventory: hosts.yaml:1: more than 100 nested levels"),
        ("a: {address: !!bool x}", "stockade:inventory: hosts.yaml:1: a value does not match"),
        ('{"a": {"address": "\\ud800"}}', "hosts.yaml: a.address: has half a letter"),
    ],
)
def test_a_wrong_inventory_is_told_with_its_place(inventory: Path, text: str, line: str) -> None:
    inventory.write_text(text)
    assert refused("p-01")[0].startswith(line)


def test_a_secret_in_the_inventory_is_refused_and_not_told(inventory: Path) -> None:
    inventory.write_text("a: {address: x, admin: {user: deploy, sudo_password: hunter2, privateKey: hunter3}}")
    told = refused("p-01")
    assert told == [
        "hosts.yaml: a.admin.sudo_password: a secret belongs into the stack config, encrypted",
        "hosts.yaml: a.admin.privateKey: a secret belongs into the stack config, encrypted",
    ]


def test_an_empty_shard_is_no_error(inventory: Path) -> None:
    inventory.write_text("db1: {address: 198.51.100.1, shard: 2}\n")
    assert sharded("p-01").hosts == {}


def test_a_wrong_chapter_is_told_by_the_shard_of_its_host(inventory: Path) -> None:
    inventory.write_text("db1: {address: x, shard: 2, firewall: {services: [{ports: [70000]}]}}\n")
    assert refused("p-02")[0].startswith("hosts.yaml: db1.firewall.services[0]: 1:25: port 70000 is out of range")


def test_the_provider_finds_hosts_of_the_inventory(inventory: Path) -> None:
    ways = Inventory({"inventory": "hosts.yaml", "defaults": '{"port": 2222}', "hosts": '{"db1": {"address": "y"}}'})
    assert ways["web9"].bootstrap.endpoint == ("203.0.113.9", 2222)  # type: ignore[union-attr]
    assert ways["db1"].bootstrap.endpoint == ("y", 2222)  # type: ignore[union-attr]
    assert "web1001" not in ways


def test_a_host_that_went_to_another_shard_is_not_undone(inventory: Path) -> None:
    moving = next(name for name in NAMES[:100] if shard_of(name, 21) == 21)
    old = stack_of("production", shard_of(moving, 20))
    assert _undone(moving, old, shards=21) == (
        f"{moving}: belongs to the stack production-21 now, so it is not undone here; "
        "move it there: `stockade fleet move production`"
    )
    inventory.write_text(
        f"{moving}: {{address: 203.0.113.1, bootstrap: {{privateKeyFile: none}}}}"
    )  # nothing is dialled
    assert "none cannot be read" in _undone(moving, old, shards=20)
    assert "belongs" not in _undone("gone", old, shards=21)


def _undone(host: str, stack: str, shards: int) -> str:
    """The provider's message when a stack deletes a host's resource: here only the state is checked."""
    configure(Settings(project="stockade", stack=stack))
    provider = TimeSyncProvider()
    raw = {"stockade:inventory": "hosts.yaml", "stockade:shard": json.dumps({"of": shards})}
    provider.configure(ConfigureRequest(Config(raw, "stockade")))
    with pytest.raises((Failure, HostError)) as caught:
        provider.delete("id", {"host": host, "daemon": "chrony"})
    return str(caught.value)


def test_names() -> None:
    assert (stack_of("production", 3), stack_of("production", 103)) == ("production-03", "production-103")
    assert (split("web-2-07"), split("production")) == (("web-2", 7), ("production", None))


def test_the_schema_of_inventories_is_that_of_the_models() -> None:
    assert json.loads((REPOSITORY / "stacks/inventory.schema.json").read_text()) == inventory_schema(), (
        "run `make schema`"
    )

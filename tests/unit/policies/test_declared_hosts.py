"""Which hosts and logins the pack knows from the stack config, in its own process."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from policies import base

Configure = Callable[..., None]


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Set the stack config, in a project of its own."""
    monkeypatch.setattr(base, "ROOT", tmp_path)
    monkeypatch.setenv("PULUMI_PROJECT", "stockade")

    def configured(stack: str = "lab", **settings: Any) -> None:
        base.configured_hosts.cache_clear()
        base._yaml.cache_clear()
        monkeypatch.setenv("PULUMI_STACK", stack)
        monkeypatch.setenv("PULUMI_CONFIG", json.dumps({f"stockade:{key}": value for key, value in settings.items()}))

    yield configured
    base.configured_hosts.cache_clear()
    base._yaml.cache_clear()


def test_an_inventory_is_relative_to_the_project(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text("web1: {address: 192.0.2.1}\nweb2: {address: 192.0.2.2}\n")
    configure(inventory="hosts.yaml", hosts='{"web2": {"address": "192.0.2.9"}}')
    assert base.configured_hosts() == {"web1": {"address": "192.0.2.1"}, "web2": {"address": "192.0.2.9"}}
    assert base.known_hosts() == ("web1", "web2")
    assert [host.name for host in base.hosts([])] == ["web1", "web2"]


def test_a_shard_has_its_own_hosts_and_knows_the_others(configure: Configure) -> None:
    hosts = {"web1": {"shard": 3}, "web2": {"shard": 4}}
    configure("production-03", hosts=json.dumps(hosts), shard='{"of": 4}')
    assert [*base.configured_hosts()] == ["web1"]
    assert base.known_hosts() == ("web1", "web2")


def test_a_setting_that_the_engine_does_not_pass_is_read_from_the_file(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: stockade\nstackConfigDir: stacks\n")
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks/Pulumi.lab.yaml").write_text("config:\n  stockade:hosts:\n    web1: {address: 192.0.2.1}\n")
    configure()
    assert base.configured_hosts() == {"web1": {"address": "192.0.2.1"}}
    configure(hosts='{"web2": {}}')
    assert [*base.configured_hosts()] == ["web2"]


@pytest.mark.parametrize("hosts", ['["web1"]', "3", '"web1"', "[" * 9])
def test_a_config_that_cannot_be_read_has_no_hosts(configure: Configure, hosts: str) -> None:
    configure(hosts=hosts)
    assert base.configured_hosts() == {}
    assert base.known_hosts() is None


def test_hosts_that_are_secret_are_unknown(configure: Configure) -> None:
    configure(hosts='{"secure": "v1:abc"}')
    assert base.known_hosts() is None


@pytest.mark.parametrize(
    ("hosts", "defaults", "login"),
    [
        ({"admin": {"user": "deploy"}, "bootstrap": {"user": "root"}}, {}, {"user": "deploy"}),
        ({"bootstrap": {"user": "root"}}, {}, {"user": "root"}),
        ({"port": 2222, "admin": {"user": "deploy"}}, {"port": 22}, {"port": 2222, "user": "deploy"}),
        ({"admin": {"user": "deploy"}}, {"admin": {"user": "other", "port": 1}}, {"user": "deploy", "port": 1}),
        ({}, {"bootstrap": {"port": 2222}}, {"port": 2222}),
        ({}, {"port": 2222}, {"port": 2222}),
    ],
)
def test_the_login_that_lasts(configure: Configure, hosts: Any, defaults: Any, login: dict[str, Any]) -> None:
    configure(hosts=json.dumps({"web1": {"address": "192.0.2.1", **hosts}}), defaults=json.dumps(defaults))
    found = base.configured_login("web1")
    assert found["host"] == "192.0.2.1"
    assert {key: found.get(key) for key in ("user", "port") if key in found} == login
    assert "host" not in base.configured_login("web2")

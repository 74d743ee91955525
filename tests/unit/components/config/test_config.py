"""An invalid stack config results in all errors, with paths and without secrets."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.config.inventory import camel, connections
from components.registry import CHAPTERS
from components.stack_config import ConfigError, parse, schema
from hosts.guard.record import fingerprint

HOSTS = {"web1": {"address": "198.51.100.11", "admin": {"user": "deploy"}}}
REPOSITORY = Path(__file__).parents[4]


def errors(**values: Any) -> list[str]:
    """The lines of the error for these values."""
    with pytest.raises(ConfigError) as caught:
        parse(values, "lab")
    first, *lines = str(caught.value).splitlines()
    assert first == "stacks/Pulumi.lab.yaml is not valid:"
    return lines


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({}, "stockade:hosts: is needed"),
        ({"hosts": {"a": {}}}, "stockade:hosts.a.bootstrap.host: the host has no address"),
        ({"hosts": {"a": {"address": "x y"}}}, "stockade:hosts.a.bootstrap.host: a host name or an address"),
        ({"hosts": {"a": {"address": "x", "port": 70000}}}, "stockade:hosts.a.port: Input should be less than"),
        ({"hosts": HOSTS, "firewal": {}}, "stockade:firewal: no setting has this name"),
        (
            {"hosts": HOSTS, "firewall": {"ipv4": {"file": "no.rules"}}},
            f"stockade:firewall.ipv4.file: {Path('no.rules').absolute()} cannot be read: No such",
        ),
        (
            {"hosts": HOSTS, "firewall": {"ipv6": {"rules": "-A INPUT -s 1.2.3.4 -j ACCEPT"}}},
            'stockade:firewall.ipv6: 1:13: "1.2.3.4" is an IPv4 address in an IPv6 ruleset',
        ),
        (
            {"hosts": HOSTS, "firewall": {"ipv4": {"rules": "-A INPUT -j ACCPET"}}},
            "stockade:firewall.ipv4: 1:13: ACCPET is neither a target nor a chain of table filter (did you mean ACCEPT",
        ),
        (
            {"hosts": {"web1": {"address": "x", "firewall": {"services": [{"ports": [70000]}]}}}},
            "stockade:hosts.web1.firewall.services[0]: 1:25: port 70000 is out of range",
        ),
        (
            {"hosts": {"web1": {"address": "x"}, "web2": {"address": "x"}}},
            "stockade:hosts.web2: the same address as web1: x, port 22",
        ),
    ],
)
def test_an_error_names_its_place(values: dict[str, Any], line: str) -> None:
    assert errors(**values)[0].startswith(f"  {line}")


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (
            {"services": [{"name": "app", "ports": ["\ud800"]}]},
            "stockade:firewall.services[0].ports[0]: has half a letter",
        ),
        (json.loads('{"a":' * 900 + "1" + "}" * 900), "has more than 100 nested levels"),
        ({"ipv4": {"rules": f"-A INPUT -j {'x' * 100_000}"}}, "is left out here"),
        ({"x" * 100_000: 1}, "no setting has this name"),
    ],
)
def test_what_nobody_writes_by_mistake_is_one_short_sentence(value: Any, line: str) -> None:
    told = "\n".join(errors(hosts=HOSTS, firewall=value))
    assert line in told
    assert len(told) < 4000


def test_all_errors_are_told_at_once() -> None:
    told = "\n".join(
        errors(
            hosts={"web1": {"address": "x", "admin": {"prot": 22}}},
            firewall={"services": [{"ports": [70000]}, {"ports": [80], "protocol": "tpc"}], "sshPort": 0},
        )
    )
    for path in ("hosts.web1.admin.prot", "firewall.services[0]", "firewall.services[1].protocol", "firewall.sshPort"):
        assert f"  stockade:{path}: " in told


def test_no_secret_is_told() -> None:
    secret = "correct-horse"  # a passphrase in place of the key
    told = "\n".join(errors(hosts={"web1": {"address": "x", "privateKey": secret, "password": [secret]}}))
    assert "privateKey" in told or "password" in told
    assert secret not in told


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPcXUGdbFXHkJMKaJl6QK/0yA0Jv6IoBCT7cCGj0bGmE"


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ({"address": "x"}, {"address": "X."}, "X., port 22"),
        ({"address": "2001:db8::7"}, {"address": "2001:DB8:0::7"}, "2001:DB8:0::7, port 22"),
        ({"address": "x", "addresses": ["192.0.2.7"]}, {"address": "192.0.2.7"}, "192.0.2.7, port 22"),
        (
            {"address": "x", "port": 2222},
            {"address": "y", "admin": {"host": "x", "port": 2222}},
            "x, port 2222",
        ),
        ({"address": "x", "hostKey": KEY}, {"address": "y", "hostKey": f"{KEY} root@web"}, "hostKey"),
        ({"address": "x", "hostKey": KEY}, {"address": "y", "bootstrap": {"hostKey": KEY}}, "hostKey"),
    ],
)
def test_one_machine_under_two_names_is_refused_with_both(one: Any, other: Any, words: str) -> None:
    told = errors(hosts={"alpha": one, "beta": other, "gamma": {"address": "z"}})
    what = f"address as alpha: {words}" if "port" in words else "hostKey as alpha: they are one machine"
    assert told == [f"  stockade:hosts.beta: the same {what}"]


@pytest.mark.parametrize(
    "differs",
    [{"port": 2222}, {"proxy": {"host": "jump", "hostKey": KEY}}, {"admin": {"user": "a", "port": 23}, "address": "y"}],
)
def test_machines_that_share_something_and_are_not_one(differs: dict[str, Any]) -> None:
    proxy = {"host": "jump2", "hostKey": KEY}
    assert parse({"hosts": {"alpha": {"address": "x", "proxy": proxy}, "beta": {"address": "x", **differs}}}, "lab")


@pytest.mark.parametrize("chapter", ["sshd", "fail2ban", "updates", "listeners", "upgrade", "timeSync", "packages"])
def test_a_block_that_is_not_there_is_left_out(chapter: str) -> None:
    """No block declares any other chapter."""
    config = parse({"hosts": HOSTS, chapter: {}}, "lab")
    (wanted,) = (config.hardening().on(host) for host in config.hosts.values())
    there = {camel(name) for name in CHAPTERS if getattr(wanted, name)} - {"packages"}
    assert there == {chapter} - {"packages"}
    assert "iptables-persistent" not in wanted.needs().present


def test_two_hosts_behind_different_jump_hosts_may_share_an_address() -> None:
    hosts = {name: {"address": "10.0.0.5", "proxy": {"host": name}} for name in ("east", "west")}
    assert parse({"hosts": hosts}, "lab").access()["east"].bootstrap.proxy.host == "east"  # type: ignore[union-attr]


def test_the_nearer_setting_wins() -> None:
    config = parse(
        {
            "defaults": {"user": "ops", "port": 2222, "connectTimeout": 5, "admin": {"privateKeyFile": "a"}},
            "hosts": {"web1": {"address": "x", "port": 2200, "admin": {"port": 22}, "bootstrap": {"user": "root"}}},
        },
        "lab",
    )
    way = config.access()["web1"]
    assert way.admin is not None
    assert way.bootstrap is not None
    assert (way.admin.user, way.admin.port, way.admin.private_key_file) == ("ops", 22, "a")
    assert (way.bootstrap.user, way.bootstrap.port, way.bootstrap.private_key_file) == ("root", 2200, None)
    assert way.connect_timeout == 5


def test_a_hosts_own_firewall_settings_replace_the_stacks() -> None:
    config = parse(
        {
            "hosts": {"web1": {"address": "x", "firewall": {"preset": "ssh"}}, "web2": {"address": "y"}},
            "firewall": {"logRate": "3/min"},
        },
        "lab",
    )
    web1, web2 = (config.hardening().on(host).firewall for host in config.hosts.values())
    assert web1
    assert web2
    assert (web1.preset, web1.log_rate) == ("ssh", "3/min")
    assert web2.preset == "web"


def test_a_chapter_is_left_out_by_false() -> None:
    hosts = {"web1": {"address": "x", "sshd": {"permitRootLogin": "prohibit-password"}}, "web2": {"address": "y"}}
    config = parse({"hosts": {**hosts, "web3": {"address": "z", "firewall": {}}}, "firewall": False}, "lab")
    web1, web2, web3 = (config.hardening().on(host) for host in config.hosts.values())
    assert (web1.firewall, web2.firewall, web2.sshd, web2.updates) == (None, None, None, None)
    assert web1.sshd
    assert web3.firewall


def test_editors_know_every_setting_by_the_name_that_the_docs_have() -> None:
    properties = schema()["properties"]["config"]["properties"]
    for file in (REPOSITORY / "stacks").glob("Pulumi.*.yaml"):
        assert set(yaml.safe_load(file.read_text())["config"]) <= set(properties), file.name


def test_the_schema_for_editors_is_that_of_the_models() -> None:
    assert json.loads((REPOSITORY / "stacks/stockade.schema.json").read_text()) == schema(), "run `make schema`"


def test_a_host_that_left_the_config_is_found_by_its_key() -> None:
    key, other = f"ssh-ed25519 {'A' * 4}B{'C' * 63}", f"ssh-ed25519 {'A' * 4}D{'C' * 63}"
    hosts = {
        "new": {"address": "192.0.2.9", "hostKey": key, "admin": {"user": "ops"}},
        "web2": {"address": "192.0.2.2"},
    }
    inventory = connections(hosts, {"bootstrap": {"user": "root"}})
    found = inventory.by_key("old", [fingerprint(key)])
    assert (found.name, found.admin.user, found.admin.host) == ("old", "ops", "192.0.2.9")
    assert inventory.by_key("old", [fingerprint(other)]) is None


def test_a_proposal_with_errors_without_end_is_told_of_some() -> None:
    lines = errors(hosts=HOSTS, **{f"k{number}": 1 for number in range(5000)})
    assert len(lines) == 101
    assert lines[-1] == "  and 4900 more"
    assert len("\n".join(errors(hosts=HOSTS, **{"k" * 100_000: 1}))) < 10_000

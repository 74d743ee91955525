"""What is known of hosts that are no longer in a config, or differ there."""

import json
from typing import Any

import pytest

from components.config import former
from components.config.former import Former, listed_in, older, reach, read, written
from components.config.inventory import Inventory
from hosts.guard.record import fingerprint

KEYS = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIINGTrIeTsR6ozpNVnIpuip16XQ1BNUtN9TXjbYIHc6e",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP+EO4JscNpGyr9wqnvLR0HjUsVevMFuuqBoM14Dsbuu",
)
A, B = (frozenset({fingerprint(key)}) for key in KEYS)


def entry(number: int, key: str, **more: Any) -> dict[str, Any]:
    return {"address": f"198.51.100.{number}", "hostKey": key, "user": "root", **more}


def config(**hosts: Any) -> dict[str, Any]:
    return reach({"hosts": json.dumps(hosts)}, "test")


def run(*configs: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """What is known after runs with these configs, the last one first; each run reads and writes it as in a state."""
    known: tuple[dict[str, Any], ...] = ()
    for now in configs:
        kept = read(written({}, older(now, known)))[1]
        known = (now, *(dict(one) for one in kept))
    return known


def addresses(known: tuple[dict[str, Any], ...], name: str, keys: frozenset[str]) -> list[str]:
    return [way.logins()[0][1].host for way in Former(known).ways(name, keys)]


def test_a_host_is_found_whatever_it_was_called_and_how_long_ago() -> None:
    known = run(
        config(alpha=entry(1, KEYS[0]), beta=entry(2, KEYS[1])),
        config(alpha=entry(2, KEYS[1]), beta=entry(1, KEYS[0])),
        config(gamma=entry(2, KEYS[1]), beta=entry(1, KEYS[0])),
        config(gamma=entry(3, KEYS[1])),
        config(other=entry(9, KEYS[1])),
    )
    assert addresses(known, "alpha", A) == ["198.51.100.1"] * 2
    assert addresses(known, "alpha", B) == [
        "198.51.100.9",
        "198.51.100.3",
        "198.51.100.2",
        "198.51.100.2",
        "198.51.100.2",
    ]
    assert addresses(known, "nobody", frozenset()) == []
    assert Former(known).keys_of("alpha") == A | B
    assert Former(known).keys_of("gamma") == B
    assert [way.name for way in Former(known).ways("alpha", A)] == ["alpha", "alpha"]
    assert [way.logins()[0][1].host for way in Former(known).places("alpha", B)] == [
        "198.51.100.9",
        "198.51.100.3",
        "198.51.100.2",
    ]
    # a machine whose key in the state is in no config: whatever had the name
    assert [way.logins()[0][1].host for way in Former(known).places("beta", frozenset({"x"}))] == ["198.51.100.1"]
    # a state without a key: by name
    assert addresses(known, "gamma", frozenset()) == ["198.51.100.3", "198.51.100.2"]


def test_configs_that_say_the_same_leave_what_is_known_as_it_is() -> None:
    one, other = config(alpha=entry(1, KEYS[0])), config(beta=entry(1, KEYS[0]))
    known = run(one, other)
    assert run(one, other, other, other) == known == (other, one)
    assert run(one, other, one) == (one, other)
    assert run(one, other, one, other) == known
    assert run(one, {**one, "hosts": {**one["hosts"]}}) == (one,)


def test_what_is_kept_is_bounded() -> None:
    gone = [config(**{f"host{number}": entry(1, KEYS[0])}) for number in range(former.GONE + 20)]
    known = run(*gone)
    assert len(known) == former.GONE + 1
    assert addresses(known, "x", A) == ["198.51.100.1"] * (former.GONE + 1)
    moved = run(*(config(alpha=entry(number, KEYS[0])) for number in range(20)))
    assert len(moved) == former.OF_ONE
    long = "x" * (former.LARGEST // 3)
    large = run(*(config(**{f"host{number}": entry(1, KEYS[0], password=long)}) for number in range(9)))
    assert len(large) == 3


def test_logins_of_before_are_tried_of_the_same_machine_alone_and_few_passwords() -> None:
    known = run(
        config(alpha=entry(1, KEYS[0], privateKeyFile="oldest", sudoPassword="1")),
        config(alpha=entry(1, KEYS[0], privateKeyFile="older", sudoPassword="2")),
        config(beta=entry(1, KEYS[0], privateKeyFile="old", sudoPassword="3"), alpha=entry(2, KEYS[1], password="4")),
        config(alpha=entry(1, KEYS[0], privateKeyFile="new")),
    )
    way = Former(known).since(Inventory(known[0])["alpha"], A)
    assert [login.private_key_file for _, login in way.former_logins()] == ["old"]
    assert set(way.secrets()) == {"3"}
    keys = run(*(config(alpha=entry(1, KEYS[0], privateKeyFile=str(number))) for number in range(5)))
    way = Former(keys).since(Inventory(keys[0])["alpha"], A)
    assert [login.private_key_file for _, login in way.former_logins()] == ["3", "2"]
    # the same config again, as after a killed run
    again = run(*(config(alpha=entry(1, KEYS[0], privateKeyFile=name)) for name in ("old", "new", "new")))
    way = Former(again).since(Inventory(again[0])["alpha"], A)
    assert [login.private_key_file for _, login in way.former_logins()] == ["old"]


def test_hosts_of_an_inventory_file_are_known_when_they_are_not_in_it_any_more(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "hosts.yaml"
    file.write_text(
        json.dumps(
            {name: {**entry(1, KEYS[0]), "shard": shard, "sshd": {}} for name, shard in (("mine", 1), ("theirs", 2))}
        )
    )
    entries = {"inventory": "hosts.yaml", "shard": '{"of": 2}'}
    listed = listed_in(entries, "live-01")
    assert set(listed) == {"mine"}
    assert "sshd" not in listed["mine"]
    text = written(listed, ())
    file.write_text("{}")
    assert read(text) == (listed, ())
    before = reach(entries, "live-01", read(text)[0])
    now = reach(entries, "live-01")
    assert not now["hosts"]
    assert addresses((now, *older(now, [before])), "mine", A) == ["198.51.100.1"]


def test_what_cannot_be_read_is_left_out() -> None:
    assert read("") == read("[]") == read('{"kept": [1]}') == read('{"kept": [{"hosts": []}]}') == (None, ())
    assert reach({"hosts": "{", "defaults": "[1]", "inventory": "nowhere"}, "test") == {"defaults": {}, "hosts": {}}
    known = (config(bad={"port": "x"}, alpha=entry(1, KEYS[0])),)
    assert addresses(known, "alpha", A) == ["198.51.100.1"]

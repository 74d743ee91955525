"""The resources that `HardenedHost` declares, from the engine's side of the SDK, without a host."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks, set_mocks
from pulumi.runtime import test as ended
from pulumi.runtime.config import set_all_config
from pulumi.runtime.rpc import is_rpc_secret, unwrap_rpc_secret

from components.config.inventory import stack_inventory
from components.host import HardenedHost
from components.registry import Hardening
from hosts.ssh.connection import HostAccess

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nTOPSECRET\n-----END OPENSSH PRIVATE KEY-----\n"
LOGIN = {"host": "192.0.2.1", "user": "root", "password": "TOPSECRET", "privateKey": KEY, "sudoPassword": "TOPSECRET"}
JUMP = {
    "host": "192.0.2.2",
    "private_key_password": "TOPSECRET",
    "proxy": {"host": "192.0.2.3", "password": "TOPSECRET"},
}
WANTED = Hardening.model_validate(
    {"users": [{"name": "deploy"}], "firewall": {}, "sshd": {}, "fail2ban": {}, "updates": {}, "listeners": {}}
)


class Recorder(mocks.Mocks):
    """Records the inputs of registered resources."""

    def __init__(self) -> None:
        self.inputs: dict[str, Mapping[str, Any]] = {}

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.inputs[f"{args.typ.rpartition(':')[2]} {args.name}"] = args.inputs
        return args.name, {**args.inputs, "config": "", "settings": "", "rules": "", "enabled": True}

    def call(self, _args: mocks.MockCallArgs) -> dict[str, Any]:
        return {}


def declared(program: Callable[[], Any], **config: Any) -> dict[str, Mapping[str, Any]]:
    """Run a program; return the inputs of resources on hosts, by type and name."""
    recorder = Recorder()
    set_mocks(recorder, project="shop", stack="test")
    set_all_config({f"shop:{name}": json.dumps(value) for name, value in config.items()})
    try:
        ended(program)()
    finally:
        set_all_config({})
    return {name: inputs for name, inputs in recorder.inputs.items() if "host" in inputs}


def in_clear(value: Any) -> str:
    """The part of an input that would be in plain text in a state."""
    if is_rpc_secret(value):
        return ""
    if isinstance(value, Mapping):
        return " ".join(in_clear(item) for item in value.values())
    return " ".join(in_clear(item) for item in value) if isinstance(value, list | tuple) else str(value)


def plain(value: Any) -> Any:
    """An input without secret marks."""
    value = unwrap_rpc_secret(value)
    return {key: plain(item) for key, item in value.items()} if isinstance(value, Mapping) else value


ENTRY = {"address": "192.0.2.1", "admin": {"user": "deploy", "sudoPassword": "TOPSECRET"}, "bootstrap": {}}


@pytest.mark.parametrize("given", [None, "the same"])
def test_the_way_of_the_stack_config_is_copied_into_no_resource(given: str | None) -> None:
    def program() -> None:
        way = stack_inventory()["web1"] if given else None
        HardenedHost("web1", way, WANTED)

    found = declared(program, hosts={"web1": ENTRY})
    assert len(found) > 6
    assert not [name for name, inputs in found.items() if "connection" in inputs or "192.0.2.1" in in_clear(inputs)]
    assert found["Sshd web1"]["admin"] == "deploy"


def test_a_host_that_is_named_nowhere_is_refused() -> None:
    with pytest.raises(pulumi.RunError, match=r"web9.*no `connection` is given"):
        declared(lambda: HardenedHost("web9", wanted=WANTED), hosts={"web1": ENTRY})


@pytest.mark.parametrize(
    "way",
    [
        lambda: {"admin": {**LOGIN, "proxy": JUMP}, "bootstrap": LOGIN},
        lambda: {"admin": {**LOGIN, "proxy": pulumi.Output.from_input(JUMP)}},
        lambda: {"admin": pulumi.Output.from_input({**LOGIN, "proxy": JUMP})},
        lambda: {"admin": {**LOGIN, "password": pulumi.Output.from_input("TOPSECRET")}},
        lambda: pulumi.Output.from_input({"admin": {**LOGIN, "proxy": JUMP}}),
        lambda: HostAccess.model_validate({"name": "web1", "admin": {**LOGIN, "proxy": JUMP}}),
    ],
    ids=[
        "a mapping",
        "a jump host as an Output",
        "a login as an Output",
        "a password as an Output",
        "an Output",
        "access",
    ],
)
def test_credentials_that_a_program_gives_are_secrets_at_any_depth(way: Callable[[], Any]) -> None:
    found = declared(lambda: HardenedHost("web1", way(), WANTED))
    assert len(found) > 6
    for name, inputs in found.items():
        assert "TOPSECRET" not in in_clear(inputs), name
        login = plain(inputs["connection"])["admin"]
        assert login["password"] == "TOPSECRET", name
        assert HostAccess.model_validate({"name": "web1", **plain(inputs["connection"])}).admin is not None


def test_a_users_password_is_a_secret_and_its_name_is_not() -> None:
    wanted = Hardening.model_validate({"users": [{"name": "deploy", "password": "TOPSECRET", "sudo": "password"}]})
    found = declared(lambda: HardenedHost("web1", {"admin": LOGIN}, wanted))
    [user] = [inputs for name, inputs in found.items() if name.startswith("LimitedUser")]
    assert "TOPSECRET" not in in_clear(user)
    assert plain(user["password"]) == "TOPSECRET"
    assert user["name"] == "deploy"


@pytest.mark.parametrize(
    ("firewall", "preferred"),
    [
        ({}, False),
        ({"ipv6Mode": "reject"}, True),
        ({"ipv6": {"rules": "*filter\n-A INPUT -j REJECT\n-A FORWARD -j REJECT\n-A OUTPUT -j REJECT\nCOMMIT\n"}}, True),
        ({"ipv6": {"commands": ["-I OUTPUT 1 ! -o lo -j REJECT"]}}, True),
        ({"ipv6": {"rules": "-P INPUT DROP\n-A INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT\n"}}, False),
        (False, False),
    ],
)
def test_rules_that_end_ipv6_bring_the_line_of_gai_conf(firewall: Any, preferred: bool) -> None:
    wanted = Hardening.model_validate({"firewall": firewall})
    access = HostAccess.model_validate({"name": "web1", "bootstrap": {"host": "192.0.2.1"}})
    found = declared(lambda: HardenedHost("web1", access, wanted))
    assert ("AddressPreference web1" in found) is preferred


def test_what_is_not_wanted_is_left_out_and_nothing_at_all_is_said(caplog: pytest.LogCaptureFixture) -> None:
    def kinds(*wanted: Hardening) -> set[str]:
        return {name.partition(" ")[0] for name in declared(lambda: HardenedHost("web1", {"admin": LOGIN}, *wanted))}

    def only(**chapters: Any) -> Hardening:
        return Hardening.model_validate(chapters)

    assert kinds() == {"Packages", "Ruleset"}  # the default chapters
    assert kinds(only(fail2ban={})) == {"Packages", "Fail2Ban"}
    assert kinds(only(sshd={}, updates={})) == {"Packages", "Sshd", "AutomaticUpdates"}
    assert kinds(only(packages={"absent": ["rpcbind"]})) == {"Packages"}
    assert "nothing is hardened" not in caplog.text
    assert kinds(only()) == {"Packages"}
    assert "web1: no chapter is declared for it, so nothing is hardened" in caplog.text


def test_a_way_that_is_wrong_is_told_at_once_and_without_its_secrets() -> None:
    wrong = {
        "admin": {**LOGIN, "prot": 22, "privateKey": "TOPSECRET"},
        "bootstrap": {"host": "web 1", "password": 7731},
    }
    with pytest.raises(pulumi.RunError) as told:
        declared(lambda: HardenedHost("web1", wrong, WANTED))
    for place in ("connection.admin.prot: ", "connection.admin.privateKey: ", "connection.bootstrap.host: "):
        assert place in str(told.value)
    assert "TOPSECRET" not in str(told.value)
    assert "7731" not in str(told.value)


def test_a_host_whose_packages_are_not_known_is_adopted_without_them() -> None:
    chapters = {"users": [{"name": "alice", "sudo": "nopasswd"}], "firewall": {}, "sshd": {}}
    chapters |= {"fail2ban": {}, "updates": {}, "listeners": {}, "sysctl": {}}
    needs = Hardening.model_validate(chapters).needs()
    wanted = Hardening.model_validate({**chapters, "packages": {"without": needs.present}})

    def made(existing: Any) -> set[str]:
        hosts = {"web1": {"address": "::1"}}
        return {*declared(lambda: HardenedHost("web1", wanted=wanted, existing=existing), hosts=hosts)}

    assert made("adopt") - made("asIs") == {"Packages web1", "AddressPreference web1"} & made("adopt")
    assert "Ruleset web1-ipv4" in made("asIs")

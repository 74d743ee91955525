"""In which order the resources of a `HardenedHost` are made, and what it says is in force."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from pulumi import Output, Resource, ResourceOptions
from pulumi.runtime import mocks, set_mocks
from pulumi.runtime import test as ended
from pulumi.runtime.rpc import is_rpc_secret

from components.core.composition import Composition, Needs
from components.host import HardenedHost
from components.registry import Hardening
from hosts.ssh.connection import HostAccess

KEYS = [f"ssh-{kind} AAAAC3NzaC1lZDI1NTE5AAAAIEDq8c/agbzzpAV2aMQuvzQIGeHzYOep+3ifQMvj8rzQ" for kind in ("ed25519",)]
LOGIN = {"host": "192.0.2.1", "user": "deploy", "hostKey": KEYS[0]}
EVERYTHING: Mapping[str, Any] = {
    "users": [{"name": "deploy"}, {"name": "ann"}],
    "firewall": {},
    "sysctl": {},
    "sshd": {},
    "fail2ban": {},
    "updates": {},
    "timeSync": {"daemon": "chrony"},
    "upgrade": {"trigger": "2026-01"},
    "listeners": {},
}


class Declared(mocks.Mocks):
    """Records resources: what each depends on, and its inputs."""

    def __init__(self) -> None:
        self.before: dict[str, set[str]] = {}
        self.inputs: dict[str, Mapping[str, Any]] = {}
        self.outputs: dict[str, Any] = {}

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.inputs[_name(args.typ, args.name)] = args.inputs
        outputs = {
            "config": "",
            "settings": "PermitRootLogin no\n",
            "rules": "",
            "enabled": True,
        }
        if args.typ.endswith(":SystemUpgrade"):
            outputs["observed"] = {"changes": [], "rebootDue": True}
        return args.name, {**args.inputs, **outputs}

    def call(self, _args: mocks.MockCallArgs) -> dict[str, Any]:
        return {}


def _name(type_: str, name: str) -> str:
    return f"{type_.rpartition(':')[2]} {name}"


@pytest.fixture
def monitor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mocked engine's side also tells dependencies."""
    plain = mocks.MockMonitor.RegisterResource

    def registered(self: Any, request: Any) -> Any:
        urns = {_name(*urn.split("::")[2:]).replace("$", ":") for urn in request.dependencies}
        if request.type != "pulumi:pulumi:Stack":
            self.mocks.before[_name(request.type, request.name)] = {name.rpartition(":")[2] for name in urns}
        return plain(self, request)

    monkeypatch.setattr(mocks.MockMonitor, "RegisterResource", registered)


def declared(chapters: Mapping[str, Any], login: Mapping[str, Any] = LOGIN, **more: Any) -> Declared:
    """Declare a host."""
    found = Declared()

    def program() -> None:
        access = HostAccess.model_validate({"name": "web1", "admin": login})
        host = HardenedHost("web1", access, Hardening.model_validate(chapters), **more)
        host.enforced.apply(found.outputs.update)

    set_mocks(found, project="shop", stack="test")
    ended(program)()
    return found


@pytest.mark.usefixtures("monitor")
def test_every_state_on_the_way_lets_somebody_in() -> None:
    before = declared(EVERYTHING).before
    packages, first, second = "Packages web1", "LimitedUser web1-deploy", "LimitedUser web1-ann"
    rules = {"Ruleset web1-ipv4", "Ruleset web1-ipv6"}
    assert before[packages] == set()
    assert before[first] == {packages}
    assert {packages, first} <= before[second]
    for name in (*rules, "Sshd web1", "Fail2Ban web1", "Sysctl web1", "AutomaticUpdates web1", "TimeSync web1"):
        assert {packages, first, second} <= before[name], name
    assert not before["Sshd web1"] & rules
    for name in ("Listeners web1", "SystemUpgrade web1"):
        assert {packages, first, second, "Sshd web1", "TimeSync web1", *rules} <= before[name], name


@pytest.mark.usefixtures("monitor")
@pytest.mark.parametrize(
    ("sshd", "login"),
    [({"settings": {"Port": 2222}}, {**LOGIN, "port": 2222}), ({}, {**LOGIN, "port": 2222})],
)
def test_the_firewall_accepts_a_port_before_sshd_moves_there(sshd: Any, login: Any) -> None:
    before = declared({"firewall": {}, "sshd": sshd}, login).before
    assert {"Ruleset web1-ipv4", "Ruleset web1-ipv6"} <= before["Sshd web1"]


@pytest.mark.usefixtures("monitor")
def test_what_is_left_out_is_not_declared() -> None:
    assert "TimeSync web1" not in declared({"timeSync": {"daemon": "keep"}}).before
    assert "SystemUpgrade web1" not in declared({"upgrade": {}}).before
    assert "SystemUpgrade web1" not in declared({"upgrade": {"full": True}}).before


@pytest.mark.usefixtures("monitor")
def test_what_is_in_force_is_told_by_chapter() -> None:
    told = declared(EVERYTHING).outputs
    assert told["sshd"] == ["PermitRootLogin no"]
    assert told["upgrade"] == "reboot due"
    assert told["updates"].startswith("daily from security sources, ")
    assert len(told["users"]) == 2
    assert {"firewall", "fail2ban"} <= set(told)
    assert declared({"users": []}).outputs["users"] == []


@pytest.mark.usefixtures("monitor")
def test_an_upgrade_has_its_trigger_and_its_password_is_secret() -> None:
    found = declared({"upgrade": {"trigger": 202601, "full": True}}, {**LOGIN, "sudoPassword": "TOPSECRET"})
    inputs = found.inputs["SystemUpgrade web1"]
    assert (inputs["trigger"], inputs["full"]) == ("202601", True)
    assert is_rpc_secret(inputs["connection"])


@pytest.mark.usefixtures("monitor")
def test_both_rulesets_have_what_the_firewall_declares() -> None:
    settings = {"acceptLockout": True, "confirmWithin": 33, "persistent": False}
    found = declared({"firewall": settings, "sshd": {"settings": {"Port": [22, 2222]}}}).inputs
    for family in ("ipv4", "ipv6"):
        inputs = found[f"Ruleset web1-{family}"]
        assert {name: inputs[name] for name in settings} == settings
        assert inputs["sshPorts"] == [22, 2222]
        assert inputs["existing"] == "adopt"


def test_what_chapters_need_adds_up() -> None:
    both = Needs(("b", "a"), ("x",), ("s",)) | Needs(("c", "a"), (), ("t",), take_over=True)
    assert both == Needs(("a", "b", "c"), ("x",), ("s", "t"), take_over=True)
    assert both.props() == {"present": ("a", "b", "c"), "absent": ("x",), "unstarted": ("s", "t"), "takeOver": True}
    assert (Needs() | Needs()).take_over is False


def test_a_hosts_own_chapters_replace_or_add_to_the_stacks() -> None:
    common = Hardening.model_validate(
        {"sshd": {"settings": {"MaxAuthTries": 3}}, "users": [{"name": "deploy"}], "fail2ban": {}}
    )

    def on(**own: Any) -> Hardening:
        from components.registry import HostSettings

        return common.on(HostSettings.model_validate({"address": "192.0.2.1", **own}))

    assert on() is common
    merged = on(sshd={"passwordAuthentication": True})
    assert merged.sshd is not None
    assert (merged.sshd.password_authentication, merged.sshd.settings) == (True, {"MaxAuthTries": 3})
    assert on(fail2ban=False).fail2ban is None
    assert on(fail2ban=False).sshd == common.sshd
    assert [user.name for user in on(users=[{"name": "ann"}]).users] == ["ann"]


class Thing(Resource):
    """A resource of no kind."""

    def __init__(self) -> None:
        """It is never registered."""


def test_a_composition_gives_what_all_resources_have() -> None:
    key, first, second, user = Thing(), Thing(), Thing(), Thing()
    host = Composition(
        "web1",
        parent=Thing(),
        wanted=Hardening(),
        connection={},
        given={"admin": LOGIN},
        admin="deploy",
        keys=(),
        existing="fail",
        before=[key],
        options=ResourceOptions(retain_on_delete=True),
    )
    assert host.props({"word": "x"}) == {
        "host": "web1",
        "connection": {"admin": LOGIN},
        "existing": "fail",
        "word": "x",
    }
    assert "existing" not in host.props({}, existing=False)
    host.given = None
    assert host.props({}) == {"host": "web1", "existing": "fail"}
    host.add("packages", first)
    host.add("packages", second)
    assert host.packages is first
    assert host.after().depends_on == [key]
    options: ResourceOptions = host.after("packages", "none", also=[user])
    assert (options.depends_on, options.retain_on_delete) == ([first, second, user], True)


def test_what_is_known_later_is_in_force_too() -> None:
    async def told() -> Any:
        host = Composition("web1", Thing(), Hardening(), {}, None, "", (), "adopt", [], None)
        host.enforced.update({"now": 1, "later": Output.from_input(2)})
        return await host.all_enforced().future()

    loop = asyncio.new_event_loop()  # asyncio.run would leave later tests without one
    assert loop.run_until_complete(told()) == {"now": 1, "later": 2}
    loop.close()

"""Components for a program in another language: processing of their inputs before anything is declared."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi import Output, RunError
from pulumi.runtime import proto

from plugin import construct
from plugin.secrets import marks
from tests.plugin.served import UNKNOWN, secret, struct


def _wanted(**inputs: Any) -> Any:
    return construct._Components(struct(inputs), [])._wanted("web1")


def test_chapters_are_those_that_are_given_in_whole_numbers() -> None:
    wanted = _wanted(
        firewall={"sshPort": 2222.0, "services": [{"ports": [443.0, "ntp"]}]}, sysctl={"values": {"a.b": 1.0}}
    )
    assert [*wanted.chapters()] == ["firewall", "sysctl"]
    assert wanted.firewall.ssh_port == 2222
    assert wanted.firewall.services[0].ports == (443, "ntp")
    assert wanted.sysctl.values == {"a.b": 1}
    assert _wanted(connection={"admin": {}}, existing="fail") is None


def test_what_is_wrong_is_told_with_its_place_and_without_its_value() -> None:
    with pytest.raises(RunError) as refused:
        _wanted(firewall={"sshPort": 70000}, users=[{"name": "deploy", "passwort": "hunter2"}])
    assert "firewall.sshPort: Input should be less than or equal to 65535" in str(refused.value)
    assert "users.0.passwort: Extra inputs are not permitted" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "users",
    [
        [{"name": "deploy", "password": secret("hunter2")}],
        [secret({"name": "deploy", "password": "hunter2"})],
        secret([{"name": "deploy", "password": "hunter2"}]),
    ],
)
def test_a_users_password_may_be_a_secret(users: Any) -> None:
    assert _wanted(users=users).users[0].password.get_secret_value() == "hunter2"


@pytest.mark.parametrize(
    ("inputs", "place"),
    [
        ({"firewall": {"sshSources": secret(["203.0.113.7"])}}, "firewall.sshSources"),
        ({"firewall": {"sshSources": [secret("203.0.113.7")]}}, "firewall.sshSources.0"),
        ({"firewall": secret({})}, "firewall"),
        ({"users": [{"name": "deploy", "keys": [secret("k")]}]}, "users.0.keys.0"),
    ],
)
def test_another_secret_in_a_chapter_is_refused(inputs: dict[str, Any], place: str) -> None:
    with pytest.raises(RunError, match=f"{place} must not be a secret"):
        _wanted(**inputs)


def test_a_chapter_with_what_is_not_known_yet_is_left_out_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr("plugin.construct.log.warn", told.append)
    wanted = _wanted(firewall={"sshSources": [UNKNOWN]}, sysctl={})
    assert [*wanted.chapters()] == ["sysctl"]
    assert told == ["web1: not known before the run, so not in this preview: firewall"]


def test_a_connection_keeps_what_is_unknown_or_secret_as_outputs() -> None:
    given = {"bootstrap": {"host": UNKNOWN, "port": 22, "user": secret("root"), "password": secret("hunter2")}}
    components = construct._Components(struct({"connection": given}), [])
    login = construct._live(components._inputs["connection"], ("connection",), components._secret)["bootstrap"]
    assert isinstance(login["host"], Output)
    assert isinstance(login["user"], Output)
    assert login["port"] == 22
    assert login["password"] == "hunter2"  # every resource of a host marks it secret


def test_secrets_are_found_down_to_the_item_of_a_list() -> None:
    given = struct({"a": [{"b": secret(1)}], "c": secret({"d": secret("x")}), "e": "f"})
    found = sorted(path for name, value in given.fields.items() for path in marks(value, (name,)))
    assert found == [("a", "0", "b"), ("c",), ("c", "d")]


@pytest.mark.skipif(not Path("/proc/self/exe").exists(), reason="the machine does not tell what runs")
def test_the_engine_is_known_behind_what_runs_a_plugin_in_its_language(tmp_path: Path) -> None:
    host = tmp_path / "pulumi-language-of-ours"
    shutil.copy(os.path.realpath("/bin/sh"), host)
    host.chmod(0o755)
    look = f"{sys.executable} -c 'from provider.ancestors import engine_process; print(engine_process())'; true"
    for shell, engine in ((str(host), os.getpid()), ("/bin/sh", None)):
        with subprocess.Popen([shell, "-c", look], stdout=subprocess.PIPE, text=True) as process:
            assert process.communicate()[0].strip() == str(engine or process.pid)


def test_inputs_may_come_from_other_resources() -> None:
    """As the address of a machine of the same program does. Called in a thread, as gRPC calls it."""
    machine = "urn:pulumi:dev::web::linode:index/instance:Instance::web1"
    request = proto.ConstructRequest(
        type="stockade:index:HardenedHost",
        name="web1",
        project="web",
        stack="dev",
        parallel=1,
        inputs=struct({"firewall": {"sshPort": 70000}}),
        inputDependencies={"firewall": proto.ConstructRequest.PropertyDependencies(urns=[machine])},
    )
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(construct.construct, request, None, "127.0.0.1:1", {})
        with pytest.raises(RunError, match=r"firewall\.sshPort"):
            answer.result()


def test_the_engine_is_not_asked_to_take_the_sdks_debug_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several for each resource, each in a call of its own."""
    asked = list[str]()
    monkeypatch.setattr("pulumi.log.get_engine", lambda: asked.append("engine"))
    pulumi.log.debug("registering resource: ...")
    assert asked == []

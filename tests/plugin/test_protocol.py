"""The plugin's answers that need no host: schema, config, checks, differences, previews, secrets."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from pulumi.runtime import proto

from .served import SIGNATURE, UNKNOWN, Engine, open_, plain, secret, served, struct

LOGIN = {"host": "192.0.2.1", "user": "root", "password": "hunter2"}
WAY = {"bootstrap": LOGIN}
HOSTS = {"web1": {"address": "198.51.100.11"}}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with served(tmp_path_factory.mktemp("program")) as found:
        found.configure(hosts=HOSTS)
        yield found


def test_it_says_what_there_is(engine: Engine) -> None:
    schema = engine.schema()
    assert schema == json.loads((Path(__file__).parents[2] / "plugin" / "schema.json").read_text())
    assert engine.stub.GetPluginInfo(engine.empty).version == schema["version"]


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="the kernel does not tell whose socket it is")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("method", ["GetSchema", "Configure", "Construct", "Create", "Cancel"])
def test_it_answers_no_other_user_of_the_machine(engine: Engine, method: str) -> None:
    call = f"""
import os, grpc
grpc.insecure_channel("127.0.0.1:1")  # loads what another user may not read
os.setgroups([]); os.setgid(65534); os.setuid(65534)
call = grpc.insecure_channel("127.0.0.1:{engine.port}").unary_unary("/pulumirpc.ResourceProvider/{method}")
try:
    print("answered", call(b"", timeout=60))
except grpc.RpcError as error:
    print(error.code().name)
"""
    done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "PERMISSION_DENIED\n", done.stderr


def test_it_takes_secrets_and_gives_values_in_previews(engine: Engine) -> None:
    _, can = engine.configure(hosts=HOSTS)
    assert can.acceptSecrets
    assert can.supportsPreview


@pytest.mark.parametrize("as_text", [False, True])
def test_credentials_in_the_providers_inputs_are_secrets_whether_marked_or_not(as_text: bool, tmp_path: Path) -> None:
    hosts: Any = {"web1": {"address": "192.0.2.1", "admin": {"user": "deploy", "sudoPassword": "hunter2"}}}
    with served(tmp_path) as own:
        inputs, _ = own.configure(hosts=json.dumps(hosts) if as_text else hosts)
    assert open_(inputs)["hosts"] == (json.dumps(hosts) if as_text else hosts)
    if as_text:
        assert inputs["hosts"] == secret(json.dumps(hosts))
    else:
        assert inputs["hosts"]["web1"]["admin"] == {"user": "deploy", "sudoPassword": secret("hunter2")}
    assert inputs["lineage"]


def test_a_change_of_the_providers_inputs_replaces_nothing(engine: Engine) -> None:
    olds, news = struct({"hosts": {"web1": {"address": "192.0.2.1"}}}), struct({"hosts": secret({"web1": {}})})
    answer = engine.stub.DiffConfig(proto.DiffRequest(olds=olds, news=news))
    assert answer.changes == proto.DiffResponse.DIFF_SOME
    assert list(answer.diffs) == ["hosts"]
    assert list(answer.replaces) == []
    assert engine.stub.DiffConfig(proto.DiffRequest(olds=olds, news=olds)).changes == proto.DiffResponse.DIFF_NONE


def test_inputs_are_normalised_with_secrets_where_they_were(engine: Engine) -> None:
    urn = engine.urn("LimitedUser", "deploy")
    news = {"host": "web1", "name": "deploy", "password": secret("correct horse"), "connection": WAY}
    inputs, failures = engine.check(urn, news)
    assert failures == []
    assert inputs["password"] == secret("correct horse")
    assert inputs["connection"]["bootstrap"] == {**LOGIN, "password": secret("hunter2")}
    assert inputs["sudo"] == "password"
    assert inputs["enabled"] is True


WORDS = ("hunter2", "hunter3", "hunter4", "correct horse", "left over")


def _in_clear(value: Any) -> list[str]:
    """Return the words of `WORDS` outside of secrets."""
    if isinstance(value, dict):
        return [] if value.get(SIGNATURE) else [word for one in value.values() for word in _in_clear(one)]
    if isinstance(value, list):
        return [word for one in value for word in _in_clear(one)]
    return [word for word in WORDS if word in str(value)]


@pytest.mark.parametrize("as_secret", [lambda value: value, secret], ids=["unmarked", "marked"])
def test_secrets_are_wrapped_at_every_depth(engine: Engine, as_secret: Any) -> None:
    jump = {"host": "192.0.2.9", "user": "jump", "password": as_secret("hunter2")}
    further = {**LOGIN, "password": [as_secret("hunter3"), as_secret("hunter4")], "proxy": {**jump, "proxy": jump}}
    way = {"admin": {**further, "sudoPassword": as_secret("left over")}, "bootstrap": secret(further)}
    urn = engine.urn("LimitedUser", "deploy")
    news = {"host": "web1", "name": "deploy", "password": as_secret("correct horse"), "connection": way}
    inputs, failures = engine.check(urn, news)
    assert failures == []
    assert open_(inputs)["connection"]["admin"]["proxy"]["proxy"]["password"] == "hunter2"
    assert open_(inputs)["connection"]["admin"]["password"] == ["hunter3", "hunter4"]
    _, foreseen = engine.create(urn, inputs, preview=True)
    state = {**inputs, "observed": {}}
    changed, _ = engine.check(urn, {**news, "password": as_secret("correct horses")}, inputs)
    updated = engine.update(urn, "web1/user deploy", state, changed, preview=True)
    for found in (inputs, foreseen, changed, updated):
        assert _in_clear(found) == []
        assert open_(found)["connection"] == open_(way)


def test_two_providers_reach_their_own_hosts(tmp_path: Path) -> None:
    """As two explicit providers of one program do: each is a process of its own."""
    found = []
    for address in ("192.0.2.1", "192.0.2.2"):
        with served(tmp_path) as own:
            login = {"user": "root", "password": "hunter2"}
            inputs, _ = own.configure(hosts=json.dumps({address: {"address": address, "bootstrap": login}}))
            urn = own.urn("Sysctl", "kernel")
            with pytest.raises(grpc.RpcError) as failed:
                own.read(urn, "web9/sysctl", {}, {})
            assert "hunter2" not in failed.value.details()
            found.append((inputs["lineage"], failed.value.details()))
    assert "(there: 192.0.2.1)" in found[0][1]
    assert "(there: 192.0.2.2)" in found[1][1]
    assert found[0][0] != found[1][0]


def test_a_password_that_nobody_marked_is_a_secret_all_the_same(engine: Engine) -> None:
    inputs, _ = engine.check(engine.urn("LimitedUser", "x"), {"host": "web1", "name": "deploy", "password": "words"})
    assert inputs["password"] == secret("words")


def test_what_follows_from_secret_rules_is_secret_too(engine: Engine) -> None:
    rules = "*filter\n-A INPUT -s 198.51.100.7 -j ACCEPT\n-P INPUT DROP\nCOMMIT\n"
    news = {"host": "web1", "family": "ipv4", "acceptLockout": True}
    inputs, failures = engine.check(engine.urn("Ruleset", "r"), {**news, "rules": secret(rules)})
    assert failures == []
    assert "198.51.100.7" in open_(inputs)["exposure"]
    shown = json.dumps({key: value for key, value in inputs.items() if not isinstance(value, dict)})
    assert "198.51.100.7" not in shown
    open_inputs, _ = engine.check(engine.urn("Ruleset", "r"), {**news, "rules": rules})
    assert isinstance(open_inputs["exposure"], str)


@pytest.mark.parametrize(
    ("hosts", "more", "told"),
    [
        (HOSTS, {}, False),
        ({"web2": {"address": "198.51.100.12"}}, {}, True),
        (None, {}, True),
        (None, {"connection": {"admin": {"host": UNKNOWN, "user": "deploy"}}}, False),
        (UNKNOWN, {}, False),
    ],
)
def test_a_host_that_nothing_says_how_to_reach_is_told_before_the_run(
    hosts: Any, more: dict[str, Any], told: bool, tmp_path: Path
) -> None:
    with served(tmp_path) as engine:
        engine.configure(**({} if hosts is None else {"hosts": hosts}))
        urn, news = engine.urn("Sysctl", "web1"), {"host": "web1", "settings": "net.ipv4.tcp_syncookies = 1", **more}
        inputs, failures = engine.check(urn, news)
        assert [name for name, _ in failures] == (["host"] if told else [])
        assert engine.check(urn, news, olds=inputs)[1] == []  # nothing is created


def test_what_is_wrong_is_told_with_its_place(engine: Engine) -> None:
    _, failures = engine.check(engine.urn("LimitedUser", "x"), {"host": "web1", "name": "root", "sudo": "nopasswd"})
    assert failures == [("name", "root is not a limited user")]
    _, failures = engine.check(engine.urn("Sshd", "x"), {"host": "web1", "confirmWithin": 1000, "settings": ""})
    assert [place for place, _ in failures] == ["confirmWithin"]


@pytest.mark.parametrize("place", ["host", "keys", "connection", "password"])
def test_values_may_be_unknown_in_a_preview(engine: Engine, place: str) -> None:
    news: dict[str, Any] = {
        "host": "web1",
        "name": "deploy",
        "password": "correct horse",
        "keys": [],
        "connection": {"bootstrap": {**LOGIN, "host": UNKNOWN}},
    }
    news[place] = {"host": UNKNOWN, "keys": [UNKNOWN], "connection": UNKNOWN, "password": secret(UNKNOWN)}[place]
    urn = engine.urn("LimitedUser", "deploy")
    inputs, failures = engine.check(urn, news)
    assert failures == []
    assert open_(inputs)[place] == open_(news[place])
    _, state = engine.create(urn, inputs, preview=True)
    assert state["observed"] == state["prior"] == UNKNOWN
    assert open_(state)[place] == open_(news[place])


def test_a_preview_of_an_update_knows_the_inputs_and_keeps_secrets(engine: Engine) -> None:
    urn = engine.urn("LimitedUser", "deploy")
    olds, _ = engine.check(urn, {"host": "web1", "name": "deploy", "password": secret("old words")})
    news, _ = engine.check(urn, {"host": "web1", "name": "deploy", "password": secret("new words")})
    state = engine.update(urn, "web1/user deploy", {**olds, "observed": {}}, news, preview=True)
    assert state["password"] == secret("new words")
    assert state["observed"] == UNKNOWN
    assert "old words" not in json.dumps(state)


def test_differences_are_told_to_the_item_of_a_list(engine: Engine) -> None:
    urn = engine.urn("Packages", "web1")
    olds, _ = engine.check(urn, {"host": "web1", "present": ["curl", "less"], "connection": WAY})
    other = {"bootstrap": {**LOGIN, "port": 2222, "password": "hunter3"}}
    news, _ = engine.check(urn, {"host": "web1", "present": ["curl", "vim"], "connection": other}, olds)
    answer = engine.diff(urn, "web1/packages", {**olds, "observed": {}}, news)
    kinds = {path: proto.PropertyDiff.Kind.Name(one.kind) for path, one in answer.detailedDiff.items()}
    assert kinds == {
        "present[1]": "UPDATE",
        "connection.bootstrap.port": "ADD",
        "connection.bootstrap.password": "UPDATE",
        "dropped.less": "ADD",
    }
    assert answer.hasDetailedDiff
    assert not answer.replaces
    assert engine.diff(urn, "web1/packages", {**olds, "observed": {}}, olds).changes == proto.DiffResponse.DIFF_NONE


def test_another_host_is_a_replacement(engine: Engine) -> None:
    urn = engine.urn("Sysctl", "web1")
    olds, _ = engine.check(urn, {"host": "web1", "settings": "net.ipv4.tcp_syncookies = 1"})
    news, _ = engine.check(urn, {"host": "web2", "settings": "net.ipv4.tcp_syncookies = 1"})
    answer = engine.diff(urn, "web1/kernel settings", olds, news)
    assert list(answer.replaces) == ["host"]
    assert answer.detailedDiff["host"].kind == proto.PropertyDiff.UPDATE_REPLACE


def test_a_state_of_the_dynamic_resource_is_the_same_resource(engine: Engine) -> None:
    """By its alias, so that moving from dynamic resources to the plugin changes nothing."""
    urn = engine.urn("Sysctl", "web1")
    news, _ = engine.check(urn, {"host": "web1", "settings": "net.ipv4.tcp_syncookies = 1"})
    olds = {**open_(news), "observed": {}, "prior": {}, "claim": "c", "__provider": "gASVNAAAAAAAAAA="}
    assert engine.diff(urn, "web1/kernel settings", olds, news).changes == proto.DiffResponse.DIFF_NONE


RECORDED = Path(__file__).parents[1] / "unit" / "recorded" / "states"


KEY = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"


def _decrypted(value: Any, name: str = "") -> Any:
    """Return values of a state as an engine sends them; which word a secret is does not matter here."""
    if isinstance(value, dict):
        if "ciphertext" in value:
            return secret(KEY if name == "privateKey" else "hunter22")
        return {key: _decrypted(one, key) for key, one in value.items()}
    return [_decrypted(one) for one in value] if isinstance(value, list) else value


def _recorded(name: str) -> list[Any]:
    resources = _decrypted(json.loads((RECORDED / f"{name}.json").read_text())["deployment"]["resources"])
    return [item for item in resources if item["type"].startswith("pulumi-python:dynamic/stockade:")]


@pytest.mark.parametrize("item", _recorded("0.1.0"), ids=lambda item: item["type"].rpartition(":")[2])
def test_every_resource_of_a_dynamic_stack_moves_over_unchanged(engine: Engine, item: Any) -> None:
    """With the URN that its alias gives it, and without a login: nothing listens at the host's address."""
    urn = item["urn"].replace(item["type"], "stockade:index:" + item["type"].rpartition(":")[2])
    declared = {name: value for name, value in item["inputs"].items() if name != "__provider"}
    inputs, failures = engine.check(urn, declared, item["inputs"])
    assert failures == []
    answer = engine.diff(urn, item["id"], item["outputs"], inputs)
    assert (answer.changes, list(answer.replaces)) == (proto.DiffResponse.DIFF_NONE, [])


def test_a_key_pair_is_made_and_its_passphrase_told_to_nobody(engine: Engine, tmp_path: Path) -> None:
    urn = engine.urn("KeyPair", "operator")
    path = str(tmp_path / "id")
    inputs, failures = engine.check(urn, {"path": path, "type": "ed25519", "passphrase": "correct horse"})
    assert failures == []
    _, foreseen = engine.create(urn, inputs, preview=True)
    assert foreseen["publicKey"] == UNKNOWN
    assert not (tmp_path / "id").exists()
    id_, state = engine.create(urn, inputs)
    assert id_ == path
    assert state["publicKey"].startswith("ssh-ed25519 ")
    assert state["passphrase"] == secret("correct horse")
    assert "__provider" not in state
    again, inputs_again = engine.read(urn, id_, state, inputs)
    assert (again, inputs_again) == (state, inputs)


def test_errors_are_one_message_without_a_traceback(engine: Engine) -> None:
    urn = engine.urn("Sysctl", "web9")
    inputs, _ = engine.check(urn, {"host": "web9", "settings": "net.ipv4.tcp_syncookies = 1"})
    with pytest.raises(grpc.RpcError) as failed:
        engine.create(urn, inputs)
    assert "web9: how to connect is unknown" in failed.value.details()
    assert "Traceback" not in failed.value.details()
    with pytest.raises(grpc.RpcError, match="is not an id of this type: expected `HOST/sysctl`"):
        engine.read(urn, "web9/kernel settings", {}, {})


def test_it_is_cancelled_and_ends(engine: Engine) -> None:
    assert plain(engine.stub.Cancel(engine.empty)) == {}

"""The plugin on a lab host, called as by an engine: `create` to `delete`, which restores the prior state."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from pulumi.runtime import proto

from components.fail2ban.settings import Fail2BanSettings
from components.sshd.settings import SshdSettings
from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.plugin.served import Engine, open_, served

SETTING = "/proc/sys/net/ipv4/tcp_syncookies"


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("plugin1")


@pytest.fixture
def engine(host: LabHost, tmp_path: Path) -> Iterator[Engine]:
    with served(tmp_path) as found:
        found.configure(hosts={host.name: entry(host)})
        yield found


def _value(host: LabHost) -> str:
    return host.exec(f"cat {SETTING}").stdout.strip()


def _nothing_to_do(engine: Engine, urn: str, id_: str, state: Any, inputs: Any) -> bool:
    again, _ = engine.check(urn, inputs, inputs)
    return bool(engine.diff(urn, id_, state, again).changes == proto.DiffResponse.DIFF_NONE)


def test_a_resource_from_create_to_delete(host: LabHost, engine: Engine) -> None:
    host.exec(f"echo 2 >{SETTING}")
    urn = engine.urn("Sysctl", host.name)
    inputs, failures = engine.check(urn, {"host": host.name, "settings": "net.ipv4.tcp_syncookies=1"})
    assert failures == []
    engine.create(urn, inputs, preview=True)
    assert _value(host) == "2"

    id_, state = engine.create(urn, inputs)
    assert _value(host) == "1"
    assert state["prior"]["values"]["net/ipv4/tcp_syncookies"] == "2"
    assert _nothing_to_do(engine, urn, id_, state, inputs)
    assert engine.read(urn, id_, state, inputs) == (state, inputs)

    host.exec(f"echo 0 >{SETTING}")
    drifted, shown = engine.read(urn, id_, state, inputs)
    assert "= 0" in shown["settings"]
    found = engine.diff(urn, id_, drifted, inputs)
    assert list(found.detailedDiff) == ["settings"]
    state = engine.update(urn, id_, drifted, inputs)
    assert _value(host) == "1"

    other, _ = engine.check(urn, {**inputs, "settings": "net.ipv4.tcp_syncookies=0"}, inputs)
    state = engine.update(urn, id_, state, other)
    assert _value(host) == "0"
    engine.delete(urn, id_, state)
    assert _value(host) == "2"


def test_rules_by_a_connection_of_their_own_with_its_key_a_secret(host: LabHost, tmp_path: Path) -> None:
    """In its own process, because hosts in the provider's inputs take precedence over a connection."""
    before = host.exec("iptables -S").stdout
    key = host.key_file.read_text()
    way = {"bootstrap": {"host": host.ipv4, "user": "root", "hostKey": host.host_key, "privateKey": key}}
    with served(tmp_path) as engine:
        engine.configure()
        urn = engine.urn("Ruleset", "rules")
        rules = "-A INPUT -i lo -j ACCEPT\n-A INPUT -m state --state ESTABLISHED,RELATED -j ACCEPT\n"
        rules = f"*filter\n:INPUT DROP\n{rules}-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT\n"
        news = {"host": "mine", "family": "ipv4", "rules": rules, "persistent": False, "connection": way}
        inputs, failures = engine.check(urn, news)
        assert failures == []
        id_, state = engine.create(urn, inputs)
        assert id_ == "mine/firewall ipv4"
        assert "-P INPUT DROP" in host.exec("iptables -S").stdout
        assert key not in str(_without_secrets(state))
        assert open_(state)["connection"]["bootstrap"]["privateKey"].strip() == key.strip()
        assert _nothing_to_do(engine, urn, id_, state, inputs)
        engine.delete(urn, id_, state)
    assert host.exec("iptables -S").stdout == before


def test_rules_that_nothing_would_load_at_boot_are_refused(host: LabHost, engine: Engine) -> None:
    host.exec("apt-get -qq purge -y iptables-persistent netfilter-persistent </dev/null 2>&1 || :")
    before = host.exec("iptables -S").stdout
    urn = engine.urn("Ruleset", "rules")
    rules = "*filter\n:INPUT DROP\n-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT\n"
    inputs, _ = engine.check(urn, {"host": host.name, "family": "ipv4", "rules": rules})
    with pytest.raises(grpc.RpcError, match="nothing on the host would load the rules at boot; nothing was changed"):
        engine.create(urn, inputs)
    assert host.exec("iptables -S").stdout == before


def test_all_that_a_host_has_may_be_deleted_at_once(host: LabHost, tmp_path: Path) -> None:
    """As an engine does if a program declares no order: the packages' request comes first, and has to wait."""
    host.exec("apt-get -qq purge -y sudo fail2ban </dev/null 2>&1 || :")
    before = host.exec("cat /etc/passwd /etc/group; dpkg --get-selections; sshd -T; ls /etc/sudoers.d || :").stdout
    public = host.key_file.with_name(host.key_file.name + ".pub").read_text().strip()
    admin = {"user": "deploy", "privateKeyFile": str(host.key_file)}
    with served(tmp_path) as engine:
        engine.configure(hosts={host.name: entry(host, admin=admin)})
        made = []
        for kind, name, props in (
            ("Packages", "packages", {"present": ["fail2ban", "python3-systemd", "sudo"]}),
            ("LimitedUser", "deploy", {"name": "deploy", "sudo": "nopasswd", "keys": [public]}),
            ("Fail2Ban", "bans", Fail2BanSettings().props()),
            ("Sshd", "sshd", {"settings": SshdSettings().text()}),
        ):
            urn = engine.urn(kind, name)
            inputs, failures = engine.check(urn, {"host": host.name, **props})
            assert failures == []
            made.append((urn, *engine.create(urn, inputs)))
        assert "permitrootlogin no" in host.exec("sshd -T").stdout.lower()
    with served(tmp_path) as engine:  # another run, whose program declares nothing
        engine.configure(hosts={host.name: entry(host, admin=admin)})
        with ThreadPoolExecutor(len(made)) as pool:
            for deleted in [pool.submit(engine.delete, *one) for one in made]:
                deleted.result(300)
    after = host.exec("cat /etc/passwd /etc/group; dpkg --get-selections; sshd -T; ls /etc/sudoers.d || :").stdout
    assert after == before


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_secrets(v) for k, v in value.items() if "4dabf18193072939515e22adb298388d" not in value}
    return [_without_secrets(item) for item in value] if isinstance(value, list) else value

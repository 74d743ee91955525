"""Resources are imported from a live host: over the plugin's protocol, and with the Pulumi CLI."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from pulumi.runtime import proto

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.packaged import MISSING, Packaged
from tests.plugin.served import Engine, plain, served

with_cli = pytest.mark.skipif(MISSING is not None, reason=f"{MISSING} is not on PATH")

BOB = (
    "useradd -m -G sudo,audio -s /bin/bash bob && echo bob:correct-horse | chpasswd && mkdir ~bob/.ssh"
    " && cp /root/.ssh/authorized_keys ~bob/.ssh/ && chown -R bob: ~bob/.ssh && chmod 700 ~bob/.ssh"
)
RULES = """
iptables -N LOGDROP; iptables -A LOGDROP -m limit --limit 5/min -j LOG; iptables -A LOGDROP -j DROP
iptables -N f2b-sshd; iptables -A f2b-sshd -j RETURN
iptables -A INPUT -p tcp --dport 22 -j f2b-sshd
iptables -A INPUT -p tcp --dport 22 -j ACCEPT; iptables -A INPUT -s 203.0.113.9 -j LOGDROP
"""
MINE = """*filter
:INPUT ACCEPT
:FORWARD ACCEPT
:OUTPUT ACCEPT
:LOGDROP -
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -s 203.0.113.9/32 -j LOGDROP
-A LOGDROP -m limit --limit 5/min -j LOG
-A LOGDROP -j DROP
COMMIT
"""
PROGRAMS = """
printf '[sshd]\\nenabled = true\\nbackend = systemd\\nmaxretry = 7\\nbantime = 2h\\n' >/root/jail.local
DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends \\
    fail2ban python3-systemd unattended-upgrades systemd-timesyncd </dev/null
mv /root/jail.local /etc/fail2ban/jail.local && systemctl restart fail2ban
until fail2ban-client status sshd; do :; done
"""
IDS = {
    "Sysctl": "sysctl",
    "Sshd": "sshd",
    "LimitedUser": "user bob",
    "Ruleset": "firewall ipv4",
    "Packages": "packages",
    "Listeners": "listeners",
    "AddressPreference": "address preference",
    "Fail2Ban": "fail2ban",
    "AutomaticUpdates": "automatic updates",
    "TimeSync": "time sync",
}


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    found = bring_up("import1")
    found.exec(BOB)
    found.exec(RULES)
    found.exec(PROGRAMS)
    return found


@pytest.fixture(scope="module")
def engine(host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with served(tmp_path_factory.mktemp("program")) as found:
        found.configure(hosts={host.name: entry(host)})
        yield found


def _seen(host: LabHost) -> str:
    """Everything but Stockade's record; fields 3 to 8 of shadow(5) say when a password was changed."""
    commands = (
        "iptables-save | grep -v '^#' | sed 's/ \\[.*\\]//'; ip6tables-save | grep -v '^#' | sed 's/ \\[.*\\]//'",
        "find /etc -type f ! -name '*-' -exec sha256sum {} + | sort -k 2",
        "sysctl -a 2>/dev/null | grep -v 'random\\|\\.nr\\|dentry\\|file-nr\\|inode\\|ns_last\\|pty'",
        "dpkg-query -W; cat ~bob/.ssh/authorized_keys; id bob",
    )
    return host.exec("; ".join(commands)).stdout


def _imported(engine: Engine, urn: str, id_: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    answer = engine.stub.Read(proto.ReadRequest(urn=urn, id=id_))
    return answer.id, plain(answer.properties), plain(answer.inputs)


def _refusal(engine: Engine, kind: str, id_: str) -> str:
    with pytest.raises(grpc.RpcError) as refused:
        engine.stub.Read(proto.ReadRequest(urn=engine.urn(kind, "x"), id=id_))
    assert "Traceback" not in refused.value.details()
    return str(refused.value.details())


# The CLI comes first: `engine`, which the others share, holds the host until the end of the module.


def _resources(program: str) -> dict[str, Any]:
    """What `pulumi import` printed, without the option `protect`."""
    found: Mapping[str, Any] = yaml.safe_load(program)["resources"]
    return {name: {key: value for key, value in one.items() if key != "options"} for name, one in found.items()}


@with_cli
def test_pulumi_import_gives_a_program_that_up_leaves_alone(host: LabHost, tmp_path: Path) -> None:
    before = _seen(host)
    project = Packaged(tmp_path)
    project.configure(hosts={host.name: entry(host)})
    preview = project.pulumi(
        *("import", "--preview-only", "stockade:index:Sysctl", "kernel", f"{host.name}/sysctl", "--generate-code=false")
    )
    assert "stockade:index:Sysctl kernel import" in preview
    assert host.exec("cat /var/lib/stockade/owner/* 2>/dev/null || :").stdout == ""

    wanted = [
        {"type": f"stockade:index:{kind}", "name": kind.lower(), "id": f"{host.name}/{title}"}
        for kind, title in IDS.items()
    ]
    (project.program / "import.json").write_text(json.dumps({"resources": wanted}))
    project.pulumi("import", "--yes", "--skip-preview", "--file", "import.json", "--out", "program.yaml")
    owners = host.exec("cat /var/lib/stockade/owner/*").stdout.splitlines()
    assert sorted(json.loads(line)["resource"] for line in owners) == sorted(kind.lower() for kind in IDS)

    resources = _resources((project.program / "program.yaml").read_text())
    assert resources["ruleset"]["properties"]["rules"] == MINE
    project.declare(resources)
    project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    project.pulumi("preview", "--expect-no-changes")
    project.pulumi("up", "--yes", "--skip-preview")  # takes the protection off
    project.pulumi("preview", "--expect-no-changes")
    project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    assert _seen(host) == before

    other = Packaged(tmp_path / "other", name="other")
    other.configure(hosts={host.name: entry(host)})
    told = other.pulumi("import", "--yes", "stockade:index:Sshd", "sshd", f"{host.name}/sshd", status=1)
    assert "the stack dev of the project web manages it" in " ".join(told.split())

    got = {"sshd": {"type": "stockade:Sshd", "get": {"id": f"{host.name}/sshd"}}}
    other.declare(got, outputs={"settings": "${sshd.settings}"})
    other.pulumi("up", "--yes", "--skip-preview")  # anybody may look
    assert "PermitRootLogin yes" in other.pulumi("stack", "output", "settings")
    twice = project.pulumi("import", "--yes", "stockade:index:Sshd", "again", f"{host.name}/sshd", status=1)
    assert "this machine is in the stack twice: sshd manages it as well" in " ".join(twice.split())

    project.pulumi("destroy", "--yes", "--skip-preview")
    assert _seen(host) == before
    assert host.exec("ls /var/lib/stockade/owner 2>/dev/null || :").stdout == ""


@with_cli
def test_the_option_import_takes_over_what_is_declared_beside_it(host: LabHost, tmp_path: Path) -> None:
    before = _seen(host)
    project = Packaged(tmp_path)
    project.configure(hosts={host.name: entry(host)})
    rules = {"host": host.name, "family": "ipv4", "rules": MINE, "persistent": False}
    declared = {"rules": {"type": "stockade:Ruleset", "properties": rules}}
    with_option = {"rules": {**declared["rules"], "options": {"import": f"{host.name}/firewall ipv4"}}}
    project.declare(with_option)
    assert "import" in project.pulumi("preview")
    assert host.exec("cat /var/lib/stockade/owner/* 2>/dev/null || :").stdout == ""
    project.pulumi("up", "--yes", "--skip-preview")
    assert '"resource": "rules"' in host.exec("cat /var/lib/stockade/owner/*").stdout
    project.pulumi("preview", "--expect-no-changes")
    project.declare(declared)  # the option may go once it has worked
    project.pulumi("preview", "--expect-no-changes")
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert _seen(host) == before


@pytest.mark.parametrize("kind", IDS)
def test_what_is_there_becomes_a_resource_that_changes_nothing(kind: str, host: LabHost, engine: Engine) -> None:
    before = _seen(host)
    urn = engine.urn(kind, "mine")
    id_, state, inputs = _imported(engine, urn, f"{host.name}/{IDS[kind]}")
    assert id_ == f"{host.name}/{IDS[kind]}"
    assert state["prior"] == state["observed"]

    declared, failures = engine.check(urn, inputs, inputs)  # what a program with these inputs declares
    assert failures == []
    assert engine.diff(urn, id_, state, declared).changes == proto.DiffResponse.DIFF_NONE
    assert engine.diff(urn, id_, state, inputs).changes == proto.DiffResponse.DIFF_NONE  # so does a refresh compare
    assert engine.read(urn, id_, state, inputs) == (state, inputs)
    assert engine.read(urn, id_, state, declared) == (state, declared)
    engine.delete(urn, id_, state)
    assert _seen(host) == before


def test_rules_are_imported_without_those_of_other_programs(host: LabHost, engine: Engine) -> None:
    _, state, inputs = _imported(engine, engine.urn("Ruleset", "r"), f"{host.name}/firewall ipv4")
    assert inputs == {"host": host.name, "family": "ipv4", "rules": MINE, "persistent": False}
    assert state["exposure"].startswith("everything from anywhere but 203.0.113.9")
    engine.delete(engine.urn("Ruleset", "r"), f"{host.name}/firewall ipv4", state)


def test_an_account_is_imported_with_its_keys_and_groups_and_its_own_password(host: LabHost, engine: Engine) -> None:
    urn = engine.urn("LimitedUser", "bob")
    id_, state, inputs = _imported(engine, urn, f"{host.name}/user bob")
    key = host.exec("cat ~bob/.ssh/authorized_keys").stdout.strip()
    assert inputs == {"host": host.name, "name": "bob", "keys": [key], "groups": ["audio"]}
    assert "$y$" not in json.dumps(state)  # the hash stays on the host

    host.exec("usermod -G sudo bob")  # only that is drift, not that the account is not set up as Stockade would
    _, shown = engine.read(urn, id_, state, inputs)
    assert shown == {**inputs, "groups": []}
    host.exec("usermod -G sudo,audio bob")
    engine.delete(urn, id_, state)


def test_a_change_after_an_import_is_undone_with_what_was_there_at_the_import(host: LabHost, engine: Engine) -> None:
    before = _seen(host)
    urn = engine.urn("Ruleset", "r")
    id_, state, inputs = _imported(engine, urn, f"{host.name}/firewall ipv4")
    more = inputs["rules"].replace("COMMIT", "-A INPUT -p tcp -m tcp --dport 8443 -j ACCEPT\nCOMMIT")
    news, _ = engine.check(urn, {**inputs, "rules": more}, inputs)
    state = engine.update(urn, id_, state, news)
    assert "--dport 8443" in host.exec("iptables -S INPUT").stdout
    assert "imported" not in state
    engine.delete(urn, id_, state)
    assert _seen(host) == before


def test_another_stack_cannot_import_it_too(host: LabHost, engine: Engine, tmp_path: Path) -> None:
    urn = engine.urn("Sysctl", "mine")
    id_, state, inputs = _imported(engine, urn, f"{host.name}/sysctl")
    other = urn.replace(":dev::", ":staging::")
    with served(tmp_path) as elsewhere:
        elsewhere.configure(hosts={host.name: entry(host)})
        with pytest.raises(grpc.RpcError, match="the stack dev of the project web manages it"):
            _imported(elsewhere, other, id_)
        with pytest.raises(grpc.RpcError, match="the stack dev of the project web manages it"):
            elsewhere.create(other, inputs)
    again = _imported(engine, urn, id_)  # its own stack may have lost its state
    assert again[1]["prior"] == state["prior"]
    engine.delete(urn, id_, again[1])


def test_jails_are_imported_with_the_values_in_force(host: LabHost, engine: Engine) -> None:
    urn = engine.urn("Fail2Ban", "jails")
    id_, state, inputs = _imported(engine, urn, f"{host.name}/fail2ban")
    assert "[sshd]\n" in inputs["config"]
    assert "maxretry = 7\n" in inputs["config"]
    assert "bantime = 7200\n" in inputs["config"]
    host.exec("fail2ban-client set sshd maxretry 3")
    _, shown = engine.read(urn, id_, state, inputs)
    assert shown["config"] == inputs["config"].replace("maxretry = 7", "maxretry = 3")
    host.exec("fail2ban-client set sshd maxretry 7")
    engine.delete(urn, id_, state)


@pytest.mark.parametrize(
    ("kind", "id_", "why"),
    [
        ("Sysctl", "sysctl", "`sysctl` is not an id of this type: expected `HOST/sysctl`"),
        ("Ruleset", "import1/firewall ipv5", "family: Input should be 'ipv4' or 'ipv6'"),
        ("Ruleset", "import1/sshd", "expected `HOST/firewall FAMILY`"),
        ("LimitedUser", "import1/user www-data", "www-data is a system account"),
        ("Sysctl", "web9/sysctl", "web9: no such host: `import` reaches hosts by `stockade:hosts`"),
        ("HardenedHost", "import1", "a component has nothing to import"),
    ],
)
def test_an_id_that_names_nothing_is_refused_by_name(kind: str, id_: str, why: str, engine: Engine) -> None:
    assert why in _refusal(engine, kind, id_)


@pytest.mark.parametrize(
    ("kind", "id_"),
    [("LimitedUser", "import1/user alice"), ("KeptFirewall", "import1/firewall kept"), ("KeyPair", "/none")],
)
def test_what_the_host_does_not_have_does_not_exist(kind: str, id_: str, engine: Engine) -> None:
    assert _imported(engine, engine.urn(kind, "x"), id_) == ("", {}, {})


def test_a_key_pair_is_imported_by_its_path(host: LabHost, engine: Engine) -> None:
    urn = engine.urn("KeyPair", "mine")
    id_, state, inputs = _imported(engine, urn, str(host.key_file))
    assert inputs == {"path": str(host.key_file), "type": "ed25519", "bits": 4096, "comment": "stockade"}
    assert engine.read(urn, id_, state, inputs) == (state, inputs)
    assert (id_, state["made"]) == (str(host.key_file), False)
    assert engine.diff(urn, id_, state, engine.check(urn, inputs)[0]).changes == proto.DiffResponse.DIFF_NONE

"""A stack of this repository's own program becomes one of a program over the package: nothing changes on any host."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.packaged import MISSING, REPOSITORY, Packaged
from tests.lab.stack import Secret, Stack

with_cli = pytest.mark.skipif(MISSING is not None, reason=f"{MISSING} is not on PATH")

PASSWORD = "correct horse"
PROGRAM = """
import pulumi

class HardenedHost(pulumi.ComponentResource):
    enforced: pulumi.Output[dict]
    def __init__(self, name, **props):
        super().__init__("stockade:index:HardenedHost", name, {{"enforced": None, **props}}, remote=True)

host = HardenedHost({name!r}, firewall={{}}, sysctl={{}})
pulumi.export({name!r}, host.enforced)
"""
"""Without a generated SDK, which only the CLI can generate."""


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("moving1")


def _seen(host: LabHost) -> str:
    commands = (
        "iptables-save | grep -v '^#' | sed 's/ \\[.*\\]//'; ip6tables-save | grep -v '^#' | sed 's/ \\[.*\\]//'",
        "find /etc -type f ! -name '*-' -exec sha256sum {} + | sort -k 2; dpkg-query -W",
    )
    return host.exec("; ".join(commands)).stdout


def _logins(host: LabHost) -> int:
    return int(host.exec("journalctl -u ssh -o cat | grep -c '^Accepted ' || :").stdout)


def _facts(state: dict[str, Any]) -> dict[str, Any]:
    """What destroy needs of each resource, by name; a program declares several with the name of the host."""
    return {name: [item["outputs"].get(key) for key in ("prior", "claim")] for name, item in state.items()}


@with_cli
def test_nothing_is_changed_and_nobody_logs_in(host: LabHost, tmp_path: Path) -> None:
    before = _seen(host)
    public = host.key_file.with_name(host.key_file.name + ".pub").read_text().strip()
    chapters: dict[str, Any] = {"firewall": {"preset": "web"}, "sysctl": {}, "sshd": {"permitRootLogin": "yes"}}
    admin = {"user": "deploy", "privateKeyFile": str(host.key_file), "sudoPassword": Secret(PASSWORD)}
    user = {"name": "deploy", "keys": [public]}
    old = Stack(tmp_path / "old", name="dev")
    users = [{**user, "password": Secret(PASSWORD)}]
    old.configure(hosts={host.name: entry(host, admin=admin)}, users=users, listeners={}, **chapters)
    old.up()

    # as docs/package.md says: the same project, stack and config; the host's name is the resource's
    new = Packaged(tmp_path / "new", name="stockade", backend=old.folder / ".state")
    (new.program / "Pulumi.dev.yaml").write_text((old.folder / "stacks" / "Pulumi.dev.yaml").read_text())
    new.pulumi("stack", "select", "dev")
    new.pulumi("config", "set", "--secret", "password", PASSWORD)

    def declare(firewall: dict[str, Any]) -> None:
        given = {**chapters, "firewall": firewall, "listeners": {}, "users": [{**user, "password": "${password}"}]}
        resource = {"type": "stockade:HardenedHost", "properties": given}
        outputs = {host.name: f"${{{host.name}.enforced}}"}
        secret = {"password": {"type": "string", "secret": True}}
        new.declare({host.name: resource}, config=secret, outputs=outputs)

    declare(chapters["firewall"])
    state, hardened, logins = new.state(), _seen(host), _logins(host)
    assert state[f"{host.name}-ipv4"]["type"] == "pulumi-python:dynamic/stockade:Ruleset"
    assert "unchanged" in new.pulumi("preview", "--expect-no-changes")
    new.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    moved = new.state()
    assert moved[f"{host.name}-ipv4"]["type"] == "stockade:index:Ruleset"
    names = [name for name in state if name.startswith(f"{host.name}-")]
    assert [_facts(moved)[name] for name in names] == [_facts(state)[name] for name in names]
    assert not [
        item for item in moved.values() if item["type"].startswith(("pulumi-python", "pulumi:providers:pulumi"))
    ]
    assert PASSWORD not in new.pulumi("stack", "export")
    assert _logins(host) == logins

    new.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    assert _seen(host) == hardened
    declare({"preset": "web", "services": [{"name": "app", "ports": [8443]}]})
    new.pulumi("up", "--yes", "--skip-preview")
    assert "--dport 8443" in host.exec("iptables -S INPUT").stdout
    new.pulumi("destroy", "--yes", "--skip-preview")
    assert _seen(host) == before


def test_with_the_embedded_engine_in_python(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    before = _seen(host)
    stack = new_stack(host, firewall={}, sysctl={})
    stack.environment["STOCKADE_ENGINE"] = "embedded"
    stack.up()
    old, hardened, logins = stack.state(), _seen(host), _logins(host)
    project = yaml.safe_load((REPOSITORY / "Pulumi.yaml").read_text())
    for name, text in {
        "Pulumi.yaml": yaml.safe_dump({**project, "packages": {"stockade": str(REPOSITORY / "plugin")}}),
        "__main__.py": PROGRAM.format(name=host.name),
    }.items():
        (stack.folder / name).unlink()
        (stack.folder / name).write_text(text)
    stack.unchanged()
    stack.run("up", "--yes", "--expect-no-changes")
    assert _logins(host) == logins
    kept = {"prior", "claim"}
    facts = [{key: value for key, value in item.get("outputs", {}).items() if key in kept} for item in old]
    moved = stack.state()
    for found in filter(None, facts):
        assert found in [{key: item["outputs"].get(key) for key in found} for item in moved if item.get("outputs")]
    assert not [item for item in moved if "pulumi-python" in item["type"]]
    stack.run("refresh", "--yes", "--expect-no-changes")
    assert _seen(host) == hardened
    stack.destroy()
    assert _seen(host) == before

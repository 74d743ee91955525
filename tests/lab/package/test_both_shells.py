"""A host's life over both shells, from the same stack config: dynamic resources, and those of the package.

With `STOCKADE_SHELL=packaged`, all other tests of this folder run over the package, too (`make test-packaged`).
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.shells import SHELLS
from tests.lab.snapshot import difference, saved, snapshot
from tests.lab.stack import Secret, Stack

PASSWORD = "correct-horse-9"
LOGINS = "journalctl -q -u ssh --no-pager | grep -c ' Accepted '"
PORT = "-p tcp -m tcp --dport"
OUTSIDER = {"preset": "ssh", "sshSources": ["192.0.2.1"], "acceptLockout": True, "confirmWithin": 5}
"""Rules that let nobody in that there is: proved wrong by a new login, and rolled back."""


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    host = bring_up("shells1")
    host.exec("DEBIAN_FRONTEND=noninteractive apt-get install -qy iptables-persistent sudo </dev/null")
    host.exec("iptables -A INPUT -s 198.51.100.7/32 -j DROP; netfilter-persistent save")
    return host


@pytest.fixture(scope="module")
def before(host: LabHost) -> dict[str, list[str]]:
    return snapshot(host)


@pytest.fixture(scope="module", params=SHELLS)
def stack(
    request: pytest.FixtureRequest, host: LabHost, before: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Its tests follow each other."""
    del before  # is taken first
    stack = Stack(tmp_path_factory.mktemp(request.param) / "project", shell=request.param)
    stack.environment = {"STOCKADE_POLICIES": "off"}  # it refuses the lock-out before it is tried
    yield stack
    stack.destroy(check=False)


def declare(stack: Stack, host: LabHost, **more: Any) -> None:
    public = host.key_file.with_name(host.key_file.name + ".pub").read_text().strip()
    admin = {"user": "deploy", "privateKeyFile": str(host.key_file), "sudoPassword": Secret(PASSWORD)}
    user = {"name": "deploy", "keys": [public], "password": Secret(PASSWORD)}
    settings = {"users": [user], "firewall": {"preset": "web"}, "sysctl": {}, "sshd": {}, **more}
    stack.configure(hosts={host.name: entry(host, admin=admin)}, **settings)


def test_a_create_that_fails_leaves_nothing_behind(host: LabHost, stack: Stack, before: dict[str, list[str]]) -> None:
    refused = "-A INPUT -m set --match-set nosuch src -j DROP"
    stack.configure(hosts={host.name: entry(host)}, firewall={"ipv4": {"commands": [refused]}, "persistent": False})
    failed = stack.up(check=False)
    assert failed.status != 0
    assert f"{host.name}: firewall ipv4: load the rules: the host refused a rule; nothing was loaded" in failed
    assert "Traceback" not in failed
    assert f"{host.name}-ipv4" not in {item["urn"].rpartition("::")[2] for item in stack.managed()}
    stack.destroy()
    assert difference(before, snapshot(host)) == {}


def test_the_first_run_hardens_and_the_second_asks_no_host(host: LabHost, stack: Stack) -> None:
    declare(stack, host)
    shown = stack.preview()
    assert "Ruleset: (create)" in shown
    assert f"{PORT} 443" not in host.iptables_save()
    stack.up()
    assert f"-A INPUT {PORT} 443" in host.iptables_save()
    assert "passwordauthentication no" in host.exec("sshd -T").stdout.lower()
    logins = host.exec(LOGINS).stdout
    assert "unchanged" in stack.up()
    stack.unchanged()
    assert host.exec(LOGINS).stdout == logins
    types = {item["type"] for item in stack.managed()}
    kind = "stockade:index:" if stack.shell == "packaged" else "pulumi-python:dynamic/stockade:"
    assert {f"{kind}{name}" for name in ("Ruleset", "LimitedUser", "Sshd", "Sysctl", "Packages")} <= types
    assert all(one.startswith(kind) for one in types)


def test_no_secret_is_in_the_state(host: LabHost, stack: Stack) -> None:
    state = json.dumps(stack.state())
    (user,) = (item for item in stack.managed() if item["urn"].endswith("-deploy"))
    assert "ciphertext" in json.dumps(user["inputs"]["password"])
    files = [path.read_text("utf-8", "replace") for path in (stack.folder / ".state").rglob("*") if path.is_file()]
    hashed = host.exec("getent shadow deploy").stdout.split(":")[1]
    for text in (state, *files):
        assert PASSWORD not in text
        assert hashed not in text
        assert "PRIVATE KEY" not in text


def test_what_was_changed_by_hand_is_shown_line_by_line_and_undone(host: LabHost, stack: Stack) -> None:
    stack.run("refresh", "--yes", "--expect-no-changes")
    host.exec(f"iptables -D INPUT {PORT} 443 -m state --state NEW -j ACCEPT; iptables -I INPUT {PORT} 8080 -j ACCEPT")
    stack.refresh()
    shown = " ".join(stack.preview(check=False).output.split())
    assert f"- -A INPUT {PORT} 8080 -j ACCEPT" in shown
    assert f"+ -A INPUT {PORT} 443" in shown
    stack.up()
    assert "8080" not in host.iptables_save()
    stack.run("refresh", "--yes", "--expect-no-changes")


def test_a_change_is_applied_and_one_that_locks_out_is_rolled_back(host: LabHost, stack: Stack) -> None:
    declare(stack, host, firewall={"preset": "ssh"})
    stack.up()
    rules = saved(host)
    assert f"{PORT} 443" not in rules["IPv4"]
    declare(stack, host, firewall=OUTSIDER)
    failed = stack.up(check=False)
    assert failed.status != 0
    assert "Traceback" not in failed
    assert saved(host) == rules
    declare(stack, host, firewall={"preset": "ssh"})
    stack.up()
    stack.unchanged()


def test_destroy_restores_what_was_there(host: LabHost, stack: Stack, before: dict[str, list[str]]) -> None:
    stack.destroy()
    assert stack.managed() == []
    host.exec("rm /var/lib/stockade/guard.log")  # it stays after a roll-back
    assert difference(before, snapshot(host)) == {}

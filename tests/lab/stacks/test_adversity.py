"""Faults of host, network and user: one clear message, nothing half done, nothing lost."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.firewall.test_firewall import saved
from tests.lab.stack import Stack

WAIT = """\
#!/bin/sh
case " $* " in *" --noflush "*) touch /root/applying; read -r _ </root/go ;; esac
exec /usr/sbin/iptables-restore "$@"
"""
"""Blocks the loading of rules, after they were tested, until it is released, so that a test can act in between."""


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    host = bring_up("adversity1")
    host.exec("DEBIAN_FRONTEND=noninteractive apt-get install -qy iptables-persistent </dev/null")
    return host


@pytest.fixture(autouse=True)
def _clean(host: LabHost) -> None:
    """Each test starts without rules, but with the packages: their installation is not tested here."""
    for tool in ("iptables", "ip6tables"):
        host.exec(f"for c in INPUT FORWARD OUTPUT; do {tool} -P $c ACCEPT; done; {tool} -F; {tool} -X")
    host.exec("umount -ql /usr/local/sbin || :; rm -rf /root/go /root/applying /var/lib/stockade")
    host.exec(": >/etc/iptables/rules.v4")


@pytest.fixture
def stack(new_stack: Callable[..., Stack], host: LabHost) -> Stack:
    return new_stack(host, firewall={})


def types(stack: Stack) -> list[str]:
    """The names of the managed resources in the state."""
    return sorted(item["urn"].rpartition("::")[2] for item in stack.managed())


def traceback_free(output: str) -> bool:
    return "Traceback" not in output and "fault in Stockade" not in output


def test_a_rule_the_host_refuses_is_named_and_nothing_is_loaded(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    rule = "-A INPUT -m set --match-set nosuch src -j DROP"
    stack = new_stack(host, firewall={"ipv4": {"commands": [rule]}, "persistent": False})
    result = stack.up(check=False)
    assert result.status != 0
    assert "firewall ipv4: load the rules: the host refused a rule; nothing was loaded" in result
    assert f"refused: {rule}" in result
    assert traceback_free(result.output)
    assert "-A" not in saved(host)[0]
    assert host.exec("cat /etc/iptables/rules.v4; ls /etc/iptables").stdout.split() == ["rules.v4", "rules.v6"]
    assert types(stack) == [host.name, f"{host.name}-ipv6"]

    stack.configure(hosts={host.name: entry(host)}, firewall={})
    stack.up()
    assert types(stack) == [host.name, f"{host.name}-ipv4", f"{host.name}-ipv6"]


def test_a_full_disk_changes_nothing(host: LabHost, stack: Stack) -> None:
    host.exec(
        "mount -t tmpfs -o size=4k tmpfs /etc/iptables && head -c 8192 /dev/zero >/etc/iptables/full 2>/dev/null || :"
    )
    try:
        result = stack.up(check=False)
        assert result.status != 0
        assert "No space left on device" in result
        assert traceback_free(result.output)
        assert "-A" not in "".join(saved(host))
    finally:
        host.exec("umount /etc/iptables")
    stack.up()
    assert "--dport 22" in saved(host)[0]


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ({"hostKey": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPcXUGdbFXHkJMKaJl6QK/0yA0Jv6IoBCT7cCGj0bGmE"}, "host key"),
        ({"bootstrap": {"user": "root", "password": "wrong-horse"}}, "refused"),
        ({"bootstrap": {"user": "root", "privateKeyFile": "other-key"}}, "refused"),
        ({"address": "198.51.100.253", "connectTimeout": 2}, "cannot connect"),
        ({"bootstrap": {"user": "root", "privateKeyFile": "no-such-key"}}, "no-such-key"),
    ],
    ids=["changed host key", "wrong password", "wrong key", "down", "no key file"],
)
def test_a_host_that_cannot_be_entered(host: LabHost, stack: Stack, way: dict[str, object], message: str) -> None:
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stack.folder / "other-key")]
    subprocess.run(argv, check=True, timeout=30)
    stack.configure(hosts={host.name: {**entry(host), **way}}, firewall={})
    result = stack.up(check=False)
    assert result.status != 0
    assert message in result
    assert host.name in result
    assert "wrong-horse" not in result
    assert traceback_free(result.output)
    assert types(stack) == []


def test_an_unknown_stack_is_named(stack: Stack) -> None:
    stack.name = "nosuch"
    result = stack.preview(check=False)
    assert result.status != 0
    assert "nosuch" in result
    assert traceback_free(result.output)


def test_delete_without_the_host_names_the_way_out_and_loses_nothing(host: LabHost, stack: Stack) -> None:
    stack.up()
    stack.configure(hosts={host.name: entry(host, connectTimeout=2)}, firewall={})
    host.cut()
    try:
        result = stack.destroy(check=False)
    finally:
        host.mend()
    assert result.status != 0
    assert "pulumi state delete" in result
    assert traceback_free(result.output)
    assert len(types(stack)) == 3
    stack.destroy()
    assert "-A" not in "".join(saved(host))


def hold_up(host: LabHost) -> None:
    """Make the next iptables-restore that loads rules wait, at most until the next boot."""
    host.exec("mount -t tmpfs tmpfs /usr/local/sbin")
    host.exec("cat >/usr/local/sbin/iptables-restore && chmod +x /usr/local/sbin/iptables-restore", input=WAIT)
    host.exec("mkfifo /root/go")


def wait_until_applying(host: LabHost) -> None:
    deadline = time.monotonic() + 60
    while host.exec("test -e /root/applying", check=False).returncode != 0:
        assert time.monotonic() < deadline, "the apply did not begin"
        time.sleep(0.05)


def test_a_killed_run_is_continued_and_the_prior_state_is_not_lost(host: LabHost, stack: Stack) -> None:
    host.exec("iptables -A INPUT -s 198.51.100.7/32 -j DROP")
    before = saved(host)
    hold_up(host)
    with stack.running() as run:
        wait_until_applying(host)
        run.kill()
    host.exec("echo >/root/go; umount -l /usr/local/sbin")
    deadline = time.monotonic() + 30
    while (
        "--dport 22" not in saved(host)[0]
    ):  # the host finishes its script: the rules are in force, but nothing is in the state
        assert time.monotonic() < deadline
        time.sleep(0.05)
    stack.up()
    stack.unchanged()
    stack.destroy()
    assert saved(host) == before


def test_a_host_that_dies_in_the_middle_is_finished_by_the_next_up(host: LabHost, stack: Stack) -> None:
    hold_up(host)
    with stack.running() as run:
        wait_until_applying(host)
        host.reboot(hard=True)
        assert run.end(120)[0] != 0
    assert "-A" not in saved(host)[0]
    stack.up()
    assert "--dport 22" in saved(host)[0]
    stack.refresh()
    stack.unchanged()


def test_what_is_there_already_is_refused_by_option(host: LabHost, stack: Stack) -> None:
    host.exec("iptables -A INPUT -p tcp -m tcp --dport 25 -j DROP")
    stack.configure(hosts={host.name: entry(host, existing="fail")}, firewall={})
    result = stack.up(check=False)
    assert result.status != 0
    assert "the host has 1 rules of its own" in result or "the host has 1 rule of its own" in result
    assert "existing: adopt" in result
    assert "--dport 25" in saved(host)[0]


def test_retained_hosts_stay_hardened(host: LabHost, stack: Stack) -> None:
    stack.configure(hosts={host.name: entry(host, retainOnDelete=True)}, firewall={})
    stack.up()
    before = saved(host)
    stack.destroy()
    assert saved(host) == before


def test_a_changed_way_to_connect_touches_no_host(host: LabHost, stack: Stack, tmp_path: Path) -> None:
    stack.up()
    key = tmp_path / "moved_key"
    key.write_bytes(host.key_file.read_bytes())
    key.chmod(0o600)
    moved = entry(host, bootstrap={"user": "root", "privateKeyFile": str(key)})
    stack.configure(hosts={host.name: moved}, firewall={})
    host.cut()
    try:
        result = stack.up()
    finally:
        host.mend()
    assert "unchanged" in result
    assert "updated" not in result
    stack.unchanged()


PROVIDER = """
from pulumi.dynamic import CreateResult, ResourceProvider

class MachineProvider(ResourceProvider):
    def create(self, props):
        return CreateResult("machine", {**props, "address": props["planned"]})
"""
MACHINE = """
import pulumi
from pulumi.dynamic import Resource
from components.stack_config import load
from components.host import HardenedHost
from components.config.inventory import connection_props
from machines import MachineProvider

class Machine(Resource):
    address: pulumi.Output[str]

config = load()
(name,) = config.hosts
way = connection_props(config.access()[name])
address = way["bootstrap"]["host"]
machine = Machine(MachineProvider(), "machine", {"planned": address, "address": None})
HardenedHost("made", {"bootstrap": {**way["bootstrap"], "host": machine.address}}, config.hardening())
"""


def test_a_machine_of_the_same_program_is_hardened(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(host, program=MACHINE, firewall={})
    (stack.folder / "machines.py").write_text(PROVIDER)
    preview = stack.run("preview", "--diff")  # the address is still unknown
    assert "--dport 22" in preview
    stack.up()
    assert "--dport 22" in saved(host)[0]
    stack.destroy()
    assert "-A" not in "".join(saved(host))


def test_names_are_resolved_when_applied_and_pinned_at_boot(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    commands = ["-I INPUT 9 -s longview.linode.com -m state --state NEW -j ACCEPT"]
    stack = new_stack(host, firewall={"ipv4": {"commands": commands}})
    result = stack.up(check=False)
    assert result.status != 0
    assert "cannot resolve longview.linode.com" in result
    host.exec("echo 192.0.2.8 longview.linode.com >>/etc/hosts; echo 192.0.2.9 longview.linode.com >>/etc/hosts")
    stack.up()
    for text in (saved(host)[0], host.exec("cat /etc/iptables/rules.v4").stdout):
        assert "-s 192.0.2.8/32" in text
        assert "-s 192.0.2.9/32" in text
        assert "longview" not in text
    host.exec("sed -i s/192.0.2.9/192.0.2.10/ /etc/hosts")
    stack.refresh()
    assert "- -A INPUT -s 192.0.2.9/32" in stack.preview("--expect-no-changes", check=False)
    stack.up()
    assert "-s 192.0.2.10/32" in saved(host)[0]
    host.exec("sed -i /longview/d /etc/hosts")

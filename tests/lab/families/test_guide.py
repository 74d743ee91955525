"""The whole guide on three kinds of hosts in one stack, from a root login to hosts that only one user can log in to.

Checked with other tools: OpenSSH's client, pytest-testinfra, and nmap from another host.
"""

import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import testinfra
from testinfra.host import Host as Infra

from local.lab.api import Lab, LabHost
from tests.lab.conftest import entry
from tests.lab.outside import scan
from tests.lab.snapshot import difference, snapshot
from tests.lab.stack import Secret, Stack

PASSWORD = "correct-horse-battery-7731"


@dataclass(frozen=True)
class Kind:
    """One kind of host: its preparation, its own settings, and what answers from outside."""

    variant: str
    prepare: str
    settings: dict[str, Any]
    port: int
    open_before: dict[str, dict[str, set[int]]]
    open_after: dict[str, dict[str, set[int]]]


def tcp(*ports: int, udp: tuple[int, ...] = ()) -> dict[str, set[int]]:
    return {"tcp": set(ports), "udp": set(udp)}


KINDS = {
    # mail, RPC and NTP listen; IPv6 is rejected, as in the guide's alternative
    "guide1": Kind(
        "fresh",
        ":",
        {"firewall": {"ipv6Mode": "reject"}, "timeSync": {"daemon": "openntpd"}},
        22,
        {"ipv4": tcp(22, 111, udp=(111, 123)), "ipv6": tcp(22, 111, udp=(111, 123))},
        {"ipv4": tcp(22), "ipv6": tcp()},
    ),
    # sshd by socket activation, moved to another port; passwords allowed in a drop-in; ufw in force, then taken over
    "guide2": Kind(
        "ubuntu",
        "ufw allow 22/tcp && ufw limit 8443/tcp && ufw --force enable",
        {
            # also the old port: sshd uses it until it has moved, and again during `destroy`
            "firewall": {"takeOver": True, "sshPort": 2222, "services": [{"name": "sshd before", "ports": [22]}]},
            "sshd": {"settings": {"Port": 2222}},
            "fail2ban": {"sshPort": 2222},
            "admin": {"user": "deploy", "port": 2222},
        },
        2222,
        {"ipv4": tcp(22), "ipv6": tcp(22)},
        {"ipv4": tcp(2222), "ipv6": tcp(2222)},
    ),
    "guide3": Kind(
        "debian-13",
        ":",
        {"firewall": {}},
        22,
        {"ipv4": tcp(22), "ipv6": tcp(22)},
        {"ipv4": tcp(22), "ipv6": tcp(22)},
    ),
}
# the lab's known_hosts has only port 22; host keys are not tested here
UNKNOWN = ("-oUserKnownHostsFile=/dev/null", "-oStrictHostKeyChecking=no", "-oLogLevel=ERROR")
EVERY = pytest.mark.parametrize("name", KINDS)


def at_once(work: Callable[[LabHost], Any], hosts: dict[str, LabHost]) -> dict[str, Any]:
    """Do the same on all hosts in parallel."""
    with ThreadPoolExecutor() as pool:
        return dict(zip(hosts, pool.map(work, hosts.values()), strict=True))


@pytest.fixture(scope="module")
def hosts(lab: Lab) -> Iterator[dict[str, LabHost]]:
    """Servers as hosting providers deliver them."""
    lab.down(list(KINDS))
    made = {name: lab.up([name], kind.variant)[0] for name, kind in KINDS.items()}
    at_once(lambda host: host.exec(KINDS[host.name].prepare), made)
    yield made
    lab.down(list(KINDS))


@pytest.fixture(scope="module")
def scanner(lab: Lab) -> Iterator[LabHost]:
    """Another machine on the same network, with nmap."""
    (host,) = lab.up(["guide-scan"])
    host.exec("DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends nmap </dev/null")
    yield host
    lab.down([host.name])


@pytest.fixture(scope="module")
def stack(hosts: dict[str, LabHost], tmp_path_factory: pytest.TempPathFactory) -> Stack:
    stack = Stack(tmp_path_factory.mktemp("guide") / "project")
    key = {"privateKeyFile": str(hosts["guide1"].key_file)}
    entries = {}
    for name, host in hosts.items():
        settings = {"admin": {"user": "deploy"}, **KINDS[name].settings}
        admin = {**key, **settings.pop("admin")}
        entries[name] = entry(host, admin=admin, **settings)
        if KINDS[name].open_after["ipv6"]["tcp"]:
            entries[name]["addresses"] = [host.ipv6]
    stack.configure(
        hosts=entries,
        packages={"absent": ["exim4-daemon-light", "exim4-base", "exim4-config", "rpcbind"]},
        users=[
            {
                "name": "deploy",
                "password": Secret(PASSWORD),
                "sudo": "nopasswd",
                "keyFiles": [f"{hosts['guide1'].key_file}.pub"],
            }
        ],
        sshd={},
        fail2ban={},
        updates={},
        listeners={"unexpected": "fail"},
    )
    return stack


@pytest.fixture(scope="module")
def before(hosts: dict[str, LabHost], scanner: LabHost, stack: Stack) -> dict[str, dict[str, list[str]]]:
    """Return the hosts' prior states and apply the guide to them."""
    for name, host in hosts.items():
        assert scan(scanner, host) == KINDS[name].open_before
    facts = at_once(snapshot, hosts)
    stack.up()
    return facts


def login(host: LabHost, user: str, *options: str, port: int = 22) -> subprocess.CompletedProcess[str]:
    """Try to log in with OpenSSH's client."""
    common = ["-F", "none", "-p", str(port), *UNKNOWN, "-oConnectTimeout=5", "-oBatchMode=yes"]
    argv = ["ssh", *common, *options, f"{user}@{host.ipv4}", "id -un"]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.usefixtures("before")
class TestHardened:
    """After the first `up`."""

    @EVERY
    def test_only_the_limited_user_gets_in_and_only_with_a_key(self, hosts: dict[str, LabHost], name: str) -> None:
        host, port = hosts[name], KINDS[name].port
        key = ("-i", str(host.key_file), "-o", "IdentitiesOnly=yes")
        assert login(host, "deploy", *key, port=port).stdout == "deploy\n"
        assert "Permission denied (publickey)" in login(host, "root", *key, port=port).stderr
        for method in ("password", "keyboard-interactive"):
            options = ("-o", f"PreferredAuthentications={method}", "-o", "PubkeyAuthentication=no")
            assert "Permission denied (publickey)" in login(host, "deploy", *options, port=port).stderr

    @EVERY
    def test_what_others_see_on_the_host(self, hosts: dict[str, LabHost], name: str) -> None:
        host, port = hosts[name], KINDS[name].port
        infra: Infra = testinfra.get_host(
            f"ssh://deploy@{host.ipv4}:{port}",
            ssh_identity_file=str(host.key_file),
            ssh_extra_args=" ".join(("-oIdentitiesOnly=yes", *UNKNOWN)),
            sudo=True,
        )
        user = infra.user("deploy")
        assert "sudo" in user.groups
        assert user.shell == "/bin/bash"
        assert infra.file("/home/deploy/.ssh").mode == 0o700
        assert infra.file("/home/deploy/.ssh/authorized_keys").mode == 0o600
        for package in ("iptables-persistent", "fail2ban", "unattended-upgrades"):
            assert infra.package(package).is_installed
        for package in ("exim4-daemon-light", "rpcbind", "ntpsec", "ufw"):
            assert not infra.package(package).is_installed
        assert infra.service("fail2ban").is_running
        assert infra.service("fail2ban").is_enabled
        assert infra.service("netfilter-persistent").is_enabled
        assert infra.socket(f"tcp://{'::' if name == 'guide2' else '0.0.0.0'}:{port}").is_listening
        assert not infra.socket("tcp://0.0.0.0:111").is_listening
        assert not infra.socket("tcp://127.0.0.1:25").is_listening
        assert "sshd" in infra.check_output("fail2ban-client status")

    def test_what_can_be_reached_from_outside_also_after_a_reboot(
        self, hosts: dict[str, LabHost], scanner: LabHost, stack: Stack
    ) -> None:
        opened = {name: kind.open_after for name, kind in KINDS.items()}
        assert {name: scan(scanner, host) for name, host in hosts.items()} == opened
        assert "unchanged" in stack.up()
        stack.refresh()
        stack.unchanged()
        at_once(lambda host: host.reboot(wait_ssh=False), hosts)
        assert {name: scan(scanner, host) for name, host in hosts.items()} == opened
        stack.refresh()
        stack.unchanged()

    def test_sshd_waits_for_the_firewall_only_where_it_moves(self, stack: Stack) -> None:
        waits_for = {
            item["urn"].rpartition("::")[2]: [urn for urn in item["dependencies"] if "Ruleset" in urn]
            for item in stack.state()
            if item["type"].endswith(":Sshd")
        }
        assert {name for name, rulesets in waits_for.items() if rulesets} == {"guide2"}
        assert set(waits_for) == set(KINDS)

    def test_what_listens_is_looked_at_again_when_packages_change(self, stack: Stack) -> None:
        looked = {
            item["inputs"]["host"]: item["inputs"] for item in stack.state() if item["type"].endswith(":Listeners")
        }
        assert {"no rpcbind", "no ntpsec"} <= set(looked["guide1"]["triggers"])
        assert {line.split()[0] for line in looked["guide3"]["triggers"]} >= {"fail2ban", "iptables-persistent"}


def test_destroy_gives_the_servers_back(
    hosts: dict[str, LabHost], stack: Stack, before: dict[str, dict[str, list[str]]]
) -> None:
    stack.destroy()
    after = at_once(snapshot, hosts)
    assert {name: difference(before[name], after[name]) for name in hosts} == {name: {} for name in hosts}
    for host in hosts.values():
        assert login(host, "root", "-i", str(host.key_file), "-o", "IdentitiesOnly=yes").stdout == "root\n"

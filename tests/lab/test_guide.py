"""The whole guide on one host, from a root login to a host that only the limited user can enter; by others' eyes."""

import subprocess
from collections.abc import Callable

import pytest
import testinfra
from testinfra.host import Host as Infra

from local.lab.api import Lab, LabHost
from tests.lab.conftest import entry
from tests.lab.outside import knock
from tests.lab.stack import Secret, Stack
from tests.lab.test_firewall import saved

PASSWORD = "correct-horse-battery-7731"


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    """A server as a provider hands it over: root by key and password, mail and RPC listening."""
    host = bring_up("guide1")
    host.exec(
        "DEBIAN_FRONTEND=noninteractive apt-get install -qy exim4-daemon-light rpcbind </dev/null;"
        "sed -i 's/^#*PermitRootLogin.*/PermitRootLogin yes/' /etc/ssh/sshd_config; systemctl reload ssh"
    )
    return host


@pytest.fixture(scope="module")
def stack(host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    stack = Stack(tmp_path_factory.mktemp("guide") / "project")
    key = {"privateKeyFile": str(host.key_file)}
    hosts = {host.name: entry(host, admin={"user": "deploy", **key}, addresses=[host.ipv6])}
    stack.configure(
        hosts=hosts,
        packages={"absent": ["exim4-daemon-light", "rpcbind"]},
        users=[
            {"name": "deploy", "password": Secret(PASSWORD), "sudo": "nopasswd", "keyFiles": [f"{host.key_file}.pub"]}
        ],
        sshd={},
        fail2ban={},
        updates={},
        listeners={"unexpected": "fail"},
    )
    return stack


@pytest.fixture(scope="module")
def before(host: LabHost, stack: Stack) -> dict[str, object]:
    """The host as it was; then the guide is carried out on it."""
    facts: dict[str, object] = snapshot(host)
    stack.up()
    return facts


def snapshot(host: LabHost) -> dict[str, object]:
    """What must be back after `destroy`."""
    look = {
        "packages": "dpkg -l | awk '/^ii/ {print $2}'",
        "sshd": "sshd -T | sort; find /etc/ssh -type f -exec sha256sum {} + | sort",
        "users": "cat /etc/passwd /etc/group; ls /etc/sudoers.d",
        "mail": "find /etc/exim4 /etc/default/rpcbind -type f -exec stat -c '%n %a %U' {} + | sort;"
        "systemctl is-active exim4 rpcbind",
    }
    return {"rules": saved(host), **{name: host.exec(text, check=False).stdout for name, text in look.items()}}


def login(host: LabHost, user: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Try a real login with OpenSSH's client."""
    common = [
        "-F",
        "none",
        "-o",
        f"UserKnownHostsFile={host.known_hosts}",
        "-o",
        "ConnectTimeout=5",
        "-o",
        "BatchMode=yes",
    ]
    argv = ["ssh", *common, *options, f"{user}@{host.ipv4}", "id -un"]
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.usefixtures("before")
class TestHardened:
    """After the first `up`."""

    def test_only_the_limited_user_gets_in_and_only_with_a_key(self, host: LabHost) -> None:
        key = ("-i", str(host.key_file), "-o", "IdentitiesOnly=yes")
        assert login(host, "deploy", *key).stdout == "deploy\n"
        assert "Permission denied (publickey)" in login(host, "root", *key).stderr
        for method in ("password", "keyboard-interactive"):
            options = ("-o", f"PreferredAuthentications={method}", "-o", "PubkeyAuthentication=no")
            assert "Permission denied (publickey)" in login(host, "deploy", *options).stderr

    def test_what_others_see_on_the_host(self, host: LabHost) -> None:
        infra: Infra = testinfra.get_host(
            f"ssh://deploy@{host.ipv4}",
            ssh_identity_file=str(host.key_file),
            ssh_extra_args=f"-o UserKnownHostsFile={host.known_hosts} -o IdentitiesOnly=yes",
            sudo=True,
        )
        user = infra.user("deploy")
        assert "sudo" in user.groups
        assert user.shell == "/bin/bash"
        assert infra.file("/home/deploy/.ssh").mode == 0o700
        assert infra.file("/home/deploy/.ssh/authorized_keys").mode == 0o600
        for name in ("iptables-persistent", "fail2ban", "unattended-upgrades"):
            assert infra.package(name).is_installed
        for name in ("exim4-daemon-light", "rpcbind"):
            assert not infra.package(name).is_installed
        for name in ("fail2ban", "ssh"):
            assert infra.service(name).is_running
            assert infra.service(name).is_enabled
        assert infra.service("netfilter-persistent").is_enabled
        assert infra.socket("tcp://0.0.0.0:22").is_listening
        assert not infra.socket("tcp://0.0.0.0:111").is_listening
        assert not infra.socket("tcp://127.0.0.1:25").is_listening

    def test_what_can_be_reached_from_outside(self, lab: Lab, host: LabHost) -> None:
        closed = dict.fromkeys((25, 111), "refused")
        assert knock(lab, host, [22, 25, 111]) == {"ipv4": {22: "open", **closed}, "ipv6": {22: "open", **closed}}

    def test_nothing_changes_by_itself(self, host: LabHost, stack: Stack) -> None:
        assert "unchanged" in stack.up()
        stack.refresh()
        stack.unchanged()
        host.reboot()
        stack.refresh()
        stack.unchanged()

    def test_no_secret_anywhere(self, host: LabHost, stack: Stack) -> None:
        state = "".join(path.read_text() for path in (stack.folder / ".state").rglob("*.json*"))
        assert "ciphertext" in state
        assert PASSWORD not in state
        assert PASSWORD not in stack.preview().output
        assert PASSWORD not in host.exec("journalctl -q --no-pager; cat /var/log/*.log 2>/dev/null || :").stdout


def test_destroy_gives_the_server_back(host: LabHost, stack: Stack, before: dict[str, object]) -> None:
    stack.destroy()
    assert snapshot(host) == before
    assert login(host, "root", "-i", str(host.key_file), "-o", "IdentitiesOnly=yes").stdout == "root\n"

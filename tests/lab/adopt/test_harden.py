"""`stockade adopt --harden`: the patch hardens a live server, and `destroy` still gives back what was there."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local.lab.api import Lab, LabHost
from tests.lab.outside import probe_ports
from tests.lab.stack import Stack

PREPARE = """
useradd -m -s /bin/bash alice && echo alice:correct-horse | chpasswd && mkdir -m 700 ~alice/.ssh
cp /root/.ssh/authorized_keys ~alice/.ssh/ && chown -R alice: ~alice/.ssh
iptables -N BLOCKED; iptables -A BLOCKED -m limit --limit 5/min -j LOG; iptables -A BLOCKED -j DROP
iptables -A INPUT -s 203.0.113.9 -j BLOCKED; iptables -A INPUT -p tcp --dport 8081 -j ACCEPT
systemd-run -q --unit=web nc -lk 8080
for _ in $(seq 100); do ! ss -Htln | grep -q :8080 || exit 0; sleep 0.1; done; exit 1
"""
RULES = "iptables-save | grep -v '^#' | sed 's/ \\[.*\\]//'; ip6tables-save | grep -v '^#' | sed 's/ \\[.*\\]//'"
FILES = "find /etc -type f ! -name '*-' -exec sha256sum {} + | sort -k 2"
LOGIN = "import socket, sys; print(socket.create_connection((sys.argv[1], 22)).recv(99).decode())"


@pytest.fixture(scope="module")
def host(bring_up: Callable[..., LabHost]) -> LabHost:
    found = bring_up("harden1")
    found.exec(PREPARE)
    return found


def adopted(stack: Stack, host: LabHost, *words: str) -> str:
    """Run `stockade adopt` in the stack's project."""
    found = subprocess.run(
        ["ssh-keygen", "-lf", str(host.known_hosts)], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    target = [f"{host.name}=root@{host.ipv4}", "--stack", stack.name, "--identity", str(host.key_file)]
    argv = [sys.executable, "-m", "cli", "adopt", *target, "--host-key", found, "--no-preview", *words]
    return stack.checked(argv).output


def test_a_live_server_is_hardened_by_a_patch_and_given_back(lab: Lab, host: LabHost, tmp_path: Path) -> None:
    stack = Stack(tmp_path / "project")
    for room in ("adopt", "cli", "policies"):
        (stack.folder / room).symlink_to(Path(__file__).parents[3] / room)
    before = host.exec(f"{RULES}; {FILES}").stdout

    said = adopted(stack, host, "--harden")
    assert "root logs in no more" in said
    stack.up()
    assert host.exec(f"{RULES}; {FILES}").stdout == before

    patch = f"stacks/harden.{stack.name}.patch"
    subprocess.run(["git", "apply", "--unsafe-paths", patch], cwd=stack.folder, check=True)
    stack.up()
    ports = probe_ports(lab, host, [22, 8080, 8081])["ipv4"]
    assert (ports[22], ports[8080]) == ("open", "open")
    assert ports[8081] != "open", "nobody listens there, and it was not known to"
    sshd = host.exec("sshd -T").stdout
    assert "permitrootlogin no" in sshd
    assert "passwordauthentication no" in sshd
    assert host.exec("id -nG deploy").stdout.split() == ["deploy", "sudo"]
    assert host.exec("systemctl is-active fail2ban unattended-upgrades").stdout.split() == ["active", "active"]
    assert "INPUT -j REJECT" in host.exec("iptables -S; ip6tables -S").stdout
    stack.unchanged()

    stack.destroy()
    assert host.exec(f"{RULES}; {FILES}").stdout == before

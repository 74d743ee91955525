"""`algorithms: modern` on real releases of OpenSSH: what ssh-audit says, who can still log in, and the way back."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from local.lab.api import Lab, LabHost
from tests.lab.conftest import entry
from tests.lab.stack import Stack

HOSTS = {"algo1": "debian", "algo2": "debian-11", "algo3": "debian-13"}
OLD = "algo4"
NO_QUANTUM = "does not provide protection against post-quantum attacks"
IN_FORCE = "sshd -T | grep -iE '^(kexalgorithms|ciphers|macs|hostkeyalgorithms) ' | sort"
DECLARED = {
    "algorithms": "modern",
    "maxAuthTries": 3,
    "loginGraceTime": 30,
    "x11Forwarding": False,
    "agentForwarding": False,
}


@pytest.fixture(scope="module")
def hosts(lab: Lab) -> Iterator[list[LabHost]]:
    lab.down([*HOSTS, OLD])
    yield [lab.up([name], variant)[0] for name, variant in HOSTS.items()]
    lab.down([*HOSTS, OLD])


def configure(stack: Stack, hosts: list[LabHost], **sshd: object) -> None:
    stack.configure(
        hosts={
            host.name: entry(host, admin={"user": "deploy", "privateKeyFile": str(host.key_file)}) for host in hosts
        },
        users=[{"name": "deploy", "sudo": "nopasswd", "keyFiles": [f"{hosts[0].key_file}.pub"]}],
        sshd=sshd,
    )


def audited(host: LabHost, grade: str) -> dict[str, list[str]]:
    """What ssh-audit calls insecure ("fail") or doubtful ("warn"), with its reasons."""
    argv = [str(Path(sys.executable).with_name("ssh-audit")), "-j", "--skip-rate-test", host.ipv4]
    report = json.loads(subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False).stdout)
    found = [one for kind in ("kex", "key", "enc", "mac") for one in report[kind]]
    assert len(found) > 8  # it saw a server
    return {one["algorithm"]: one["notes"][grade] for one in found if one["notes"].get(grade)}


def logs_in_from_2014(host: LabHost) -> str:
    """Log in with what OpenSSH 6.7 and this SSH library both offer."""

    async def login() -> str:
        options = {
            "username": "deploy",
            "client_keys": [str(host.key_file)],
            "known_hosts": None,
            "kex_algs": "curve25519-sha256@libssh.org,ecdh-sha2-nistp256,diffie-hellman-group14-sha1",
            "encryption_algs": "aes128-ctr,aes192-ctr,aes256-ctr,aes128-gcm@openssh.com,aes256-gcm@openssh.com",
            "mac_algs": "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha1",
            "server_host_key_algs": "ecdsa-sha2-nistp256,ssh-ed25519,ssh-rsa",
        }
        async with asyncssh.connect(host.ipv4, config=None, agent_path=None, **options) as connection:
            return str((await connection.run("id -un", check=True)).stdout)

    return asyncio.run(login())


def test_modern_algorithms_are_chosen_by_the_hosts_own_version(hosts: list[LabHost], tmp_path: Path) -> None:
    stack = Stack(tmp_path / "project")
    before = {
        host.name: host.exec("cd /etc/ssh; find . -type f | sort | xargs sha256sum; sshd -T").stdout for host in hosts
    }
    assert all(audited(host, "fail") for host in hosts)
    configure(stack, hosts, **DECLARED)
    stack.up()
    for host in hosts:
        assert audited(host, "fail") == {}
        assert {reason for reasons in audited(host, "warn").values() for reason in reasons} == {NO_QUANTUM}
        assert logs_in_from_2014(host) == "deploy\n"
        shown = host.exec("sshd -T").stdout.lower().splitlines()
        assert {"maxauthtries 3", "logingracetime 30", "x11forwarding no", "allowagentforwarding no"} <= {*shown}
    kex = {host.name: host.exec("sshd -T | sed -n 's/^[Kk]ex[Aa]lgorithms //p'").stdout.split(",")[0] for host in hosts}
    assert kex == {
        "algo1": "sntrup761x25519-sha512@openssh.com",
        "algo2": "curve25519-sha256",
        "algo3": "mlkem768x25519-sha256",
    }
    stack.unchanged()

    hosts[0].exec("sed -i '/^Ciphers/d' /etc/ssh/sshd_config.d/00-stockade.conf; systemctl reload ssh")
    stack.refresh()
    shown = stack.preview(check=False).output
    assert "+ Ciphers modern" in shown
    assert "- Ciphers " in shown
    stack.up()
    assert audited(hosts[0], "fail") == {}
    stack.refresh()
    stack.unchanged()

    stack.destroy()
    after = {
        host.name: host.exec("cd /etc/ssh; find . -type f | sort | xargs sha256sum; sshd -T").stdout for host in hosts
    }
    assert after == before


def test_an_sshd_that_is_too_old_is_named(lab: Lab, hosts: list[LabHost], tmp_path: Path) -> None:
    (old,) = lab.up([OLD], "debian8")
    before = old.exec(IN_FORCE).stdout
    stack = Stack(tmp_path / "project")
    configure(stack, [old], algorithms="modern")
    result = stack.up(check=False)
    assert result.status != 0
    assert "algorithms: modern needs OpenSSH 7.2 or later, and this is OpenSSH_6.7" in result
    assert old.exec(IN_FORCE).stdout == before
    stack.destroy()

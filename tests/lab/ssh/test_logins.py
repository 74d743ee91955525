"""An admin's account that exists but is unusable, on a lab host: the first `up` makes it usable."""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.ssh.test_sshd import lets_in
from tests.lab.stack import Stack

ACCOUNT = """
useradd -m -s /bin/bash deploy
install -d -m 700 -o deploy -g deploy /home/deploy/.ssh
install -m 600 -o deploy -g deploy /root/.ssh/authorized_keys /home/deploy/.ssh/authorized_keys
"""
FORCED = """
printf 'Match User deploy\\n    ForceCommand echo backups only\\n' >>/etc/ssh/sshd_config
systemctl reload ssh
"""


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("login1")


@pytest.fixture(autouse=True)
def _pristine(host: LabHost) -> Iterator[None]:
    host.exec(ACCOUNT)
    yield
    host.reset()


def hardened(stack: Stack, host: LabHost, groups: Sequence[str] = (), **admin: Any) -> None:
    """deploy is the admin, with a key and NOPASSWD sudo; root is bootstrap."""
    login = {"user": "deploy", "privateKeyFile": str(host.key_file), **admin}
    user = {"name": "deploy", "sudo": "nopasswd", "keyFiles": [f"{host.key_file}.pub"], "shell": "/bin/bash"}
    user |= {"groups": [*groups]}
    stack.configure(hosts={host.name: entry(host, admin=login, connectTimeout=10)}, users=[user])


@pytest.mark.parametrize(
    "fault",
    [
        ":",  # with the key, but without sudo
        "echo 'deploy:secret' | chpasswd; echo 'deploy ALL=(ALL) ALL' >/etc/sudoers.d/deploy",
        "usermod -s /usr/sbin/nologin deploy",
        "usermod -e 1970-01-02 deploy",
    ],
)
def test_bootstrap_is_used_until_the_admin_is_of_use(
    host: LabHost, new_stack: Callable[..., Stack], fault: str
) -> None:
    host.exec(fault)
    files = "cat /etc/passwd /etc/shadow /etc/group; cat /etc/sudoers.d/* 2>/dev/null || :"
    before = host.exec(files).stdout
    stack = new_stack(host)
    hardened(stack, host)
    stack.up()
    done = host.exec("runuser -u deploy -- sudo -n id -u").stdout.strip()
    assert done == "0"
    assert lets_in(host, "deploy", "publickey")
    stack.unchanged()
    stack.destroy()
    assert host.exec(files).stdout == before


def test_a_command_of_the_hosts_own_is_named(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    """No change of the account fixes that: the change is rolled back and the cause is reported."""
    host.exec(FORCED)
    stack = new_stack(host)
    hardened(stack, host)
    failed = stack.up(check=False)
    assert failed.status != 0
    assert "deploy gets no shell: the host runs its own command instead (ForceCommand in sshd_config" in failed
    assert "it said: backups only" in failed
    assert "ended early" not in failed
    stack.destroy()
    assert set(host.exec("ls /etc/sudoers.d").stdout.split()) <= {"README"}


def test_a_host_that_lets_in_some_groups_alone(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    host.exec("userdel -r deploy 2>/dev/null; groupadd sshusers; gpasswd -a root sshusers")
    host.exec("echo 'AllowGroups sshusers' >>/etc/ssh/sshd_config; systemctl reload ssh")
    stack = new_stack(host)
    hardened(stack, host)
    failed = stack.up(check=False)
    assert failed.status != 0
    assert "sshd on the host lets in only some: allowgroups sshusers. is deploy among them?" in failed.output.lower()
    assert host.exec("id deploy", check=False).returncode != 0
    hardened(stack, host, groups=["sshusers"])
    stack.up()
    assert lets_in(host, "deploy", "publickey")
    stack.unchanged()
    stack.destroy()


def test_a_host_that_trusts_the_authority(host: LabHost, new_stack: Callable[..., Stack], tmp_path: Path) -> None:
    """The key is in no authorized_keys; the certificate beside it is accepted, as with `ssh -i`."""
    key, authority = tmp_path / "id", tmp_path / "ca"
    for path in (key, authority):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    sign = ["ssh-keygen", "-q", "-s", authority, "-I", "operator", "-n", "deploy", "-V", "-1h:+1h", f"{key}.pub"]
    subprocess.run(sign, check=True)
    trust = Path(f"{authority}.pub").read_text().strip()
    host.exec(
        f"echo '{trust}' >/etc/ssh/ca.pub; echo 'TrustedUserCAKeys /etc/ssh/ca.pub' >>/etc/ssh/sshd_config; "
        "systemctl reload ssh; echo 'deploy ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/deploy"
    )
    stack = new_stack(host)
    hardened(stack, host, privateKeyFile=str(key))
    config = stack.folder / "stacks/Pulumi.test.yaml"
    config.write_text(config.read_text().replace("user: root", "user: nobody"))  # nobody else can log in
    stack.up()
    stack.unchanged()

"""sshd's settings on real hosts: what `sshd -T` says, real logins, and every file given back."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from local.lab.api import Lab, LabHost
from tests.lab.outside import knock
from tests.lab.stack import Stack

PROGRAM = """
import json, pulumi
from components.inventory import connections, connection_props
from components.sshd import Sshd, SshdSettings

config = pulumi.runtime.config.CONFIG.get()
(way,) = connections(config["stockade:hosts"], None).values()
admin = way.admin.user if way.admin else ""
settings = SshdSettings.model_validate(json.loads(config.get("stockade:sshd", "{}")))
sshd = Sshd("sshd", {**settings.props(way.name, admin), "connection": connection_props(way)})
pulumi.export("settings", sshd.settings)
"""
PASSWORD = "correct horse"
ADMIN = f"""
useradd -m -s /bin/bash deploy
echo 'deploy:{PASSWORD}' | chpasswd
install -d -m 700 -o deploy -g deploy /home/deploy/.ssh
install -m 600 -o deploy -g deploy /root/.ssh/authorized_keys /home/deploy/.ssh/authorized_keys
echo 'deploy ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/deploy
"""
CLOUD_IMAGE = """
printf 'PasswordAuthentication yes\\n' >/etc/ssh/sshd_config.d/50-cloud-init.conf
chmod 640 /etc/ssh/sshd_config.d/50-cloud-init.conf
chgrp games /etc/ssh/sshd_config.d/50-cloud-init.conf
printf 'Match Address 198.51.100.0/24\\n    PasswordAuthentication yes\\n    KbdInteractiveAuthentication yes\\n' \\
    >>/etc/ssh/sshd_config
printf 'Match User root\\n    PermitRootLogin yes' >>/etc/ssh/sshd_config
systemctl reload ssh
"""
BY_SOCKET = "systemctl disable --now ssh.service; systemctl enable --now ssh.socket"


@pytest.fixture(scope="module", params=["sshd1"])
def host(bring_up: Callable[[str], LabHost], request: pytest.FixtureRequest) -> LabHost:
    return bring_up(request.param)


@pytest.fixture(autouse=True)
def _pristine(host: LabHost) -> Iterator[None]:
    host.exec(ADMIN)
    yield
    host.port = 22
    host.reset()


@pytest.fixture
def stack(new_stack: Callable[..., Stack], host: LabHost) -> Stack:
    made = new_stack(host, program=PROGRAM)
    configure(made, host)
    return made


def configure(stack: Stack, host: LabHost, port: int = 22, **sshd: Any) -> None:
    """Write the stack config: deploy as admin at `port`, root as bootstrap at 22."""
    key = str(host.key_file)
    stack.configure(
        hosts={
            host.name: {
                "address": host.ipv4,
                "hostKey": host.host_key,
                "connectTimeout": 10,
                "admin": {"user": "deploy", "privateKeyFile": key, "port": port},
                "bootstrap": {"user": "root", "privateKeyFile": key},
            }
        },
        sshd=sshd,
    )


def lets_in(host: LabHost, user: str, how: str, port: int = 22) -> bool:
    """Try a real login: how is `publickey`, `password` or `keyboard-interactive`."""

    async def attempt() -> bool:
        secrets = {"password": host.password if user == "root" else PASSWORD}
        if how == "publickey":
            secrets = {"client_keys": [str(host.key_file)]}
        else:
            secrets["client_keys"] = None
        try:
            async with asyncssh.connect(
                host.ipv4, port, username=user, known_hosts=None, agent_path=None, config=None,
                preferred_auth=how, login_timeout=20, **secrets,
            ) as line:  # fmt: skip
                return (await line.run("id -un")).stdout == f"{user}\n"
        except asyncssh.PermissionDenied:
            return False

    return asyncio.run(attempt())


def offered(host: LabHost, user: str) -> set[str]:
    """Ask sshd what authentication methods it takes from `user`."""
    asked = asyncssh.get_server_auth_methods(host.ipv4, 22, username=user, config=None)
    return set(asyncio.run(asyncio.wait_for(asked, 20)))


def in_force(host: LabHost, user: str = "deploy") -> dict[str, str]:
    """Read `sshd -T` for a login from outside, without our code."""
    told = host.exec(f"mkdir -p /run/sshd; sshd -T -C user={user},host=o,addr=198.51.100.2,laddr=::1,lport=22").stdout
    return dict(line.split(" ", 1) for line in told.splitlines() if " " in line)


def files(host: LabHost) -> str:
    """List every file that sshd's configuration is made of: content, owner and mode."""
    return host.exec(
        "cd /etc; find ssh systemd/system /var/lib/stockade -name ssh_host\\* -prune -o -type f "
        "-exec stat -c '%n %a %U:%G' {} + -exec md5sum {} + 2>/dev/null | sort; ls -d systemd/system/ssh*.d",
        check=False,
    ).stdout


@pytest.mark.parametrize("activation", ["", BY_SOCKET])
def test_only_the_admin_with_a_key_gets_in_whatever_a_cloud_image_says(
    host: LabHost, stack: Stack, activation: str
) -> None:
    host.exec(CLOUD_IMAGE + activation)
    before = files(host)
    assert lets_in(host, "root", "password")
    assert lets_in(host, "deploy", "password")
    assert lets_in(host, "deploy", "keyboard-interactive")
    with subprocess.Popen(
        ["ssh", "-F", "/dev/null", "-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no", "-i",
         str(host.key_file), f"root@{host.ipv4}", "echo ready; read line; echo still $line"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as session:  # fmt: skip
        assert session.stdin
        assert session.stdout
        assert session.stdout.readline() == "ready\n"
        stack.up()
        assert session.communicate("here\n", timeout=20)[0] == "still here\n"

    assert lets_in(host, "deploy", "publickey")
    assert not lets_in(host, "root", "publickey")
    assert offered(host, "deploy") == {"publickey"}
    for user in ("root", "deploy"):
        assert not lets_in(host, user, "password")
        assert not lets_in(host, user, "keyboard-interactive")
        told = in_force(host, user)
        assert told["permitrootlogin"] == told["passwordauthentication"] == told["kbdinteractiveauthentication"] == "no"
    assert host.exec("systemctl is-active ssh.socket", check=False).stdout.strip() == (
        "active" if activation else "inactive"
    )
    stack.unchanged()
    stack.refresh()
    stack.unchanged()

    host.reboot()
    assert lets_in(host, "deploy", "publickey")
    assert offered(host, "deploy") == {"publickey"}
    stack.destroy()
    assert files(host) == before
    assert lets_in(host, "root", "password")
    assert lets_in(host, "deploy", "keyboard-interactive")

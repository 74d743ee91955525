"""Users on real hosts: real logins, sudo asked for real, and what is left when they are gone."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.lab.api import Lab, LabHost
from tests.lab.conftest import entry
from tests.lab.stack import Stack

PROGRAM = """
import json, pulumi
from components.inventory import connections, connection_props
from components.keys import KeyPair
from components.users import LimitedUser
from components.users_data import UserSettings
config = {key.partition(":")[2]: json.loads(value) for key, value in pulumi.runtime.config.CONFIG.get().items()}
(way,) = connections(config["hosts"], None).values()
made = [KeyPair("pair", config["pair"])] if "pair" in config else []
last = made
for user in config["users"]:
    settings = UserSettings.model_validate(user)
    props = settings.props(tuple(pair.public_key for pair in made))
    common = {"host": way.name, "connection": connection_props(way), "existing": config.get("existing", "adopt")}
    last = [LimitedUser(settings.name, {**common, **props}, pulumi.ResourceOptions(depends_on=last))]
pulumi.export("fingerprint", made[0].fingerprint if made else "")
"""
SECRETS = ("first and 2nd: 'secret'", "another $ecret\\n", "pair passphrase")


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("users1")


@pytest.fixture(autouse=True)
def _pristine(host: LabHost) -> Iterator[None]:
    yield
    host.reset()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Make key pairs by name."""
    folder = tmp_path_factory.mktemp("keys")

    def key(name: str) -> Path:
        if not (folder / name).exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name], check=True)
        return folder / name

    return key


@pytest.fixture
def configured(new_stack: Callable[..., Stack], host: LabHost) -> Callable[..., Stack]:
    """Make the stack, or change its config: `configured({user}, ..., admin={...})`."""
    made: list[Stack] = []

    def configure(*users: dict[str, Any], admin: dict[str, Any] | None = None, **settings: Any) -> Stack:
        if not made:
            made.append(new_stack(host, program=PROGRAM))
        hosts = {host.name: entry(host, **({"admin": admin} if admin else {}))}
        made[0].configure(hosts=hosts, users=list(users), **settings)
        return made[0]

    return configure


def public(key: Path) -> str:
    return key.with_name(key.name + ".pub").read_text().strip()


def log_in(lab: Lab, host: LabHost, user: str, key: Path, command: str = "id -un", stdin: str = "") -> tuple[int, str]:
    """Log in with the real ssh client, over the network, with this key alone."""
    options = ["BatchMode=yes", "IdentitiesOnly=yes", "IdentityAgent=none", "ConnectTimeout=10"]
    options += [f"UserKnownHostsFile={host.known_hosts}", "StrictHostKeyChecking=yes"]
    arguments = [part for option in options for part in ("-o", option)]
    done = subprocess.run(
        ["ssh", "-F", "none", *arguments, "-i", str(key), f"{user}@{host.ipv4}", command],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def accounts(host: LabHost) -> str:
    """Everything that accounts are made of, to the byte, with owners and modes."""
    return host.exec(
        "cat /etc/passwd /etc/shadow /etc/group /etc/gshadow; for f in $(find /etc/sudoers.d /home /var/lib/stockade "
        "2>/dev/null | sort); do stat -c '%n %a %U %G' $f; [ ! -f $f ] || cat $f; done"
    ).stdout


def deploy(keys: Callable[[str], Path], **more: Any) -> dict[str, Any]:
    return {"name": "deploy", "keys": [public(keys("one"))], "sudo": "nopasswd", **more}


def test_a_new_user_logs_in_with_the_key_and_is_gone_after_destroy(
    lab: Lab, host: LabHost, keys: Callable[[str], Path], configured: Callable[..., Stack], tmp_path: Path
) -> None:
    before = accounts(host)
    pair = {"path": str(tmp_path / "own" / "id"), "type": "ed25519", "passphrase": SECRETS[2]}
    bob = {"name": "bob.b", "keys": [public(keys("two"))], "password": SECRETS[0], "groups": ["adm"]}
    stack = configured(deploy(keys, removeHome=True), {**bob, "removeHome": True}, pair=pair)
    first = stack.up()
    assert log_in(lab, host, "deploy", keys("one"), "sudo -n id -u") == (0, "0")
    assert log_in(lab, host, "bob.b", keys("two"), "sudo -S -p '' id -u", SECRETS[0] + "\n") == (0, "0")
    assert log_in(lab, host, "bob.b", keys("two"), "sudo -n id -u")[0] != 0
    assert log_in(lab, host, "bob.b", keys("one"))[0] == 255
    shown = host.exec(
        "stat -c '%a %U' /home/deploy/.ssh /home/deploy/.ssh/authorized_keys; id -Gn deploy; id -Gn bob.b;"
        "getent shadow deploy bob.b | cut -c1-9; getent passwd deploy | cut -d: -f7; visudo -c"
    ).stdout.splitlines()
    assert shown[:4] == ["700 deploy", "600 deploy", "deploy sudo", "bob.b adm sudo"]
    assert shown[4:7] == ["deploy:*:", "bob.b:$y$", "/bin/bash"]
    # without PAM sshd lets no key in where the account is locked
    host.exec("echo 'UsePAM no' >/etc/ssh/sshd_config.d/10-pam.conf; systemctl restart ssh")
    host.wait_for_ssh()
    assert log_in(lab, host, "deploy", keys("one")) == (0, "deploy")
    host.exec("rm /etc/ssh/sshd_config.d/10-pam.conf; systemctl restart ssh")
    host.wait_for_ssh()
    private = Path(pair["path"])
    assert private.stat().st_mode & 0o777 == 0o600
    opened = subprocess.run(
        ["ssh-keygen", "-y", "-P", SECRETS[2], "-f", private], capture_output=True, text=True, check=True
    )
    assert opened.stdout.split()[1] in host.exec("cat /home/bob.b/.ssh/authorized_keys").stdout
    second = stack.up()
    assert "unchanged" in second
    refreshed = stack.refresh()
    stack.unchanged()
    gone = stack.destroy()
    assert accounts(host) == before
    assert private.exists()
    for output in (first, second, refreshed, gone):
        assert_no_secret(output.output, private)


def assert_no_secret(text: str, private: Path | None = None) -> None:
    for secret in SECRETS:
        assert secret not in text
        assert json.dumps(secret)[1:-1] not in text
    if private is not None:
        assert private.read_text().splitlines()[3] not in text

"""Rotating credentials needs only the stack config, and a wrong password is sent once. Root cannot log in here."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.stack import Result, Secret, Stack

NAME = "rotate1"
PAM = """\
auth required pam_faillock.so preauth deny=9
auth [success=1 default=ignore] pam_unix.so
auth [default=die] pam_faillock.so authfail deny=9
auth sufficient pam_faillock.so authsucc
auth required pam_permit.so
account required pam_unix.so
session required pam_permit.so
"""
FIRST, SECOND, THIRD, WRONG = ("Cobalt4410Willow", "Garnet2207 'Maple'", "Indigo9051Cedar", "Saffron1183Rowan")


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    host = bring_up(NAME)
    host.exec("cat >/etc/pam.d/sudo", input=PAM)
    return host


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("keys")
    made = {name: folder / name for name in ("old", "new", "newer")}
    for path in made.values():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return made


@pytest.fixture(scope="module")
def stack(host: LabHost, keys: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Stack:
    stack = Stack(tmp_path_factory.mktemp("rotation") / "project")
    configure(stack, host, FIRST, keys["old"])
    stack.up()
    assert not logs_in(host, keys["old"], "root")
    assert becomes_root(host, keys["old"], FIRST)
    return stack


def configure(
    stack: Stack, host: LabHost, password: str, key: Path, *, sudo: Any = None, tries: int = 5, **login: Any
) -> None:
    words = sudo if isinstance(sudo, list) else Secret(sudo or password)
    admin = {"user": "deploy", "privateKeyFile": str(key), "sudoPassword": words, **login}
    user = {"name": "deploy", "sudo": "password", "password": Secret(password), "keyFiles": [f"{key}.pub"]}
    stack.configure(
        hosts={NAME: entry(host, admin=admin, connectTimeout=10)},
        users=[{**user, "exclusiveKeys": True, "removeHome": True, "confirmWithin": 8}],
        sshd={"settings": {"MaxAuthTries": tries}},
    )


def ssh(host: LabHost, key: Path, user: str, command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Log in with the real client, with this key alone."""
    options = ("BatchMode=yes", "IdentitiesOnly=yes", "IdentityAgent=none", f"UserKnownHostsFile={host.known_hosts}")
    argv = ["ssh", "-F", "none", *(word for option in options for word in ("-o", option)), "-i", str(key)]
    return subprocess.run(
        [*argv, f"{user}@{host.ipv4}", command], input=stdin, capture_output=True, text=True, timeout=30, check=False
    )


def logs_in(host: LabHost, key: Path, user: str = "deploy") -> bool:
    return ssh(host, key, user, "true").returncode == 0


def becomes_root(host: LabHost, key: Path, password: str) -> bool:
    done = ssh(host, key, "deploy", "sudo -S -k -p '' id -u", password + "\n")
    return done.stdout == "0\n"


def failures(host: LabHost, act: Callable[[], Result]) -> tuple[Result, int, int]:
    """Call `act`; return its result, how many wrong passwords sudo's PAM saw, and how many it counts."""
    count = "journalctl -q --no-pager -o cat | grep -c 'pam_unix(sudo:auth): authentication failure' || :"
    host.exec("faillock --user deploy --reset")
    before = int(host.exec(count).stdout)
    result = act()
    counted = host.exec("faillock --user deploy | grep -c ' SVC ' || :").stdout
    return result, int(host.exec(count).stdout) - before, int(counted)


def test_the_sudo_password(host: LabHost, stack: Stack, keys: dict[str, Path]) -> None:
    configure(stack, host, SECOND, keys["old"])
    changed, seen, _ = failures(host, stack.up)
    assert seen <= 1  # the new one, before it is valid
    assert "the host refused" not in changed
    assert becomes_root(host, keys["old"], SECOND)
    assert not becomes_root(host, keys["old"], FIRST)
    stack.unchanged()
    assert failures(host, stack.refresh)[1:] == (0, 0)
    stack.unchanged()


def test_the_key(host: LabHost, stack: Stack, keys: dict[str, Path]) -> None:
    configure(stack, host, SECOND, keys["new"])
    stack.up()
    assert logs_in(host, keys["new"])
    assert not logs_in(host, keys["old"])
    stack.refresh()
    stack.unchanged()


def test_both_at_once_and_something_else(host: LabHost, stack: Stack, keys: dict[str, Path]) -> None:
    configure(stack, host, THIRD, keys["newer"], tries=4)
    stack.up()
    assert becomes_root(host, keys["newer"], THIRD)
    assert not becomes_root(host, keys["newer"], SECOND)
    assert not logs_in(host, keys["new"])
    assert host.exec("sshd -T | grep -i maxauthtries").stdout.lower() == "maxauthtries 4\n"
    # a config may have lists during a rotation: the new one first
    lists = {"privateKeyFile": [str(keys["newer"]), str(keys["new"])]}
    configure(stack, host, THIRD, keys["newer"], sudo=[Secret(THIRD), Secret(SECOND)], tries=4, **lists)
    assert failures(host, stack.refresh)[1:] == (0, 0)
    stack.unchanged()


def test_a_run_that_came_to_nothing_is_repeated(host: LabHost, stack: Stack, keys: dict[str, Path]) -> None:
    """With the same config, it still knows the former credentials."""
    configure(stack, host, SECOND, keys["old"], tries=4)
    comes_to_nothing(host, stack)
    stack.up()
    assert becomes_root(host, keys["old"], SECOND)
    assert not logs_in(host, keys["newer"])


def comes_to_nothing(host: LabHost, stack: Stack) -> None:
    host.cut()
    assert stack.up(check=False).status != 0
    host.mend()


def test_lists_serve_where_several_rotations_came_to_nothing(
    host: LabHost, stack: Stack, keys: dict[str, Path]
) -> None:
    """Only one former password is tried, so that earlier ones do not lock the account."""
    for word, key in ((THIRD, "new"), (FIRST, "newer")):
        configure(stack, host, word, keys[key], tries=4)
        comes_to_nothing(host, stack)
    failed = stack.up(check=False)
    assert failed.status != 0
    assert "privateKeyFile: [new, old]" in failed, failed.output
    lists = {"privateKeyFile": [str(keys["newer"]), str(keys["old"])]}
    configure(stack, host, FIRST, keys["newer"], sudo=[Secret(FIRST), Secret(SECOND)], tries=4, **lists)
    stack.up()
    assert becomes_root(host, keys["newer"], FIRST)
    assert not logs_in(host, keys["old"])
    configure(stack, host, FIRST, keys["old"], tries=4)
    stack.up()
    stack.unchanged()


def test_a_rotation_that_fails_goes_back(host: LabHost, stack: Stack, keys: dict[str, Path]) -> None:
    refused = try_to(stack, host, SECOND, keys["old"], sudo=THIRD)
    assert refused.status != 0
    assert "is not the `sudoPassword` of this login" in refused, refused.output
    # from a hash, only a login shows that the password differs
    hashed = subprocess.run(["openssl", "passwd", "-6", SECOND], capture_output=True, text=True, check=True).stdout
    configure(stack, host, FIRST, keys["old"], tries=4)
    stack.up()  # the CLI's refresh uses the config of the last run
    refused = try_to(stack, host, hashed.strip(), keys["old"], sudo=THIRD)
    assert refused.status != 0
    # nobody knows the current password, so the host rolls back by itself
    assert "no new login worked" in refused, refused.output
    assert "rolls the change back by itself 8 s after it was made" in refused, refused.output
    assert "Traceback" not in refused
    host.exec(
        "for i in $(seq 200); do grep -qs 'user deploy' /var/lib/stockade/guard.log && exit 0; sleep 0.1; done; exit 1"
    )
    assert becomes_root(host, keys["old"], FIRST)
    assert not becomes_root(host, keys["old"], SECOND)
    configure(stack, host, FIRST, keys["old"], tries=4)
    stack.up()
    assert becomes_root(host, keys["old"], FIRST)
    stack.refresh()
    stack.unchanged()
    for word in (FIRST, SECOND, THIRD):
        assert word not in refused


def try_to(stack: Stack, host: LabHost, password: str, key: Path, sudo: str) -> Result:
    configure(stack, host, password, key, sudo=sudo, tries=4)
    return stack.up(check=False)


def test_a_wrong_sudo_password_is_sent_once(host: LabHost, stack: Stack, keys: dict[str, Path]) -> None:
    """Each run sends it once, whatever it does; PAM counts one failure, not two, or one per line of a script."""
    configure(stack, host, FIRST, keys["old"], sudo=WRONG, tries=3)
    told, seen, _ = failures(host, lambda: stack.up(check=False))  # sshd is not changed before the new login has worked
    assert seen == 1
    assert told.status != 0
    assert failures(host, stack.refresh)[1] == 1  # of the former one, which the next run also knows
    host.exec("chpasswd", input=f"deploy:{THIRD}\n")
    for act in (stack.up, stack.refresh, stack.destroy):
        told, seen, counted = failures(host, lambda act=act: act(check=False))
        assert told.status != 0
        assert (seen, counted) == (2, 2), told.output
        assert "sudo did not accept the sudoPassword of deploy" in told, told.output
        assert "Traceback" not in told
        assert WRONG not in told
    host.exec("chpasswd", input=f"deploy:{FIRST}\n")
    configure(stack, host, FIRST, keys["old"], tries=6)
    stack.up()


def test_a_wrong_passphrase_is_told_once(host: LabHost, stack: Stack, keys: dict[str, Path], tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", THIRD, "-f", locked], check=True)
    configure(stack, host, FIRST, keys["old"], tries=7, privateKeyFile=str(locked), privateKeyPassword=Secret(WRONG))
    told = stack.up(check=False)
    assert told.status != 0
    diagnostics = told.output.partition("Diagnostics:")[2]
    assert diagnostics.count("cannot be opened with its passphrase (privateKeyPassword)") == 1, told.output
    assert WRONG not in told
    configure(stack, host, FIRST, keys["old"], tries=6)
    stack.up()

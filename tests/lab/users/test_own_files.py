"""Files in a home: those not owned by the user are neither read nor given away, and bytes are preserved."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.stack import Stack
from tests.lab.users.test_users import PROGRAM, keys, public

__all__ = ["keys"]

pytestmark = pytest.mark.usefixtures("pristine")

FOREIGN = {
    "link": ("mkdir -m 700 .ssh; ln -s /etc/shadow .ssh/authorized_keys", "authorized_keys is a symbolic link"),
    "folder-link": ("ln -s /etc .ssh", ".ssh is a symbolic link"),
    "roots-file": (
        "mkdir -m 700 .ssh; echo SECRET >.ssh/authorized_keys; chmod 600 .ssh/authorized_keys; OWNER=root",
        "authorized_keys does not belong to",
    ),
    "anns-file": (
        "mkdir -m 700 .ssh; echo SECRET >.ssh/authorized_keys; chmod 600 .ssh/authorized_keys; OWNER=ann",
        "authorized_keys does not belong to",
    ),
    "hard-link": (
        "mkdir -m 700 .ssh; (umask 077; echo SECRET >root.key); ln root.key .ssh/authorized_keys; OWNER=root",
        "authorized_keys does not belong to",
    ),
    "roots-folder": (
        "mkdir .ssh; echo SECRET >.ssh/authorized_keys; FOLDER=root OWNER=root",
        ".ssh does not belong to",
    ),
    "no-folder": ("touch .ssh", ".ssh is not a folder"),
    "fifo": ("mkdir -m 700 .ssh; mkfifo .ssh/authorized_keys", "is not a regular file"),
    "device": ("mkdir -m 700 .ssh; mknod .ssh/authorized_keys c 1 5", "is not a regular file"),
    "folder": ("mkdir -m 700 .ssh; mkdir .ssh/authorized_keys", "is not a regular file"),
    "sparse": (
        "mkdir -m 700 .ssh; truncate -s 300M .ssh/authorized_keys",
        "has 314572800 bytes; of a key file, at most 1048576 are read",
    ),
    "binary": ("mkdir -m 700 .ssh; printf 'SECRET\\000' >.ssh/authorized_keys", "contains NUL bytes"),
}
LOOK = """\
find /home /etc -not -name '*-' -printf '%p %M %u %g %s %l\\n' 2>/dev/null | sort
getent passwd; getent shadow; find /home -type f -size -9k | sort | xargs cksum
"""


def _made(name: str, commands: str) -> str:
    return f"""\
(umask 022; cd ~{name}; rm -rf .ssh root.key; OWNER= FOLDER=
{commands}
chown -h {name}: .ssh; [ -z "$FOLDER" ] || chown "$FOLDER:" .ssh
[ -L .ssh ] || [ ! -e .ssh/authorized_keys ] || chown -h "${{OWNER:-{name}}}:" .ssh/authorized_keys)
"""


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("files1")


@pytest.fixture
def configured(new_stack: Callable[..., Stack], host: LabHost) -> Callable[..., Stack]:
    made: list[Stack] = []

    def configure(*users: dict[str, Any], admin: dict[str, Any] | None = None) -> Stack:
        if not made:
            made.append(new_stack(host, program=PROGRAM))
        made[0].configure(hosts={host.name: entry(host, **({"admin": admin} if admin else {}))})
        made[0].environment["TEST_SETTINGS"] = json.dumps({"users": users, "apart": True})
        return made[0]

    return configure


def test_what_is_not_the_users_own_is_neither_read_nor_changed(
    host: LabHost, keys: Callable[[str], Path], configured: Callable[..., Stack]
) -> None:
    accounts = "".join(f"useradd -m {name}\n" for name in ("ann", "closed", *FOREIGN))
    foreign = "".join(_made(name, commands) for name, (commands, _) in FOREIGN.items())
    host.exec(f"{accounts}{foreign}")
    before = host.exec(LOOK).stdout
    users = [{"name": name, "keys": [public(keys("one"))], "sudo": "none"} for name in FOREIGN]
    stack = configured(*users)
    done = stack.up(check=False)
    _each_is_told(done.output)
    assert host.exec(LOOK).stdout == before
    assert _kept(stack, b"SECRET") == []
    assert host.exec("ls /var/lib/stockade 2>/dev/null || :").stdout == ""

    # if it becomes so later, that is reported, and everything else is still restored
    host.exec("".join(f"rm -rf ~{name}/.ssh ~{name}/root.key\n" for name in FOREIGN))
    configured(*users, {"name": "closed", "keys": [public(keys("one"))], "sudo": "none"})
    stack.up()
    host.exec(f"{foreign} chmod 0 ~closed/.ssh/authorized_keys ~closed/.ssh")
    stack.refresh()
    done = stack.up(check=False)
    _each_is_told(done.output)
    own = host.exec(
        "stat -c '%a %U' ~closed/.ssh ~closed/.ssh/authorized_keys; cat ~closed/.ssh/authorized_keys"
    ).stdout
    assert own == f"700 closed\n600 closed\n{public(keys('one'))}\n"  # what the user itself did is repaired
    gone = stack.destroy()
    _each_is_told(gone.output)
    assert host.exec(LOOK).stdout == before
    assert _kept(stack, b"SECRET") == []
    assert host.exec("ls /var/lib/stockade 2>/dev/null || :").stdout == ""


def _each_is_told(output: str) -> None:
    for name, (_, why) in FOREIGN.items():
        told = [line for line in output.splitlines() if f"user {name}: /home/{name}/.ssh" in line]
        assert any(why in line for line in told), f"{name}:\n{output}"
        assert all("leave `keys` out" in line for line in told), output
    assert "Traceback" not in output
    assert "fault in Stockade" not in output
    assert "SECRET" not in output


def _kept(stack: Stack, text: bytes) -> list[Path]:
    return [file for file in (stack.folder / ".state").rglob("*") if file.is_file() and text in file.read_bytes()]


def test_homes_are_made_and_removed_where_only_root_or_the_user_can_interfere(
    host: LabHost, keys: Callable[[str], Path], configured: Callable[..., Stack]
) -> None:
    """Root must not create a home in a directory that others can write to."""
    host.exec("useradd -m ann; useradd -m bob; chown root: ~bob; chmod 755 ~bob")
    before = host.exec(LOOK).stdout
    user = {"keys": [public(keys("one"))], "sudo": "none", "removeHome": True}
    for place in ("/tmp/new", "/home/ann/new", "/home/ann/deep/er/new"):
        refused = configured({"name": "new", "home": place, **user}).up(check=False)
        assert "not only root can write to the parent directory of the home" in refused, refused.output
        assert place in refused
    assert host.exec(LOOK).stdout == before
    stack = configured({"name": "new", "home": "/srv/deep/er/new", **user}, {"name": "bob", **user})
    stack.up()
    owners = host.exec("stat -c '%U %n' /srv/deep/er /srv/deep/er/new /srv/deep/er/new/.ssh ~bob ~bob/.ssh").stdout
    assert owners.split("\n")[:3] == ["root /srv/deep/er", "new /srv/deep/er/new", "new /srv/deep/er/new/.ssh"]
    assert owners.split("\n")[3:5] == ["root /home/bob", "bob /home/bob/.ssh"]
    host.exec("mkdir -m 777 /root/outside; touch /root/outside/file; ln -s /root/outside ~new/link")
    stack.destroy()
    assert host.exec("ls /root/outside; ls /srv/deep/er; rm -r /root/outside /srv/deep").stdout == "file\n"
    assert host.exec(LOOK).stdout == before


@pytest.mark.parametrize("drifted", [False, True])
def test_what_a_change_that_failed_gave_is_taken_away_once_it_is_no_longer_declared(
    host: LabHost, keys: Callable[[str], Path], configured: Callable[..., Stack], drifted: bool
) -> None:
    """The change can neither be finished nor rolled back. Neither what it had added nor what was declared before may be
    forgotten over that: keys and groups are rights."""
    host.exec("useradd -m ann; groupadd team; install -d -m 700 -o ann ~ann/.ssh")
    host.exec("runuser -u ann -- sh -c 'umask 077; echo \"# mine\" >~/.ssh/authorized_keys'")
    before = host.exec(LOOK).stdout
    ann = {"name": "ann", "keys": [public(keys("one"))], "groups": ["adm"], "sudo": "none"}
    stack = configured(ann)
    stack.up()
    if drifted:
        host.exec("usermod -s /bin/false ann")
        stack.refresh()
        host.exec("usermod -s /bin/bash ann")
    host.exec("mount --bind ~ann/.ssh ~ann/.ssh; mount -o remount,ro,bind ~ann/.ssh")
    two = {**ann, "keys": [public(keys("two"))]}
    for groups in (["adm", "team"], ["adm", "games"]):
        failed = configured({**two, "groups": groups}).up(check=False)
        assert failed.status != 0
        assert "user ann: set up the account: a file could not be written" in failed, failed.output
    assert (
        bool({"team", "games"} & set(host.exec("id -Gn ann").stdout.split())) == drifted
    )  # drift is not applied again
    host.exec("umount ~ann/.ssh")
    configured({**two, "groups": []}).up()
    assert host.exec("id -Gn ann").stdout == "ann\n"
    assert host.exec("cat ~ann/.ssh/authorized_keys").stdout == f"# mine\n{public(keys('two'))}\n"
    assert "earlier" not in json.dumps(stack.state())
    stack.destroy()
    assert host.exec(LOOK).stdout == before

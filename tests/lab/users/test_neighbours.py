"""Hostile neighbours on a host, during up, an update, a guarded change that is rolled back, and destroy.

One is a user without privileges, the other has the admin's account, but not its sudo password. Both read what anybody
can read about processes, replace everything they can with links, forge records in their files, and take names in shared
directories. This is one round; `make test-neighbours` runs more.
"""

import json
import os
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.stack import Result, Secret, Stack
from tests.lab.users.test_users import PROGRAM, keys, public

__all__ = ["keys"]

ROUNDS = int(os.environ.get("STOCKADE_NEIGHBOUR_ROUNDS", "1"))
PASSWORD = "Granite7718Heron"
TRIES = 12
GECOS = r"x\nevil\072\0720\0720\072\072/root\072/bin/sh"
"""awk turns this into an account without a password and with root's uid."""

# Framed like the record of earlier versions, and like any text that is framed by lines.
FORGED = """\
# my keys
5d0c6f0e1f5b4c7e9a3b2d8f7c6e5a41 E
5d0c6f0e1f5b4c7e9a3b2d8f7c6e5a41 B dropin.meta
file 440 root root 0 0
/etc/sudoers.d/zz-pwn
5d0c6f0e1f5b4c7e9a3b2d8f7c6e5a41 E
5d0c6f0e1f5b4c7e9a3b2d8f7c6e5a41 B dropin.content
mallory ALL=(ALL:ALL) NOPASSWD: ALL
5d0c6f0e1f5b4c7e9a3b2d8f7c6e5a41 E
"""
SETUP = f"""\
for name in mallory deploy; do useradd -m -s /bin/bash "$name"; install -d -o "$name" -m 700 "/home/$name/.ssh"; done
printf '%s:%s\\n' deploy {PASSWORD} | chpasswd
printf '%s' "$FORGED" >~mallory/.ssh/authorized_keys
printf '# caf\\351 of %s\\n' deploy >~deploy/.ssh/authorized_keys
for name in mallory deploy; do
    chown "$name:" "/home/$name/.ssh" "/home/$name/.ssh/authorized_keys"
    chmod 600 "/home/$name/.ssh/authorized_keys"
done
GECOS=$GECOS awk 'BEGIN {{ FS = OFS = ":" }} $1 == "deploy" {{ $5 = ENVIRON["GECOS"] }} {{ print }}' /etc/passwd >/etc/p
cat /etc/p >/etc/passwd; rm /etc/p
for victim in /usr/local/bin/victim /etc/victim /root/victim; do echo "echo me" >"$victim"; chmod 700 "$victim"; done
install -d -m 1777 /srv/caught
"""
START = """\
for user in mallory deploy; do for role in watch swap squat; do
    systemd-run -q --uid="$user" --unit="neighbour-$user-$role" perl /usr/local/lib/neighbour.pl /srv/caught "$role"
done; done
"""
STOP = """\
touch /srv/caught/stop
for i in $(seq 100); do [ "$(ls /srv/caught/*.count 2>/dev/null | wc -l)" -lt 6 ] || break; sleep 0.1; done
cat /srv/caught/*.count; rm -f /srv/caught/stop /srv/caught/*.count
"""
# Root's files: modes, owners and content; without what every login or account rewrites.
ROOTS = r"""
find /etc /usr/bin /usr/sbin /bin/ /sbin/ /usr/local /root /var/lib /var/spool /opt -xdev -not -name '*-' \
    -not -path '/var/lib/systemd/*' -not -path '/etc/.pwd.lock' -not -path '/var/lib/sudo/*' \
    -printf '%p %M %u %g %l\n' | sort
find /etc /root /usr/local /var/lib/dpkg /usr/sbin -xdev -type f -not -name '*-' -print0 | sort -z | xargs -0 cksum
find / -xdev -perm /6000 -type f -printf 'setuid %p %M %u %g\n' | sort
cut -d: -f1,3,4 /etc/passwd; id mallory; id deploy; ls /root
"""


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("neighbour1")


@pytest.fixture
def neighbours(host: LabHost) -> Iterator[None]:
    program = (Path(__file__).parents[1] / "neighbour.pl").read_text()
    host.exec(f"cat >/usr/local/lib/neighbour.pl <<'EOF'\n{program}EOF\nchmod 644 /usr/local/lib/neighbour.pl")
    host.exec(f"FORGED={shlex.quote(FORGED)} GECOS={shlex.quote(GECOS)}$(printf ' caf\\351')\n{SETUP}")
    yield
    host.exec("systemctl stop 'neighbour-*'", check=False)


def test_neighbours_catch_nothing_and_change_nothing(
    host: LabHost, neighbours: None, keys: Callable[[str], Path], new_stack: Callable[..., Stack]
) -> None:
    admin = {"user": "deploy", "privateKeyFile": str(keys("one")), "sudoPassword": Secret(PASSWORD)}
    stack = new_stack(host, program=PROGRAM)
    stack.configure(hosts={host.name: entry(host, admin=admin)})
    before, passwd = host.exec(ROOTS).stdout, host.exec("getent passwd deploy mallory | base64").stdout
    hashes = {host.exec("getent shadow deploy | cut -d: -f2").stdout.strip()}
    host.exec(START)
    deploy = {"name": "deploy", "keys": [public(keys("one"))], "sudo": "password", "password": PASSWORD}
    mallory = {"name": "mallory", "keys": [public(keys("two"))], "sudo": "none"}
    told: list[str] = []

    def until_done(verb: Callable[..., Result], *users: dict[str, Any]) -> None:
        if users:
            stack.environment["TEST_SETTINGS"] = json.dumps({"users": users})
        for _ in range(TRIES):
            done = verb(check=False)
            told.append(done.output)
            if done.status == 0:
                return
        raise AssertionError(done.output)

    until_done(stack.up, deploy, mallory)
    for number in range(ROUNDS):
        until_done(stack.up, {**deploy, "groups": ["adm"] if number % 2 else ["users"]}, mallory)
        until_done(stack.refresh)
        _goes_back(host, stack, {**deploy, "groups": ["adm"] if number % 2 else ["users"]}, mallory, told)
        hashes.add(host.exec("getent shadow deploy | cut -d: -f2").stdout.strip())
    until_done(stack.up, deploy, mallory)
    until_done(stack.destroy)
    counts = [int(count) for count in host.exec(STOP).stdout.split()]
    caught = host.exec("cat /srv/caught/*.caught | iconv -f latin1 -t utf-8").stdout
    print(f"\n{len(told)} runs; {sum(counts)} tries of neighbours; {len(caught.splitlines())} lines caught")

    assert len(counts) == 6
    assert all(count > 50 for count in counts), counts
    assert "sh" in caught
    _nothing_secret(caught + "".join(told), hashes, keys)
    assert not [output for output in told if "Traceback" in output or "fault in Stockade" in output]
    host.exec("rm /var/lib/stockade/guard.log; rmdir /var/lib/stockade")  # kept on purpose
    assert _changed(before, host.exec(ROOTS).stdout) == []
    assert host.exec("getent passwd deploy mallory | base64").stdout == passwd


def _goes_back(host: LabHost, stack: Stack, deploy: dict[str, Any], mallory: dict[str, Any], told: list[str]) -> None:
    """Change the admin so that nobody could log in with it: the account's entries, keys and modes are rolled back."""
    host.exec("chage -E 1 deploy; runuser -u deploy -- chmod 4755 /home/deploy/.ssh/authorized_keys", check=False)
    entries = "getent passwd deploy | base64; getent shadow deploy | cut -d: -f1-7"
    before = host.exec(entries).stdout
    nobody = f'from="203.0.113.1" {deploy["keys"][0]}'
    changed = {**deploy, "keys": [nobody], "shell": "/bin/sh"}
    stack.environment["TEST_SETTINGS"] = json.dumps({"users": [changed, mallory]})
    for _ in range(TRIES):
        refused = stack.up(check=False)
        told.append(refused.output)
        assert refused.status != 0
        if "the previous settings are in force again" in refused:
            break
    else:
        raise AssertionError(refused.output)
    assert host.exec(entries).stdout == before  # without the expiry date, which is repaired, as last declared


def _nothing_secret(text: str, hashes: set[str], keys: Callable[[str], Path]) -> None:
    assert PASSWORD not in text
    for secret in hashes - {"*", "!"}:
        assert secret not in text
    for key in ("one", "two"):
        assert keys(key).read_text().splitlines()[2] not in text
    # no marks of a run; names of runs, in paths that only root can enter, are not marks
    unnamed = re.sub(r"(INVOCATION_ID=|/var/lib/stockade/guard/[a-z-]+\.)[0-9a-f]{32}", "", text)
    marks = set(re.findall(r".{0,80}(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f]).{0,40}", unnamed))
    assert not marks


def _changed(before: str, after: str) -> list[str]:
    old, new = before.splitlines(), after.splitlines()
    return [f"- {line}" for line in old if line not in new] + [f"+ {line}" for line in new if line not in old]

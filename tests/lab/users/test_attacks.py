"""Three attacks that once gave users of a host more rights, one by one.

`test_neighbours.py` has more of them at once, during the whole life of a host.
"""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.stack import Secret, Stack
from tests.lab.users.test_users import PROGRAM, keys, public

__all__ = ["keys"]

PASSWORD = "Granite7718Heron"
MARK = "5d0c6f0e1f5b4c7e9a3b2d8f7c6e5a41"
"""The former separator between the parts of every record."""
FORGED = "\n".join(
    (
        *("# my keys", f"{MARK} E", f"{MARK} B dropin.meta", "file 440 root root 0 0", "/etc/sudoers.d/zz-pwn"),
        *(f"{MARK} E", f"{MARK} B dropin.content", "mallory ALL=(ALL:ALL) NOPASSWD: ALL", f"{MARK} E"),
        *(f"{MARK} B junk", ""),
    )
)
# Any user may read the arguments of every process.
WATCH = r"""
my ($out) = @ARGV; my (%seen, $n, $i); open my $o, ">", $out or die; select $o; $| = 1; print "# watching\n";
while (1) {
    if ($i++ % 4 == 0) { open my $f, "<", "/proc/loadavg"; $n = (split " ", <$f>)[4] }
    for my $p ($n - 2 .. $n + 5) {
        open my $f, "<", "/proc/$p/cmdline" or next; sysread $f, my $c, 4000;
        print "$c\n" if $c =~ /deploy:[^\0:x*!]/ and !$seen{$c}++;
    }
}
"""
# In its own ~/.ssh, replaces its file with a link whenever the file changes.
RACE = r"""
my ($target) = @ARGV; chdir "$ENV{HOME}/.ssh" or die; my $k = "authorized_keys"; my @a = stat $k;
open my $o, ">", "/srv/raced"; print $o "# waiting\n"; close $o;
while (1) { my @b = stat $k; last if @b and ($b[1] != $a[1] or ($b[2] & 07777) != ($a[2] & 07777)) }
while (1) { symlink $target, ".x$$"; rename ".x$$", $k }
"""
READY = 'for i in $(seq 100); do [ ! -s "$1" ] || exit 0; sleep 0.1; done; exit 1'


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    host = bring_up("attack1")
    host.exec("for name in mallory deploy; do useradd -m -s /bin/bash $name; done; install -d -m 1777 /srv")
    host.exec(f"printf 'deploy:%s\\n' {PASSWORD} | chpasswd")
    return host


@pytest.fixture
def stack(host: LabHost, keys: Callable[[str], Path], new_stack: Callable[..., Stack]) -> Stack:
    admin = {"user": "deploy", "privateKeyFile": str(keys("one")), "sudoPassword": Secret(PASSWORD)}
    stack = new_stack(host, program=PROGRAM)
    stack.configure(hosts={host.name: entry(host, admin=admin)})
    return stack


def declared(stack: Stack, *users: dict[str, Any]) -> None:
    stack.environment["TEST_SETTINGS"] = json.dumps({"users": users})


def deploy(keys: Callable[[str], Path]) -> dict[str, Any]:
    return {"name": "deploy", "keys": [public(keys("one"))], "sudo": "password", "password": PASSWORD}


def goes_back(stack: Stack, keys: Callable[[str], Path]) -> None:
    """A change of the admin after which nobody could log in."""
    nobodys = {"keys": [f'from="203.0.113.1" {public(keys("one"))}'], "shell": "/bin/sh"}
    declared(stack, {**deploy(keys), **nobodys})
    assert stack.up(check=False).status != 0


def test_a_record_cannot_be_forged_by_what_a_file_holds(
    host: LabHost, stack: Stack, keys: Callable[[str], Path]
) -> None:
    host.exec(
        f"install -d -o mallory -m 700 ~mallory/.ssh; printf %s {shlex.quote(FORGED)} >~mallory/.ssh/authorized_keys"
    )
    host.exec("chown mallory: ~mallory/.ssh/authorized_keys; chmod 600 ~mallory/.ssh/authorized_keys")
    declared(stack, {"name": "mallory", "keys": [public(keys("two"))], "sudo": "none"})
    stack.up()
    stack.destroy()
    assert host.exec("ls /etc/sudoers.d | grep pwn", check=False).stdout == ""
    assert host.exec("sudo -l -U mallory", check=False).stdout.count("NOPASSWD") == 0
    assert host.exec("cat ~mallory/.ssh/authorized_keys").stdout == FORGED


def test_who_watches_arguments_sees_no_hash(host: LabHost, stack: Stack, keys: Callable[[str], Path]) -> None:
    declared(stack, deploy(keys))
    stack.up()
    host.exec(f"cat >/usr/local/lib/watch.pl <<'EOF'\n{WATCH}EOF")
    host.exec("systemd-run -q --uid=mallory --unit=watch perl /usr/local/lib/watch.pl /srv/watched")
    host.exec(["sh", "-c", READY, "sh", "/srv/watched"])
    for _ in range(3):
        host.exec("chage -E 1 deploy")  # which the change repairs, so that the line in shadow(5) is rolled back, too
        goes_back(stack, keys)
    host.exec("chage -E -1 deploy")
    caught = host.exec("systemctl stop watch; cat /srv/watched; rm /srv/watched").stdout
    field = host.exec("getent shadow deploy | cut -d: -f2").stdout.strip()
    assert field.startswith("$")
    assert field not in caught
    assert not re.search(r"deploy:\$", caught)
    declared(stack, deploy(keys))
    stack.destroy()


def test_a_link_in_the_place_of_a_file_gets_no_mode_of_roots(
    host: LabHost, stack: Stack, keys: Callable[[str], Path]
) -> None:
    host.exec("install -m 755 /bin/true /usr/local/bin/victim")
    declared(stack, deploy(keys))
    stack.up()
    host.exec(f"cat >/usr/local/lib/race.pl <<'EOF'\n{RACE}EOF")
    for _ in range(3):
        host.exec("runuser -u deploy -- chmod 4755 /home/deploy/.ssh/authorized_keys")
        run = "systemd-run -q --uid=deploy --setenv=HOME=/home/deploy --unit=race perl /usr/local/lib/race.pl"
        host.exec(f"rm -f /srv/raced; {run} /usr/local/bin/victim")
        host.exec(["sh", "-c", READY, "sh", "/srv/raced"])
        goes_back(stack, keys)
        host.exec("systemctl stop race; rm -f /home/deploy/.ssh/.x*")
        assert host.exec("stat -c '%a %U' /usr/local/bin/victim").stdout == "755 root\n"
        host.exec(
            f"cd /home/deploy/.ssh; rm -f authorized_keys; echo {shlex.quote(public(keys('one')))} >authorized_keys;"
            "chown deploy: authorized_keys; chmod 600 authorized_keys"
        )
    declared(stack, deploy(keys))
    stack.up()
    stack.destroy()

"""Whoever has the admin's account has its login shell, too: what a run is started in says nothing of the run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.stack import Secret, Stack
from tests.lab.test_users import PROGRAM, keys, public

__all__ = ["keys"]

PASSWORD = "Basalt4471Swift"
# Between sshd and each command stands a process that is called sshd, and does not end.
STAYS = r"""
my ($command, $home) = @ARGV;
pipe my $in, my $out;
if (!fork) {
    my $child = fork // exit;
    if (!$child) { close $in; close $out; exec "/bin/sh", "-c", $command }
    waitpid $child, 0;
    syswrite $out, $? >> 8;
    close $_ for $in, $out, *STDIN, *STDOUT, *STDERR;
    sleep 1000 while 1;
}
close $out;
sysread $in, my $status, 10;
exit $status;
"""
RC = """\
[ -z "$BASH_EXECUTION_STRING" ] || exec ~/sshd ~/stays.pl "$BASH_EXECUTION_STRING"
"""


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    host = bring_up("shell1")
    host.exec(f"useradd -m -s /bin/bash deploy; printf '%s:%s\n' deploy {PASSWORD} | chpasswd")
    return host


@pytest.fixture
def stack(host: LabHost, keys: Callable[[str], Path], new_stack: Callable[..., Stack]) -> Callable[..., Stack]:
    made = new_stack(host, program=PROGRAM)
    admin = {"user": "deploy", "privateKeyFile": str(keys("one")), "sudoPassword": Secret(PASSWORD)}
    made.configure(hosts={host.name: entry(host, admin=admin)})

    def declare(**settings: Any) -> Stack:
        deploy = {"name": "deploy", "keys": [public(keys("one"))], "sudo": "password", "password": PASSWORD}
        made.environment["TEST_SETTINGS"] = json.dumps({"users": [{**deploy, **settings}]})
        return made

    return declare


def test_a_process_of_the_account_holds_no_host(host: LabHost, stack: Callable[..., Stack]) -> None:
    stack().up()
    host.exec(
        f"cp /usr/bin/perl ~deploy/sshd; cp /dev/stdin ~deploy/stays.pl <<'EOF'\n{STAYS}EOF\n"
        f"cp -p ~deploy/.bashrc ~deploy/.was; cat >~deploy/.bashrc <<'EOF'\n{RC}EOF\n"
        "chmod 644 ~deploy/stays.pl ~deploy/.bashrc"
    )
    stack(groups=["users"]).up()
    assert host.exec("pgrep -xc sshd -u deploy").stdout.strip() != "0"
    host.exec("mv ~deploy/.was ~deploy/.bashrc")
    stack(groups=["adm"]).up()
    stack().destroy()

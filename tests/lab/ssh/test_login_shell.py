"""No account can block or delay a run by its own processes or its login shell."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.stack import Secret, Stack
from tests.lab.users.test_users import PROGRAM, keys, public

__all__ = ["keys"]

PASSWORD = "Basalt4471Swift"
# Between sshd and each command is a process that calls itself sshd and does not exit.
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
# Keeps every file open that any process of the user has open.
CLINGS = r"""
use Fcntl;
my (@kept, $next);
while (1) {
    for my $process (glob "/proc/[0-9]*") {
        next if $process eq "/proc/$$" or !-O $process;
        for my $number (0, 1, 2) {
            sysopen $kept[$next++ % 900], "$process/fd/$number", O_RDWR | O_NONBLOCK;
        }
    }
    select undef, undef, undef, 0.0005;
}
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


def test_whoever_keeps_its_own_processes_from_their_end_stops_nobody_else(
    host: LabHost, stack: Callable[..., Stack]
) -> None:
    made = stack(groups=[])
    host.exec("useradd -m -s /bin/bash guest; chmod 2755 ~guest; install -d -o guest -m 7777 ~guest/.ssh")
    host.exec("printf '# %70000s\n' guest >~guest/.ssh/authorized_keys; chown guest: ~guest/.ssh/authorized_keys")
    settings = json.loads(made.environment["TEST_SETTINGS"])
    settings["users"].append({**settings["users"][0], "name": "guest", "sudo": "none"})
    made.environment["TEST_SETTINGS"] = json.dumps(settings)
    made.up()
    assert host.exec("stat -c %a ~guest/.ssh").stdout == "700\n"
    host.exec(["sh", "-c", 'printf %s "$1" >/usr/local/lib/clings.pl', "sh", CLINGS])
    host.exec("systemd-run -q --unit=clings --uid=guest perl /usr/local/lib/clings.pl")
    told = made.refresh().output
    settings["users"][1]["groups"] = ["users"]
    made.environment["TEST_SETTINGS"] = json.dumps(settings)
    told += made.up(check=False).output  # it may or may not be in time
    told += made.destroy().output
    host.exec("systemctl stop clings")
    print(told)
    assert "Traceback" not in told
    assert "not finished within its time limit" not in told

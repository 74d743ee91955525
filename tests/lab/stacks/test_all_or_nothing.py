"""A fault at any step of any chapter: the run reports it, and `destroy` restores the host.

A program of the host fails, or kills the script that calls it, at a random call; the calls of a first run are counted
before. STOCKADE_FAULT_ROUNDS is the number of faults (`make test-all-or-nothing`), STOCKADE_FAULT_SEED selects them.
"""

import os
import random
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.snapshot import difference, snapshot
from tests.lab.stack import Stack

ROUNDS = int(os.environ.get("STOCKADE_FAULT_ROUNDS", "4"))
SEED = int(os.environ.get("STOCKADE_FAULT_SEED", "1"))
PROGRAMS = (
    *("mv", "cp", "rm", "mkdir", "chmod", "chown", "sed", "awk", "sync", "mktemp"),
    *("useradd", "usermod", "chpasswd", "chage", "gpasswd", "visudo", "runuser"),
    *("systemctl", "systemd-run", "sshd", "fail2ban-client", "apt-get", "dpkg", "apt-config", "debconf-show"),
    *("iptables-restore", "ip6tables-restore", "iptables-save", "ip6tables-save", "netfilter-persistent"),
)
FAULTS = {"fails": "exit 1", "ends its script": 'kill -KILL "$PPID"; exit 1'}
WRAPPER = """\
#!/bin/sh
n=0
[ ! -f /run/faults/{program} ] || read -r n </run/faults/{program}
n=$((n + 1))
echo "$n" >/run/faults/{program}
[ "$n" != {at} ] || {{ {fault}; }}
exec {real} "$@"
"""


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("nothing1")


@pytest.fixture(autouse=True)
def _packages(host: LabHost) -> None:
    """The packages that a first run would install are there: dpkg is not tested here."""
    packages = "iptables-persistent fail2ban unattended-upgrades rpcbind"
    install = f"DEBIAN_FRONTEND=noninteractive apt-get install -qy {packages} </dev/null"
    host.exec(f"dpkg -s {packages} >/dev/null 2>&1 || {install}")


@pytest.fixture
def stack(host: LabHost, tmp_path: Path) -> Stack:
    stack = Stack(tmp_path / "project")
    stack_config(stack, host)
    return stack


@pytest.fixture
def before(host: LabHost, _packages: None) -> dict[str, list[str]]:
    return snapshot(host)


@pytest.fixture(autouse=True)
def _mended(host: LabHost) -> Iterator[None]:
    yield
    mend(host)


def mend(host: LabHost) -> None:
    names = " ".join(f"/usr/local/sbin/{program}" for program in PROGRAMS)
    host.exec(f"rm -rf /run/faults {names}")


_EMPTY = re.compile(r"^\*\S+\n(:\S+ ACCEPT ?\n)+COMMIT$\n?", re.M)


def arm(host: LabHost, program: str, at: int, fault: str) -> None:
    """Make `program` fail with `fault` at call number `at`; 0: never, only count."""
    real = host.exec(f"command -v {program}", check=False).stdout.strip()
    if real:
        text = WRAPPER.format(program=program, at=at, fault=fault, real=real)
        file = f"/usr/local/sbin/{program}"
        host.exec(f"mkdir -p /run/faults; printf %s {shlex.quote(text)} >{file}; /bin/chmod 755 {file}")


def left(before: dict[str, list[str]], host: LabHost) -> dict[str, list[str]]:
    """The difference from before. The log of rollbacks stays on the host."""
    after = snapshot(host)
    before, after = ({**part, "ours": sorted({*part["ours"]} - {"guard.log"})} for part in (before, after))
    for part in (before, after):  # an empty table that accepts everything has no effect
        for family in ("IPv4", "IPv6"):
            part[family] = _EMPTY.sub("", "\n".join(part[family])).split("\n")
    return difference(before, after)


_CALLS: dict[str, int] = {}


@pytest.fixture
def calls(host: LabHost, before: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """The number of calls of each program in a first run."""
    if _CALLS:
        return _CALLS
    stack = Stack(tmp_path_factory.mktemp("counted") / "project")
    stack_config(stack, host)
    for program in PROGRAMS:
        arm(host, program, 0, ":")
    stack.up()
    counted = host.exec("cd /run/faults && for p in *; do echo $p $(cat $p); done").stdout
    mend(host)
    stack.destroy()
    assert left(before, host) == {}
    _CALLS.update({line.split()[0]: int(line.split()[1]) for line in counted.splitlines()})
    return _CALLS


@pytest.mark.parametrize("number", range(ROUNDS))
def test_after_a_fault_at_any_step_destroy_leaves_the_host_as_it_was(
    host: LabHost, stack: Stack, before: dict[str, list[str]], calls: dict[str, int], number: int
) -> None:
    chance = random.Random(f"{SEED} {number}")
    program = chance.choice(sorted(calls))
    at, (name, fault) = chance.randint(1, calls[program]), chance.choice(sorted(FAULTS.items()))
    told = f"call {at} of {calls[program]} of {program} {name}"
    arm(host, program, at, fault)
    result = stack.up(check=False)
    mend(host)
    assert "Traceback" not in result, told
    if chance.random() < 0.5:
        again = stack.up(check=False)
        assert again.status == 0, f"{told}\n{result.output}\n{again.output}"
        stack.refresh()
        stack.unchanged()
    gone = stack.destroy(check=False)
    assert gone.status == 0, f"{told}\n{result.output}\n{gone.output}"
    try:
        assert left(before, host) == {}, f"{told}\n{result.output}\n{gone.output}"
    except AssertionError:
        host.reset()
        raise


SITUATIONS = {
    "another rule of sudoers decides": (
        "echo 'guest ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/zzz-company; chmod 440 /etc/sudoers.d/zzz-company",
        "rm /etc/sudoers.d/zzz-company",
    ),
    "a masked unit and a later file of apt": (
        "systemctl -q mask apt-daily-upgrade.timer;"
        "echo 'APT::Periodic::Unattended-Upgrade \"0\";' >/etc/apt/apt.conf.d/zz-company",
        "systemctl -q unmask apt-daily-upgrade.timer; systemctl start apt-daily-upgrade.timer;"
        "rm /etc/apt/apt.conf.d/zz-company",
    ),
    "a disk that fills up": (
        "head -c $(($(df --output=avail -B1 /etc | tail -n 1) - 300000)) /dev/zero >/var/tmp/full",
        "rm -f /var/tmp/full",
    ),
    "files that cannot be changed": ("mount --bind -o ro /etc/fail2ban /etc/fail2ban", "umount /etc/fail2ban"),
    "a service that does not start": (
        "mkdir -p /run/systemd/system/fail2ban.service.d;"
        "printf '[Service]\\nExecStartPre=/bin/false\\n' >/run/systemd/system/fail2ban.service.d/no.conf;"
        "systemctl daemon-reload; systemctl stop fail2ban",
        "rm -r /run/systemd/system/fail2ban.service.d; systemctl daemon-reload; systemctl restart fail2ban",
    ),
}


NEEDS_ROOM = "a disk that fills up"


@pytest.mark.parametrize("situation", SITUATIONS)
def test_in_a_situation_that_fails_the_run_destroy_leaves_the_host_as_it_was(
    host: LabHost, stack: Stack, before: dict[str, list[str]], situation: str
) -> None:
    begin, end = SITUATIONS[situation]
    host.exec(begin)
    try:
        result = stack.up(check=False)
        assert result.status != 0
        assert "Traceback" not in result
        if situation == NEEDS_ROOM:  # a restored package needs room, too
            host.exec(end)
        gone = stack.destroy(check=False)
    finally:
        host.exec(end, check=False)
    try:
        assert gone.status == 0, gone.output
        assert left(before, host) == {}, f"{result.output}\n{gone.output}"
    except AssertionError:
        host.reset()
        raise


def stack_config(stack: Stack, host: LabHost) -> None:
    """Every chapter of the guide, with the packages already installed."""
    admin = {"user": "deploy", "privateKeyFile": str(host.key_file)}
    key = {"keyFiles": [f"{host.key_file}.pub"]}
    stack.configure(
        hosts={host.name: entry(host, admin=admin)},
        packages={"absent": ["rpcbind"]},
        users=[{"name": "deploy", "sudo": "nopasswd", **key}, {"name": "guest", "sudo": "none", **key}],
        sshd={"settings": {"MaxAuthTries": 5}},
        firewall={"preset": "ssh"},
        fail2ban={},
        updates={},
    )

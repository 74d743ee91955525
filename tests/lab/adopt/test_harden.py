"""`stockade adopt --harden`: the patch hardens every prepared host as the guide would, and `destroy` gives back what
was there. The end state is looked at from outside: packets from another network, OpenSSH's client, each host's own
tools.
"""

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from local.lab.api import OUTSIDE_IPV4, Lab, LabHost
from tests.lab.adopt.adopting import (
    Snapshot,
    adopt,
    changed,
    chosen,
    on_all,
    prepared_hosts,
    set_passwords,
    settled,
    snapshot,
)
from tests.lab.adopt.hosts import HARDENED, SUDO_PASSWORD, Prepared
from tests.lab.outside import probe_ports
from tests.lab.stack import Result, Stack

CHOSEN = chosen(HARDENED)
SERVED, UNDECLARED = 8444, 9443
"""Ports on which a program listens: since before the host is read, and since it is hardened."""
LISTEN = """
setsid perl -e 'use Socket qw(:all); socket(S, AF_INET6, SOCK_STREAM, 0);
    bind(S, pack_sockaddr_in6({port}, inet_pton(AF_INET6, q(::)))) or die; listen(S, 9);
    while (accept(C, S)) {{ close C }}' </dev/null >/dev/null 2>&1 &
echo $! >/run/listens-{port}
for _ in $(seq 100); do ! ss -tln | grep -q ':{port} ' || exit 0; sleep 0.1; done; exit 1
"""
INSTALLED = "{ dpkg-query -W -f '${Status} ${Package}\\n' || rpm -qa --qf '%{name}\\n' || pacman -Qq; } 2>/dev/null"
UPDATES = """
if command -v pacman >/dev/null; then echo none
elif command -v apt-config >/dev/null; then apt-config dump | grep 'APT::Periodic::Unattended-Upgrade "1"'
elif [ -e /etc/yum/yum-cron.conf ]; then grep '^apply_updates = yes' /etc/yum/yum-cron.conf
elif [ -e /etc/sysconfig/yum-cron ]; then chkconfig --list yum-cron | grep 3:on
else systemctl is-enabled dnf-automatic.timer || systemctl is-enabled dnf5-automatic.timer; fi
"""
CLIENT = ("-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null")
EACH = pytest.mark.parametrize("one", CHOSEN, ids=lambda one: one.name)


@dataclass
class Hardened:
    """Prepared hosts after the patch. `before`: what they were like before anything."""

    lab: Lab
    hosts: dict[str, LabHost]
    before: dict[str, Snapshot]
    stack: Stack
    adopted: Result
    applied: Result

    def host(self, one: Prepared) -> LabHost:
        """Return a host; the test is skipped if its variant could not be built."""
        if one.name not in self.hosts:
            pytest.skip("its packages cannot be downloaded now")
        return self.hosts[one.name]

    def log_in(self, one: Prepared, user: str, command: str) -> subprocess.CompletedProcess[str]:
        """Log in with the lab's key, as a user of OpenSSH's client does."""
        host = self.host(one)
        key = ("-i", str(host.key_file), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes")
        argv = ["ssh", *CLIENT, "-p", str(one.port), *key, f"{user}@{host.ipv4}", command]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def hardened(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hardened]:
    """Prepare the hosts, adopt them, and apply the patch."""
    hosts = prepared_hosts(lab, "hard", CHOSEN)
    on_all(hosts, lambda host: host.exec(LISTEN.format(port=SERVED)))
    before = on_all(hosts, snapshot)
    stack = Stack(tmp_path_factory.mktemp("hardened") / "project")
    adopted = adopt(stack, *((hosts[one.name], one) for one in CHOSEN if one.name in hosts), also=("--harden",))
    set_passwords(stack)
    stack.up()
    patch = ["git", "apply", "--unsafe-paths", "stacks/harden.test.patch"]
    done = subprocess.run(patch, cwd=stack.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    applied = stack.up(check=False)
    on_all(hosts, lambda host: host.exec(LISTEN.format(port=UNDECLARED)))
    yield Hardened(lab, hosts, before, stack, adopted, applied)
    lab.down([host.name for host in hosts.values()])


def test_the_patch_is_applied(hardened: Hardened) -> None:
    assert hardened.adopted.status == 0, hardened.adopted.output
    assert hardened.applied.status == 0, hardened.applied.output


@EACH
def test_nothing_but_what_is_declared_answers(hardened: Hardened, one: Prepared) -> None:
    assert reachable(hardened, one) == declared(one)


def reachable(hardened: Hardened, one: Prepared) -> dict[str, set[int]]:
    """The ports that answer, among those that are probed, by family."""
    seen = probe_ports(hardened.lab, hardened.host(one), (one.port, SERVED, UNDECLARED))
    return {family: {port for port, answer in ports.items() if answer == "open"} for family, ports in seen.items()}


def declared(one: Prepared) -> dict[str, set[int]]:
    """The ports that are to answer."""
    return {family: one.reachable(family) for family in ("ipv4", "ipv6")}


@EACH
def test_the_admin_logs_in_and_becomes_root(hardened: Hardened, one: Prepared) -> None:
    command = f"echo '{SUDO_PASSWORD}' | sudo -S -p '' id -un"
    done = hardened.log_in(one, one.admin, command)
    assert done.stdout == "root\n", done.stderr


@EACH
def test_packages_and_updates_are_the_guides(hardened: Hardened, one: Prepared) -> None:
    host = hardened.host(one)
    installed = {line.split()[-1] for line in host.exec(INSTALLED, check=False).stdout.splitlines()}
    assert "sudo" in installed
    assert not installed & {"exim4-daemon-light", "rpcbind"}
    host.exec(UPDATES)


@EACH
def test_root_and_passwords_are_refused(hardened: Hardened, one: Prepared) -> None:
    host = hardened.host(one)
    key = ("-i", str(host.key_file), "-o", "IdentitiesOnly=yes")
    for user, ways in (("root", key), (one.admin, ("-o", "PubkeyAuthentication=no"))):
        argv = ["ssh", *CLIENT, "-o", "BatchMode=yes", "-p", str(one.port), *ways, f"{user}@{host.ipv4}", "id"]
        done = hardened.lab.outside(argv, check=False)
        assert re.search(r"Permission denied \(publickey(,gssapi[^)]*)?\)", done.stderr), done.stderr


@EACH
def test_wrong_passwords_are_banned(hardened: Hardened, one: Prepared) -> None:
    host = hardened.host(one)
    jail = _jail(host)
    assert jail
    host.exec(f"for i in 1 2 3 4 5; do fail2ban-client set {jail} banip {OUTSIDE_IPV4}; done")  # 0.8 counts failures
    await_(lambda: not _open(hardened, one), "banned")
    await_(lambda: _open(hardened, one), "unbanned", lambda: _unban(host))


def _jail(host: LabHost) -> str:
    """The jail for sshd; "" while fail2ban does not run."""
    jails = host.exec("fail2ban-client status", check=False).stdout
    return next((name for name in ("sshd", "ssh-iptables", "ssh") if re.search(rf"[\s,]{name}(,|$)", jails, re.M)), "")


def _unban(host: LabHost) -> None:
    """Unban the outside. An old fail2ban bans it again at any time, for logins that earlier tests were refused."""
    if jail := _jail(host):
        host.exec(f"fail2ban-client set {jail} unbanip {OUTSIDE_IPV4} || fail2ban-client reload")


def _open(hardened: Hardened, one: Prepared) -> bool:
    return probe_ports(hardened.lab, hardened.host(one), [one.port])["ipv4"][one.port] == "open"


def await_(condition: Callable[[], bool], what: str, first: Callable[[], None] = lambda: None) -> None:
    for _ in range(40):
        first()
        if condition():
            return
        time.sleep(0.5)
    pytest.fail(f"never {what}")


def test_a_second_up_finds_nothing(hardened: Hardened) -> None:
    hardened.stack.unchanged()


def test_destroy_gives_back_what_was_there(hardened: Hardened) -> None:
    hardened.stack.destroy()
    on_all(hardened.hosts, lambda host: host.exec(f"kill $(cat /run/listens-{UNDECLARED})"))
    differences = {}
    for name, after in on_all(hardened.hosts, snapshot).items():
        before = hardened.before[name]
        bans = any("Jail list" in line for line in before["logins"])
        if found := changed(settled(before, bans=bans), settled(after, bans=bans)):
            differences[name] = found
    assert differences == {}


def test_rules_come_back_after_a_reboot(hardened: Hardened) -> None:
    hardened.stack.up()
    on_all(hardened.hosts, lambda host: host.reboot(wait_ssh=False))
    for port in (SERVED, UNDECLARED):
        on_all(hardened.hosts, lambda host, port=port: host.exec(LISTEN.format(port=port)))
    for one in CHOSEN:
        if one.name in hardened.hosts:  # firewalld and sshd take a while
            await_(
                lambda one=one: reachable(hardened, one) == declared(one),
                f"as declared: {one.name}",
                lambda one=one: _unban(hardened.host(one)),
            )

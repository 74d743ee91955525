"""Packages that a failed run removed and the next run reinstalled: what other chapters configured in them is in force
again, although nothing declared about it has changed."""

from collections.abc import Callable

import pytest

from local.lab.api import Lab, LabHost
from tests.lab.conftest import entry
from tests.lab.killed.test_interrupted import reached, stop_at
from tests.lab.outside import listen, probe_ports
from tests.lab.stack import Stack
from tests.lab.stacks.test_ownership import ENGINES, cli

pytestmark = pytest.mark.usefixtures("pristine")
OPEN, CLOSED = 8080, 3306
ALL = {
    "firewall": {"preset": "ssh", "services": [{"ports": [OPEN]}]},
    "fail2ban": {"maxretry": 7},
}
NONE = dict.fromkeys(ALL, False)


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("back1")


def in_force(host: LabHost) -> None:
    """Assert that what was declared is in force, also after the next boot."""
    asked = "fail2ban-client get sshd maxretry 2>/dev/null"
    assert host.exec(f"for i in $(seq 50); do ! {asked} || break; sleep 0.2; done").stdout == "7\n"
    assert f"--dport {OPEN} " in host.exec("cat /etc/iptables/rules.v4").stdout
    assert f"--dport {OPEN} " in host.exec("cat /etc/iptables/rules.v6").stdout
    assert host.exec("systemctl is-enabled netfilter-persistent fail2ban").stdout.split() == ["enabled"] * 2


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_declared_again_is_in_force_again(
    engine: str, lab: Lab, host: LabHost, new_stack: Callable[..., Stack]
) -> None:
    stack = new_stack(host)
    stack.environment = {"STOCKADE_ENGINE": engine, "STOCKADE_POLICIES": "off"}
    hosts = {host.name: entry(host)}
    stack.configure(hosts=hosts, **ALL)
    stack.up()
    stack.unchanged()

    host.exec("useradd -m ops; mkdir /home/ops/.ssh; mount --bind -o ro /home/ops/.ssh /home/ops/.ssh")
    key = " ".join(host.host_key.split()[:2])
    stack.configure(hosts=hosts, users=[{"name": "ops", "sudo": "none", "keys": [key]}], **NONE)
    assert stack.up(check=False).status != 0
    host.exec("umount /home/ops/.ssh; userdel -r ops")
    assert not host.exec("ls /etc/iptables/rules.v4", check=False).stdout
    stack.configure(hosts=hosts, **ALL)
    assert "iptables-persistent 1" in stack.preview()
    stack.up()
    in_force(host)
    host.reboot()
    listen(host, OPEN, CLOSED)
    for answers in probe_ports(lab, host, [OPEN, CLOSED]).values():
        assert answers[OPEN] == "open"
        assert answers[CLOSED] != "open"
    in_force(host)
    stack.unchanged()

    # the change of packages itself fails when they are already gone, and is rolled back
    once = 'DPkg::Post-Invoke {"if [ -e /root/once ]; then rm /root/once; exit 1; fi";};'
    host.exec(f"echo '{once}' >/etc/apt/apt.conf.d/99once; touch /root/once")
    stack.configure(hosts=hosts, **NONE)
    failed = stack.up(check=False)
    assert failed.status != 0
    assert "Nothing of this change is left" not in failed
    stack.configure(hosts=hosts, **ALL)
    stack.up()
    in_force(host)
    stack.refresh()
    stack.unchanged()
    stack.destroy()
    left = "/etc/iptables /etc/fail2ban /var/lib/stockade/packages"
    assert not host.exec(f"ls -d {left}", check=False).stdout


@pytest.mark.parametrize("engine", ENGINES)
def test_a_change_of_packages_that_was_killed_and_taken_back_in_the_config(
    engine: str, host: LabHost, new_stack: Callable[..., Stack]
) -> None:
    """It finished on the host, and the next run finds that out, although nothing has changed in the config."""
    stack = new_stack(host)
    stack.environment = {"STOCKADE_ENGINE": engine, "STOCKADE_POLICIES": "off"}
    hosts = {host.name: entry(host)}
    stack.configure(hosts=hosts, **ALL)
    stack.up()
    stop_at(host, {"apt-get": ("*purge*", "*remove*")})
    stack.configure(hosts=hosts, **NONE)
    with stack.running() as run:
        reached(host, 1)
        run.kill()
    host.exec("rm /usr/local/sbin/apt-get; for i in 1 2 3; do timeout 2 sh -c 'echo >/run/gate' || :; done")
    gone = "! dpkg-query -W -f '${db:Status-Status}' fail2ban iptables-persistent 2>/dev/null | grep -q '^installed'"
    host.exec(f"for i in $(seq 300); do {gone} && exit 0; sleep 0.2; done; exit 1")
    stack.configure(hosts=hosts, **ALL)
    if engine == "pulumi":
        cli(stack, "cancel", "--yes")
    stack.up()
    in_force(host)
    stack.unchanged()

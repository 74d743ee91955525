"""Features that Debian 7's programs lack, and the rollback at its boot, on the lab's variant."""

from collections.abc import Callable

import pytest

from hosts.guard.guarded import boot_programs
from hosts.scripts import script
from hosts.shell import assigned
from local.lab.api import OUTSIDE_IPV4, Lab, LabHost
from tests.lab.conftest import entry
from tests.lab.outside import probe_ports
from tests.lab.packages.test_fail2ban import PROGRAM as FAIL2BAN
from tests.lab.packages.test_updates import PROGRAM as UPDATES
from tests.lab.stack import Stack

GUARDS = assigned(boot_programs()) + script("hosts/guard/guards.sh")

pytestmark = pytest.mark.usefixtures("pristine")

LOCAL = "/etc/fail2ban/jail.local"
OWN = "[DEFAULT]\nmta = mail\n\n[dropbear]\nenabled = true\nmaxretry = 9\n"
INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get install -qy {} </dev/null"
BACK = """\
mkdir -p "$_guard_lock" "$_guards/probe"
cat >"$_guards/probe/back" <<'END'
{ echo "$1"; ip -o address show eth0; pgrep -x sshd; } >/root/seen
rm -rf /var/lib/stockade/guard/probe
END
"""
READY = "for i in $(seq 100); do fail2ban-client status {} >&2 && exit; sleep 0.1; done; exit 1"


@pytest.fixture(scope="module")
def host(bring_up: Callable[..., LabHost]) -> LabHost:
    return bring_up("old-debian", "debian7")


def jails(host: LabHost) -> str:
    """Names of the running jails."""
    return host.exec("fail2ban-client status | sed -n 's/.*Jail list:[[:space:]]*//p'").stdout.strip()


def test_what_is_not_confirmed_goes_back_before_network_and_sshd(host: LabHost) -> None:
    links = "ls /etc/init.d/stockade-guard /etc/rcS.d/S*stockade-guard; grep -c stockade /etc/init.d/.depend.boot"
    host.exec(f"{GUARDS}{BACK}_at_boot")
    assert host.exec(links, check=False).stdout.count("stockade-guard") == 2
    host.reboot(hard=True)
    assert host.exec("cat /root/seen").stdout == "boot\n"  # no address and no sshd yet
    host.exec(f"{GUARDS}mkdir -p $_guard_lock; _no_guards")
    assert host.exec(links, check=False).stdout == "0\n"


def test_fail2ban_without_a_jail_d(lab: Lab, host: LabHost, new_stack: Callable[..., Stack]) -> None:
    host.exec(INSTALL.format("fail2ban"))
    host.exec(f"cat >{LOCAL}; fail2ban-client reload", input=OWN)
    assert jails(host) == "dropbear, ssh"
    stack = new_stack(host, program=FAIL2BAN, fail2ban={"bantime": "1h", "maxretry": 3})
    stack.up()
    # the administrator's own jails keep running; Debian's `ssh` for the same log is stopped: it might ban the operator
    assert jails(host) == "dropbear, sshd"
    assert host.exec("fail2ban-client get sshd bantime; fail2ban-client get dropbear maxretry").stdout == "3600\n9\n"
    assert "198.51.100.1" in host.exec("fail2ban-client get sshd ignoreip").stdout
    stack.unchanged()
    stack.refresh()
    stack.unchanged()

    host.exec(f"for i in 1 2 3; do fail2ban-client set sshd banip {OUTSIDE_IPV4}; done")
    host.exec(f"for i in $(seq 50); do iptables -S | grep -q {OUTSIDE_IPV4} && exit; sleep 0.1; done; exit 1")
    stack.configure(hosts={host.name: entry(host)}, fail2ban={"bantime": "2h", "maxretry": 4})
    stack.up()
    assert host.exec("fail2ban-client get sshd bantime").stdout == "7200\n"
    host.exec(f"for i in $(seq 50); do iptables -S | grep -q {OUTSIDE_IPV4} && exit; sleep 0.1; done; exit 1")
    assert probe_ports(lab, host, [22])["ipv4"] == {22: "refused"}  # a reload of fail2ban 0.8 would forget its bans
    stack.unchanged()

    # a server that was started without our file is reported
    host.exec(f"cat >{LOCAL}; fail2ban-client reload", input=OWN)
    stack.refresh()
    assert "sshd" in stack.preview()
    stack.up()
    assert jails(host) == "dropbear, sshd"

    stack.destroy()
    assert host.exec(["cat", LOCAL]).stdout == OWN
    host.exec(READY.format("ssh"))
    assert jails(host) == "dropbear, ssh"
    assert host.exec("ls /etc/fail2ban/jail.d", check=False).stdout == ""


def test_a_jail_local_with_includes_is_left_alone(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    host.exec(INSTALL.format("fail2ban"))
    own = "[INCLUDES]\nenabled = false\nport = 0\nbefore = other.local\n"
    host.exec(f"cat >{LOCAL}", input=own)
    stack = new_stack(host, program=FAIL2BAN, fail2ban={})
    assert "jail.local has a section INCLUDES" in stack.up(check=False)
    assert host.exec(["cat", LOCAL]).stdout == own
    assert jails(host) == "ssh"


def test_updates_by_an_origin_without_codename(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(host, program=UPDATES, updates={})
    stack.up()
    told = host.exec("unattended-upgrade --dry-run -v 2>&1").stdout
    assert "Allowed origins are: origin=Debian,label=Debian-Security, origin=Ubuntu,archive=" in told
    stack.refresh()
    stack.unchanged()
    for wanted, words in (
        ({"rebootTime": "04:30"}, "cannot reboot it at that time"),
        ({"origins": ["o=Debian,n=wheezy"]}, "supports no codename"),
    ):
        stack.configure(hosts={host.name: entry(host)}, updates=wanted)
        assert words in stack.up(check=False)
    now = {"rebootTime": "now", "origins": ["origin=Debian,archive=oldoldstable"]}
    stack.configure(hosts={host.name: entry(host)}, updates=now)
    stack.up()
    assert "archive=oldoldstable" in host.exec("unattended-upgrade --dry-run -v 2>&1").stdout
    stack.unchanged()

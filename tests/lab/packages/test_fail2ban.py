"""Fail2Ban on a lab host: real failed logins and bans."""

import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from local.lab.api import OUTSIDE_IPV4, Lab, LabHost
from tests.lab.conftest import entry
from tests.lab.outside import probe_ports
from tests.lab.stack import Stack

pytestmark = pytest.mark.usefixtures("pristine")

PROGRAM = """
import json, pulumi
from components.fail2ban.resource import Fail2Ban
from components.fail2ban.settings import PACKAGES, STARTED_HERE, Fail2BanSettings
from components.packages.resource import Packages
from components.config.inventory import connections, connection_props
config = {key.partition(":")[2]: json.loads(value) for key, value in pulumi.runtime.config.CONFIG.get().items()}
(way,) = connections(config["hosts"], None).values()
settings = Fail2BanSettings.model_validate(config.get("fail2ban", {}))
existing = config.get("options", {}).get("existing", "adopt")
host = {"host": way.name, "connection": connection_props(way)}
packages = Packages("guard", {**host, "present": PACKAGES, "unstarted": STARTED_HERE})
props = {**host, **settings.props(), "existing": existing, "triggers": packages.triggers_for(*PACKAGES)}
Fail2Ban("guard", props, pulumi.ResourceOptions(depends_on=[packages]))
"""
DROP_IN = "/etc/fail2ban/jail.d/zz-stockade.local"
OPERATOR = "198.51.100.1"
BAN_LIMIT = 15.0
INSTALLED = "dpkg -l fail2ban python3-systemd iptables 2>/dev/null | awk '/^ii/ {print $2}'"

_GUESS = """
import asyncio, sys, asyncssh
async def guess():
    try:
        async with asyncssh.connect(sys.argv[1], username="root", password="wrong", known_hosts=None, client_keys=None,
                                    config=None, preferred_auth="password", agent_path=None, login_timeout=5):
            print("in")
    except (OSError, asyncssh.Error):
        pass
for _ in range(int(sys.argv[2])):
    asyncio.run(guess())
"""


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("f2b1")


def guess(lab: Lab, host: LabHost, times: int) -> None:
    """Try wrong passwords from outside."""
    lab.outside([sys.executable, "-c", _GUESS, host.ipv4, str(times)], check=False)


def banned(host: LabHost) -> list[str]:
    return host.exec("fail2ban-client get sshd banip").stdout.split()


def wait_for_ban(host: LabHost) -> None:
    limit = time.monotonic() + BAN_LIMIT
    while OUTSIDE_IPV4 not in banned(host):
        assert time.monotonic() < limit, host.exec("tail -n 20 /var/log/fail2ban.log").stdout
        time.sleep(0.1)


def setting(host: LabHost, name: str) -> str:
    return host.exec(f"fail2ban-client get sshd {name}").stdout.strip()


def test_repeated_failures_are_banned_and_bans_outlive_changes(
    lab: Lab, host: LabHost, new_stack: Callable[..., Stack]
) -> None:
    stack = new_stack(host, program=PROGRAM, fail2ban={"maxretry": 3, "bantime": "1h"})
    packages = host.exec(INSTALLED).stdout
    stack.up()
    assert host.exec("systemctl is-enabled fail2ban; systemctl is-active fail2ban").stdout.split() == [
        "enabled",
        "active",
    ]
    guess(lab, host, 2)
    assert probe_ports(lab, host, [22])["ipv4"] == {22: "open"}, host.exec("tail -n 20 /var/log/fail2ban.log").stdout
    guess(lab, host, 2)
    wait_for_ban(host)
    assert probe_ports(lab, host, [22])["ipv4"] == {22: "refused"}
    assert banned(host) == [OUTSIDE_IPV4]  # but not the operator

    # each kind of change: limits (a reload) and ports (the jail is restarted, its old rule must go)
    stack.configure(
        hosts={host.name: entry(host)},
        fail2ban={
            "maxretry": 4,
            "findtime": "5m",
            "bantime": "2h",
            "ignoreip": ["192.0.2.0/24"],
            "sshPort": "22,2222",
            "jails": {"probe": {"filter": "sshd", "logpath": ["/var/log/dpkg.log"], "port": 80}},
        },
    )
    assert "maxretry = 4" in stack.preview()
    stack.up()
    assert [setting(host, key) for key in ("maxretry", "findtime", "bantime")] == ["4", "300", "7200"]
    assert "192.0.2.0/24" in setting(host, "ignoreip")
    assert host.exec("fail2ban-client get probe bantime").stdout.strip() == "7200"
    assert banned(host) == [OUTSIDE_IPV4]
    rules = host.exec("iptables -S INPUT").stdout
    assert "--dports 22,2222 -j f2b-sshd" in rules
    assert "--dports 22 -j" not in rules
    assert probe_ports(lab, host, [22])["ipv4"] == {22: "refused"}
    stack.unchanged()
    stack.refresh()
    stack.unchanged()

    # a flushed chain is drift: the ban is listed, but not in force
    host.exec("iptables -F INPUT; iptables -F f2b-sshd; iptables -X f2b-sshd")
    assert probe_ports(lab, host, [22])["ipv4"] == {22: "open"}
    stack.refresh()
    stack.up()
    assert probe_ports(lab, host, [22])["ipv4"] == {22: "refused"}

    stack.destroy()
    assert host.exec(INSTALLED).stdout == packages
    assert host.exec("ls -d /etc/fail2ban /var/lib/stockade 2>/dev/null || :").stdout == ""
    assert probe_ports(lab, host, [22])["ipv4"] == {22: "open"}


def test_drift_an_adopted_configuration_and_a_sudo_login(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    host.exec("apt-get -qq -y -o APT::Install-Recommends=false install fail2ban python3-systemd </dev/null")
    host.exec(f"printf '[sshd]\\nbackend = systemd\\nmaxretry = 9\\n' >{DROP_IN}; chmod 640 {DROP_IN}")
    host.exec("systemctl restart fail2ban")
    host.exec("for i in $(seq 100); do fail2ban-client get sshd maxretry && exit; sleep 0.1; done; exit 1")
    state = f"stat -c '%a %U %G' {DROP_IN}; cat {DROP_IN}; systemctl is-enabled fail2ban; systemctl is-active fail2ban"
    before = host.exec(state).stdout
    key = host.exec("cat /root/.ssh/authorized_keys").stdout.strip()
    host.exec(
        "adduser -q --disabled-password --gecos '' ops && mkdir -m 700 ~ops/.ssh &&"
        f"echo '{key}' >~ops/.ssh/authorized_keys && chown -R ops: ~ops/.ssh &&"
        "echo 'ops ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ops"
    )
    way = {
        "address": host.ipv4,
        "hostKey": host.host_key,
        "admin": {"user": "ops", "privateKeyFile": str(host.key_file)},
    }
    stack = new_stack(host, program=PROGRAM, options={"existing": "fail"})
    stack.configure(hosts={host.name: way}, options={"existing": "fail"})
    assert DROP_IN in stack.up(check=False)
    assert host.exec(state).stdout == before

    stack.configure(hosts={host.name: way}, fail2ban={"maxretry": 3})
    stack.up()
    assert setting(host, "maxretry") == "3"
    host.exec("fail2ban-client set sshd banip 192.0.2.9")
    assert OPERATOR in setting(host, "ignoreip")
    stack.unchanged()

    # changed only in the server, only in the file, or stopped: each is drift, and is repaired
    for harm, shown in (
        ("fail2ban-client set sshd bantime 5", "bantime = 5"),
        ("fail2ban-client set sshd addignoreip 203.0.113.66", "203.0.113.66"),
        (f"sed -i 's/maxretry = 3/maxretry = 30/' {DROP_IN}", "maxretry"),
        ("systemctl -q disable --now fail2ban", "enabled"),
    ):
        host.exec(harm)
        stack.refresh()
        assert shown in stack.preview()
        stack.up()
        assert [setting(host, key) for key in ("maxretry", "bantime")] == ["3", "600"]
        assert "203.0.113.66" not in setting(host, "ignoreip")
        assert banned(host) == ["192.0.2.9"]
    stack.refresh()
    stack.unchanged()

    # a file that is read after ours is reported before anything is changed
    later = "/etc/fail2ban/jail.d/zzz-company.local"
    host.exec(f"printf '[sshd]\\nenabled = false\\n' >{later}; fail2ban-client reload")
    stack.refresh()
    assert f"{later}:2: [sshd] enabled = false" in stack.up(check=False)
    host.exec(f"rm {later}; fail2ban-client reload")
    stack.refresh()
    stack.unchanged()

    stack.configure(hosts={host.name: way}, fail2ban={"jails": {"shop": {"filter": "no-such-filter"}}})
    refused = stack.up(check=False)
    assert "fail2ban refuses" in refused
    assert "Traceback" not in refused
    assert setting(host, "maxretry") == "3"

    stack.destroy()
    assert host.exec(state).stdout == before
    assert setting(host, "maxretry") == "9"
    assert banned(host) == ["192.0.2.9"]


def test_what_is_no_file_among_its_files_is_never_waited_for(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(host, program=PROGRAM)
    stack.configure(hosts={host.name: entry(host)}, fail2ban={})
    stack.up()
    host.exec("cd /etc/fail2ban/jail.d && mkfifo old old.conf.bak && mkdir kept && ln -s /dev/null off.conf")
    stack.refresh()
    stack.configure(hosts={host.name: entry(host)}, fail2ban={"jails": {"sshd": {"maxretry": 4}}})
    stack.up()
    host.exec("mkfifo /etc/fail2ban/jail.d/90-pipe.conf")
    stack.refresh()
    stack.configure(hosts={host.name: entry(host)}, fail2ban={})
    assert "/etc/fail2ban/jail.d/90-pipe.conf is not a regular file" in stack.up(check=False)
    host.exec("rm /etc/fail2ban/jail.d/90-pipe.conf")
    stack.destroy()


def test_the_packages_own_jail_bans_nobody_before_ours(
    bring_up: Callable[[str, str], LabHost], new_stack: Callable[..., Stack]
) -> None:
    host = bring_up("f2b2", "debian-13")  # its own jail finds the log, and bans at once
    subprocess.run([sys.executable, "-c", _GUESS, host.ipv4, "6"], check=True)
    stack = new_stack(host, program=PROGRAM)
    stack.up()
    assert OPERATOR not in banned(host)
    assert host.exec("journalctl -b -u fail2ban -o cat | grep -c ^Started").stdout.strip() == "1"
    assert not host.exec("ls /usr/sbin/policy-rc.d", check=False).stdout
    stack.destroy()
    assert host.exec(INSTALLED).stdout.split() == ["iptables"]


def test_a_run_killed_half_way_is_continued(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    host.exec("apt-get -qq -y -o APT::Install-Recommends=false install fail2ban python3-systemd </dev/null")
    # a slow start of the server, so that the kill hits the operation in the middle
    host.exec(
        "mkdir -p /etc/systemd/system/fail2ban.service.d && printf '[Service]\\nExecStartPre=/bin/sleep 4\\n'"
        " >/etc/systemd/system/fail2ban.service.d/slow.conf && systemctl daemon-reload"
    )
    before = host.exec("ls /etc/fail2ban/jail.d; systemctl is-enabled fail2ban").stdout
    stack = new_stack(host, program=PROGRAM, fail2ban={"maxretry": 3})
    with stack.running() as run:
        limit = time.monotonic() + 60
        while host.exec(f"test -e {DROP_IN}", check=False).returncode:
            assert time.monotonic() < limit
            time.sleep(0.05)
        run.kill()
    stack.up()
    assert setting(host, "maxretry") == "3"
    stack.unchanged()
    stack.destroy()
    assert host.exec("ls /etc/fail2ban/jail.d; systemctl is-enabled fail2ban").stdout == before


def test_what_the_host_never_bans_is_kept(lab: Lab, host: LabHost, new_stack: Callable[..., Stack]) -> None:
    host.exec("apt-get -qq -y -o APT::Install-Recommends=false install fail2ban python3-systemd </dev/null")
    # ours in DEFAULT, on two lines; one jail has its own
    local = f"[DEFAULT]\nignoreip = 192.0.2.0/25 ::1\n  {OUTSIDE_IPV4}\n[probe]\nignoreip = 192.0.2.200\n"
    local += "[sshd]\nbackend = systemd\n"
    host.exec("cat >/etc/fail2ban/jail.local && systemctl restart fail2ban", input=local)
    before = host.exec("cd /etc/fail2ban && find . -type f -exec cksum {} + | sort").stdout
    probe = {"filter": "sshd", "logpath": ["/var/log/dpkg.log"]}
    stack = new_stack(
        host, program=PROGRAM, fail2ban={"maxretry": 2, "ignoreip": ["203.0.113.66"], "jails": {"probe": probe}}
    )
    stack.up()
    never = setting(host, "ignoreip").replace("|-", "").replace("`-", "").split()[-6:]
    assert {"192.0.2.0/25", OUTSIDE_IPV4, OPERATOR, "203.0.113.66"} <= set(never)
    assert "192.0.2.200" not in never
    probed = host.exec("fail2ban-client get probe ignoreip").stdout
    assert "192.0.2.200" in probed
    assert OUTSIDE_IPV4 not in probed
    guess(lab, host, 3)
    ignored = f"timeout 30 sh -c 'until grep -q \"Ignore {OUTSIDE_IPV4}\" /var/log/fail2ban.log; do sleep 0.1; done'"
    host.exec(ignored)
    assert banned(host) == []
    stack.refresh()
    stack.unchanged()
    # one added, and one removed
    host.exec("sed -i 's/^ignoreip = .*::1/ignoreip = 198.51.100.99/' /etc/fail2ban/jail.local; fail2ban-client reload")
    stack.refresh()
    assert "ignoreip" in stack.preview(check=False)
    stack.up()
    assert "198.51.100.99" in setting(host, "ignoreip")
    assert "192.0.2.0/25" not in setting(host, "ignoreip")
    stack.unchanged()
    host.exec("cat >/etc/fail2ban/jail.local", input=local)
    stack.configure(hosts={host.name: entry(host)}, fail2ban={"jails": {"sshd": {"backend": "auto"}}})
    refused = stack.up(check=False)
    assert "packages: {present: [rsyslog]}" in refused, refused.output
    stack.destroy()
    assert host.exec("cd /etc/fail2ban && find . -type f -exec cksum {} + | sort").stdout == before
    assert OUTSIDE_IPV4 in setting(host, "ignoreip")
    assert OPERATOR not in setting(host, "ignoreip")

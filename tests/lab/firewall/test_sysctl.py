"""Kernel settings that go with a firewall: in force for each interface, after a reboot, and restored; with systemd and
without.
"""

from collections.abc import Callable

import pytest

from local.lab.api import LabHost
from tests.lab.stack import Stack

DROP_IN = "/etc/sysctl.d/zz-stockade.conf"
LOOK = """cd /proc/sys/net
for f in ipv4/tcp_syncookies ipv4/icmp_* ipv[46]/conf/*/accept_redirects ipv[46]/conf/*/accept_source_route \
    ipv4/conf/*/rp_filter ipv4/conf/*/se*_redirects; do echo "$f $(cat "$f")"; done"""
FILES = "cd /etc && ls -A sysctl.d && cat sysctl.conf"
RIGHT = {
    **dict.fromkeys(("rp_filter", "tcp_syncookies", "secure_redirects"), "1"),
    **dict.fromkeys(("icmp_echo_ignore_broadcasts", "icmp_ignore_bogus_error_responses"), "1"),
    **dict.fromkeys(("accept_redirects", "send_redirects", "accept_source_route"), "0"),
}
OTHER_WAY = """
ip link add veth7 type veth peer name eth0.9 && ip link set veth7 up && ip link set eth0.9 up
ip route add 198.51.100.0/24 dev eth0 table 100
ip rule add fwmark 1 table 100
iptables -t mangle -A OUTPUT -p tcp --sport 22 -j MARK --set-mark 1
ip route add 198.51.100.1/32 dev veth7
"""
"""Replies to the operator leave by another interface than in the main table, which a strict rp_filter does not see."""


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("sysctl1")


def values(host: LabHost) -> dict[str, str]:
    """Return the settings of the chapter, by their paths below /proc/sys/net."""
    return dict(line.split(" ", 1) for line in host.exec(LOOK).stdout.splitlines())


def wrong(host: LabHost) -> dict[str, str]:
    """Return the settings that differ from the defaults."""
    return {path: value for path, value in values(host).items() if RIGHT.get(path.split("/")[-1], value) != value}


def write(host: LabHost, path: str, value: int) -> None:
    host.exec(f"echo {value} >/proc/sys/net/{path}")


@pytest.mark.usefixtures("pristine")
def test_each_interface_is_as_declared_until_it_is_given_back(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    write(host, "ipv4/conf/eth0/rp_filter", 2)  # looser than `all`
    host.exec("echo net.ipv4.tcp_syncookies = 0 >>/etc/sysctl.conf")
    before, files = values(host), host.exec(FILES).stdout
    stack = new_stack(host, sysctl={})
    refused = stack.up(check=False)
    assert "/etc/sysctl.conf:69: net/ipv4/tcp_syncookies = 0" in refused
    assert (values(host), host.exec(FILES).stdout) == (before, files)

    host.exec("sed -i '$ d' /etc/sysctl.conf; ip link add veth7 type veth peer name eth0.9")
    stack.up()
    assert wrong(host) == {}
    assert "net/ipv4/conf/eth0.9/rp_filter = 1\n" in host.exec(f"cat {DROP_IN}").stdout
    write(host, "ipv4/conf/eth0/rp_filter", 2)
    write(host, "ipv6/conf/eth0.9/accept_redirects", 1)
    stack.refresh()
    drift = stack.preview()
    assert "ipv4.conf.eth0.rp_filter = 2" in drift
    assert "ipv6/conf/eth0.9/accept_redirects = 1" in drift
    write(host, "ipv4/conf/eth0/rp_filter", 1)
    host.exec("ip link del veth7")
    stack.refresh()
    stack.unchanged()

    host.reboot()
    assert wrong(host) == {}
    stack.destroy()
    assert values(host) == before
    assert files.startswith(host.exec(FILES).stdout)


def test_what_cuts_the_way_in_goes_back(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    host.exec(OTHER_WAY)
    stack = new_stack(host, sysctl={"confirmWithin": 5})
    before = values(host)
    refused = stack.up(check=False)
    assert refused.status != 0
    assert "no new login worked" in refused
    assert values(host) == before
    assert host.exec(f"ls {DROP_IN}", check=False).stdout == ""


@pytest.mark.parametrize("variant", ["centos6", "debian7"])
def test_a_host_without_systemd_keeps_them_over_a_boot(
    variant: str, bring_up: Callable[..., LabHost], new_stack: Callable[..., Stack]
) -> None:
    host = bring_up(f"sysctl-{variant}", variant)
    before = values(host)
    stack = new_stack(host, sysctl={"values": {"kernel.pid_max": 65536}})
    assert "settings that nobody can change on this host (is it a container?): kernel.pid_max" in stack.up()
    host.reboot()
    assert wrong(host) == {}
    stack.destroy()
    assert values(host) == before

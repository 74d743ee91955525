"""Ports published by chains like Docker's on a lab host: from outside, in a refresh and in a look."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local.lab.api import LabHost
from tests.lab.stack import Stack

pytestmark = pytest.mark.usefixtures("pristine")

BRIDGE = (
    "ip link add docker0 type veth peer name container; ip addr add 172.17.0.1/16 dev docker0;"
    "ip link set docker0 up; ip link set container up; sysctl -qw net.ipv4.ip_forward=1"
)
CHAINS = (
    "iptables -t nat -N DOCKER; iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER;"
    "iptables -N DOCKER; iptables -I FORWARD 1 -o docker0 -j DOCKER"
)
PUBLISH = (
    "iptables -t nat -A DOCKER ! -i docker0 -p tcp --dport 5432 -j DNAT --to-destination 172.17.0.2:5432;"
    "iptables -A DOCKER -d 172.17.0.2 ! -i docker0 -o docker0 -p tcp --dport 5432 -j ACCEPT"
)
LINE = "tcp/5432 from anywhere, forwarded to 172.17.0.2:5432 by nat DOCKER 1 and filter DOCKER 1"


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    return bring_up("published1")


def test_what_docker_publishes_is_seen_at_every_look(
    host: LabHost, new_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    stack = new_stack(host, firewall={})
    host.exec(f"{BRIDGE}; {CHAINS}")
    stack.up()
    stack.refresh()
    stack.unchanged()
    host.exec(PUBLISH)
    stack.refresh()
    assert f"beyond what is declared: {LINE}" in stack.preview(check=False).output
    saved, addresses, routes = (tmp_path / name for name in ("saved", "addresses", "routes"))
    saved.write_text(host.iptables_save(4))
    addresses.write_text(host.exec("ip -j addr").stdout)
    routes.write_text(host.exec("ip -j -4 route").stdout)
    explained = subprocess.run(
        [sys.executable, "-m", "policies.explain", saved, addresses, routes], capture_output=True, text=True, check=True
    )
    assert LINE in explained.stdout
    seen = stack.run("look", "--host", "published1").output
    assert f"    {LINE}" in seen
    way = stack.run("look", "--packet", f"tcp 203.0.113.77:40000 > {host.ipv4}:5432").output
    assert "nat DOCKER 1: -A DOCKER ! -i docker0 -p tcp -m tcp --dport 5432 -j DNAT" in way
    assert "= forwarded: tcp 203.0.113.77:40000 > 172.17.0.2:5432 out docker0" in way
    host.exec(
        "nft add table inet company; nft add chain inet company f '{ type filter hook forward priority -10; }';"
        "nft add rule inet company f ip saddr 203.0.113.0/24 tcp dport 5432 drop"
    )
    narrowed = LINE.replace("anywhere", "anywhere but 203.0.113.0/24")
    assert f"    {narrowed}" in stack.run("look").output
    host.exec("nft delete table inet company")
    stack.up()
    stack.unchanged()
    stack.refresh()
    stack.unchanged()
    assert any(LINE in str(resource) for resource in stack.state())

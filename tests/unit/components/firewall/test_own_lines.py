"""Which lines of iptables-save are of our chains (`components/firewall/boot/own_lines.sh`)."""

import pytest

from hosts.scripts import script
from hosts.shell import Script
from tests.unit.hosts.test_shell import one

SAVED = """\
*nat
:PREROUTING ACCEPT [5:300]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -i docker0 -j ACCEPT
-A PREROUTING -i eth0 -j REDIRECT --to-ports 8080
-A PREROUTING -j DOCKER
-A DOCKER -i eth0 -j RETURN
COMMIT
*mangle
:FORWARD ACCEPT [0:0]
-A FORWARD -o docker0 -j MARK --set-xmark 0x1/0xffffffff
COMMIT
*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OURS - [0:0]
[7:420] -A INPUT -i docker0 -j ACCEPT
-A INPUT -g OURS
-A FORWARD -i docker0 -j ACCEPT
-A FORWARD -i docker01 -o eth0 -j ACCEPT
-A OURS -o docker0 -j DROP
COMMIT
"""
OURS = "nat/PREROUTING mangle/FORWARD filter/INPUT filter/FORWARD filter/OURS"
OTHERS = [
    "nat -A PREROUTING -i docker0 -j ACCEPT",
    "mangle -A FORWARD -o docker0 -j MARK --set-xmark 0x1/0xffffffff",
    "filter -A FORWARD -i docker0 -j ACCEPT",
]


@pytest.mark.parametrize("preserved", ["docker0|br-[^ ]*", ""])
def test_lines_of_our_chains_except_others_jumps_and_interfaces(preserved: str) -> None:
    values = {"own_chains": OURS, "preserved": preserved, "saved": SAVED}
    body = script("components/firewall/boot/own_lines.sh") + 'printf "%s" "$saved" | _own_lines\n'
    found = one(Script("filter", body, values)).stdout.splitlines()
    ours = [
        "nat :PREROUTING ACCEPT",
        "nat -A PREROUTING -i eth0 -j REDIRECT --to-ports 8080",
        "mangle :FORWARD ACCEPT",
        "filter :INPUT DROP",
        "filter :FORWARD DROP",
        "filter :OURS -",
        "filter -A INPUT -i docker0 -j ACCEPT",
        "filter -A INPUT -g OURS",
        "filter -A FORWARD -i docker01 -o eth0 -j ACCEPT",
        "filter -A OURS -o docker0 -j DROP",
    ]
    assert sorted(found) == sorted(ours if preserved else [*ours, *OTHERS])

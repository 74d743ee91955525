"""The guide's rulesets and commands, typed on a host verbatim or declared in Stockade, have the same result."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.lab.api import LabHost
from tests.lab.conftest import entry
from tests.lab.stack import Stack

GUIDE = Path(__file__).parents[2] / "unit" / "rules" / "data" / "guide"
V4, V6, V6_REJECT = ((GUIDE / f"{name}.txt").read_text() for name in ("v4", "v6", "v6-reject"))
COMMANDS = (GUIDE / "commands.txt").read_text().splitlines()
LISTINGS = {"iptables": GUIDE / "listing-v4.txt", "ip6tables": GUIDE / "listing-v6.txt"}
PING = "-A INPUT -p icmp -m state --state NEW --icmp-type 8 -j ACCEPT"
TYPES = ("destination-unreachable", "echo-request", "time-exceeded")
LISTED = "\n".join(f"-A INPUT -p icmp --icmp-type {name} -j ACCEPT" for name in TYPES)
IMPORT = "sudo iptables-restore < /tmp/v4\nsudo ip6tables-restore < /tmp/v6\n"
OPEN = "for t in iptables ip6tables; do for c in INPUT FORWARD OUTPUT; do $t -P $c ACCEPT; done; $t -F; done"


@pytest.fixture(scope="module")
def host(bring_up: Callable[[str], LabHost]) -> LabHost:
    host = bring_up("verbatim1")
    host.exec("DEBIAN_FRONTEND=noninteractive apt-get install -qy sudo iptables-persistent </dev/null")
    return host


def in_force(host: LabHost) -> tuple[str, str]:
    """The rules of both families in the kernel, without counters."""
    saved = "{} | sed -e '/^#/d' -e 's/\\[[0-9:]*\\]//'"
    return host.exec(saved.format("iptables-save")).stdout, host.exec(saved.format("ip6tables-save")).stdout


def listing(host: LabHost, tool: str) -> list[str]:
    return normal(host.exec(f"sudo {tool} -vL").stdout)


def normal(text: str) -> list[str]:
    """A listing without counters, columns, and the `--` for no options, which some versions omit."""
    lines = (re.sub(r"\s+", " ", line.replace(" -- ", " ")).strip() for line in text.splitlines())
    return [re.sub(r"^\d+[KM]? \d+[KM]? |\d+[KM]? packets, \d+[KM]? bytes", "", line) for line in lines if line]


def typed(host: LabHost, v4: str, v6: str, *commands: str) -> tuple[str, str]:
    """The rules in force after somebody has followed the guide; afterwards the host is open again."""
    host.exec("cat >/tmp/v4", input=v4)
    host.exec("cat >/tmp/v6", input=v6)
    try:
        host.exec("\n".join(("set -e", IMPORT, *commands, "rm /tmp/v4 /tmp/v6")))
        return in_force(host)
    finally:
        host.exec(OPEN)


def test_stockade_has_the_guides_own_text_in_force(host: LabHost, new_stack: Callable[..., Stack]) -> None:
    printed = typed(host, V4, V6)
    assert "\n    \n" in V6_REJECT  # ip6tables-restore itself refuses these blanks
    rejecting = typed(host, V4, V6_REJECT.replace("\n    \n", "\n\n"))
    edited = [typed(host, V4.replace(PING, LISTED), V6, *COMMANDS[:count]) for count in range(len(COMMANDS) + 1)]
    assert len({text for text, _ in edited}) == len(edited)  # each command has an effect

    stack = new_stack(host)

    def declared(**firewall: Any) -> tuple[str, str]:
        stack.configure(hosts={host.name: entry(host)}, firewall=firewall)
        stack.up()
        stack.unchanged()
        return in_force(host)

    assert declared(ipv4={"rules": V4}, ipv6={"rules": V6}) == printed
    assert listing(host, "ip6tables") == [
        f"{line} state NEW" if line.startswith("ACCEPT ipv6-icmp") else line
        for line in normal(LISTINGS["ip6tables"].read_text())
    ]
    host.exec("netfilter-persistent start")  # the same is loaded at boot
    assert in_force(host) == printed

    assert declared(icmp="listed", ipv6={"rules": V6}) == edited[0]
    assert listing(host, "iptables") == normal(LISTINGS["iptables"].read_text())
    for count in range(1, len(COMMANDS) + 1):
        assert declared(icmp="listed", ipv4={"commands": COMMANDS[:count]}, ipv6={"rules": V6}) == edited[count]

    assert declared(ipv4={"rules": V4}, ipv6={"rules": V6_REJECT}) == rejecting
    assert host.exec("grep -v ^# /etc/gai.conf").stdout.split() == ["precedence", "::ffff:0:0/96", "100"]
    stack.destroy()
    assert "-A" not in "".join(in_force(host))

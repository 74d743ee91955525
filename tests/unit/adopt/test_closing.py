"""A firewall that is closed lets in nothing new, denies the rest, and stays as it is when closed again."""

from typing import Any

import pytest

from adopt.closing import Listener, closed, listeners, unlike_listeners
from components.firewall.settings import FirewallSettings
from rules.analysis.reachability import Analysis
from rules.language.parse import parse
from rules.packets.chains import Compiler
from rules.values.family import Family

EMPTY = ""
SHUT = """
-P INPUT DROP
-A INPUT -i lo -j ACCEPT
-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p tcp --dport 22 -j ACCEPT
-A INPUT -p tcp --dport 443 -j ACCEPT
"""
NETWORK = {Family.IPV4: "192.0.2.0/24", Family.IPV6: "2001:db8::/32"}
TEXTS = {
    "empty": EMPTY,
    "shut": SHUT,
    "shut to most": SHUT + "-A INPUT -s NETWORK -p tcp --dport 5432 -j ACCEPT\n",
    "ssh for some": SHUT.replace("-p tcp --dport 22", "-s NETWORK -p tcp --dport 22"),
    "loose": "-A INPUT -s NETWORK -j DROP\n-A INPUT -p tcp --dport 3306 -j DROP\n",
    "accepts all": "-A INPUT -s NETWORK -j DROP\n-A INPUT -j ACCEPT\n",
    "chains": ":bad -\n-A bad -m limit --limit 5/min -j LOG\n-A bad -j DROP\n-A INPUT -s NETWORK -j bad\n",
    "a chain of that name": ":icmpv6 -\n-A icmpv6 -j RETURN\n-A INPUT -p tcp --dport 25 -j icmpv6\n",
    "nat alone": "*nat\n-A POSTROUTING -o eth0 -j MASQUERADE\nCOMMIT\n",
    "forwarding": SHUT + "-A FORWARD -i wg0 -j ACCEPT\n",
    "unknown": "-A INPUT -m u32 --u32 0&0xFF=1 -j ACCEPT\n-A INPUT -j DROP\n",
}
LISTENING = (
    "tcp 0.0.0.0:22 sshd (package openssh-server)",
    "tcp [::]:22 sshd (package openssh-server)",
    "tcp *:443 nginx (package nginx)",
    "tcp *:3306 mysqld (package mysql-server)",
    "tcp *:111 rpcbind (package rpcbind)",
    "udp [::]:53 named (package bind9)",
    "udp 0.0.0.0:68 dhclient (package isc-dhcp-client)",
    "nonsense",
)
SERVING = listeners(LISTENING, ["rpcbind"])


def settings(ipv4: str, ipv6: str) -> dict[str, Any] | None:
    """What adoption makes of two texts."""
    if not TEXTS[ipv4] + TEXTS[ipv6]:
        return None
    texts = {Family.IPV4: TEXTS[ipv4], Family.IPV6: TEXTS[ipv6]}
    return {str(family): {"rules": text.replace("NETWORK", NETWORK[family])} for family, text in texts.items()}


def test_listeners() -> None:
    families = tuple(Family)
    assert [(str(one), one.families) for one in SERVING] == [
        ("tcp 22 (sshd)", families),
        ("tcp 443 (nginx)", families),
        ("tcp 3306 (mysqld)", families),
        ("udp 53 (named)", (Family.IPV6,)),
    ]


PAIRS = [pair for one in TEXTS for other in ("empty", "shut", "loose") for pair in ((one, other), (other, one))]


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "forwards"),
    [*((*pair, ()) for pair in dict.fromkeys(PAIRS)), *((one, one, tuple(Family)) for one in TEXTS)],
)
def test_nothing_new_is_let_in_and_the_rest_is_denied(ipv4: str, ipv6: str, forwards: tuple[Family, ...]) -> None:
    there = settings(ipv4, ipv6)
    found = closed(there, SERVING, [22], forwards)
    before = FirewallSettings.model_validate(
        there or {f"{family}": {"rules": "*filter\nCOMMIT\n"} for family in Family}
    )
    after = FirewallSettings.model_validate(found.settings)
    for family, name in ((Family.IPV4, ipv4), (Family.IPV6, ipv6)):
        compiler = Compiler(family)
        was, now = (Analysis(parse(one.ruleset(family), family), compiler=compiler) for one in (before, after))
        assert now.beyond(was) == ()
        assert now.beyond(was, "FORWARD") == ()
        if name not in ("unknown", "accepts all"):
            assert now.default_deny() is True
        if not forwards and name != "forwarding":
            assert now.default_deny("FORWARD") is True
        elif name in ("forwarding", "empty"):
            assert not was.beyond(now, "FORWARD")
        for table in was.ruleset.tables:
            if table.name != "filter":
                assert now.ruleset.table(table.name) == table
    again = closed(found.settings, SERVING, [22], forwards)
    assert again.changed == []
    assert again.settings == found.settings


def test_ipv6_is_as_open_as_ipv4() -> None:
    found = closed(settings("shut to most", "empty"), SERVING, [22], ())
    assert found.settings["preset"] == "ssh"
    assert found.settings["services"] == [{"name": "nginx", "ports": [443]}]
    assert any("no longer tcp 3306 (mysqld), udp 53 (named)" in reason for reason in found.reasons)
    some = closed(settings("ssh for some", "empty"), SERVING, [22], ())
    assert some.settings["sshSources"] == ["192.0.2.0/24"]


def test_a_typed_firewall_makes_ipv6_the_same() -> None:
    there = {
        "preset": "ssh",
        "services": [{"ports": [443], "sources": ["192.0.2.0/24"]}],
        "ipv6": {"rules": "*filter\nCOMMIT\n"},
    }
    found = closed(there, SERVING, [22], ())
    assert found.settings == {name: value for name, value in there.items() if name != "ipv6"}


def test_the_port_of_sshd_is_the_presets() -> None:
    serving = [Listener("tcp", 2202, "systemd", tuple(Family))]
    assert closed(None, serving, [2202], ()).settings == {"preset": "ssh", "sshPort": 2202}


def test_what_is_open_and_what_listens_are_compared() -> None:
    there = settings("shut to most", "shut")
    assert there is not None
    assert unlike_listeners(there, SERVING) == [
        "tcp 5432 is open, and nobody listens there: remove it if it is not needed",
        "tcp 3306 (mysqld) listens, and nobody can reach it: end it, or let it listen on the loopback alone",
        "udp 53 (named) listens, and nobody can reach it: end it, or let it listen on the loopback alone",
    ]

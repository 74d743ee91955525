"""The tables, chains and protocols in which a match or target is refused are those of the real iptables.

``STOCKADE_KERNEL_RULESETS`` is the number of places that are tried in each family; 5,000 are all.
"""

from __future__ import annotations

import os
import subprocess
from random import Random

import pytest

from rules.errors import RuleSyntaxError
from rules.language.parse import parse
from rules.model import BUILTIN_CHAINS
from rules.values.family import Family
from tests.kernel.tables import BACKENDS, missing

pytestmark = pytest.mark.lab
PLACES = int(os.environ.get("STOCKADE_KERNEL_RULESETS", "120"))
_BOTH = """
-m owner --uid-owner 0
-m owner --socket-exists
-m mac --mac-source 52:54:00:00:00:01
-m rpfilter
-m socket
-m physdev --physdev-in eth0
-m physdev --physdev-out eth0
-m physdev --physdev-is-out
-m physdev --physdev-is-bridged --physdev-out eth0
-m devgroup --src-group 1
-m devgroup --dst-group 1
-m addrtype --src-type LOCAL --limit-iface-in
-m addrtype --dst-type LOCAL --limit-iface-out
-m policy --dir in --pol none
-m policy --dir out --pol none
-m cgroup --cgroup 1
-i eth0
! -o eth0
-p tcp -j DNAT --to-destination :80
-p udp -j SNAT --to-source :80
-j DNAT --to-destination :80
! -p tcp -j DNAT --to-destination :80
-p gre -j SNAT --to-source :80-90
-j MASQUERADE
-j MASQUERADE --to-ports 80
-p tcp -j MASQUERADE --to-ports 80
-j REDIRECT
-j REDIRECT --to-ports 80
-p tcp -j REDIRECT --to-ports 80
-p icmp -j REDIRECT --to-ports 80
-p icmpv6 -j REDIRECT --to-ports 80
-p udplite -j REDIRECT --to-ports 80
-j REJECT
-j REJECT --reject-with tcp-reset
-p tcp -j REJECT --reject-with tcp-reset
-p udp -j REJECT --reject-with tcp-reset
-p tcp --syn -j TCPMSS --clamp-mss-to-pmtu
-p tcp --syn -j TCPMSS --set-mss 1400
-j TCPMSS --set-mss 1400
-p tcp -j TPROXY --on-port 80
-j TPROXY --on-port 80
-p sctp -j TPROXY --on-port 80
-j NOTRACK
-j CT --notrack
-p tcp -j CT --helper ftp
-j CT --helper ftp
-j MARK --set-mark 1
-j CONNMARK --save-mark
-j DSCP --set-dscp 1
-j TOS --set-tos 1
-j CLASSIFY --set-class 1:1
-p tcp -j TCPOPTSTRIP --strip-options mss
-j TCPOPTSTRIP --strip-options mss
-j LOG
-j NFLOG
-j TRACE
-p tcp -j SYNPROXY
-j SYNPROXY
-j CONNSECMARK --save
-j ACCEPT
-j DROP
-m tcp --dport 80
-p udp -m tcp --dport 80
-m multiport --dports 80
-p icmp -m multiport --dports 80
-m esp --espspi 1
-m sctp --dport 80
-p udp -m tcpmss --mss 1:2
-p tcp -m ecn --ecn-tcp-cwr
-m ecn --ecn-tcp-cwr
-m ecn --ecn-ip-ect 1
-m ah --ahspi 1
"""
_OWN = {
    Family.IPV4: """
-m realm --realm 1
-j SNAT --to-source 192.0.2.1
-j SNAT --to-source 192.0.2.1:80
-j DNAT --to-destination 192.0.2.1-192.0.2.5
-j NETMAP --to 192.0.2.0/24
-j TTL --ttl-set 1
-p tcp -j ECN --ecn-tcp-remove
-j ECN --ecn-tcp-remove
-m icmp --icmp-type 8
-p icmpv6 -j REJECT
-p tcp -m osf --genre Linux
-m osf --genre Linux
-m hl --hl-eq 1
-m eui64
-p icmpv6 -m icmp6 --icmpv6-type 1
""",
    Family.IPV6: """
-j SNAT --to-source 2001:db8::1
-j DNAT --to-destination [2001:db8::1]:80
-p tcp -j DNAT --to-destination [2001:db8::1]:80
-j NETMAP --to 2001:db8::/64
-j HL --hl-set 1
-m eui64
-m mh --mh-type 1
-p mh -m mh --mh-type 1
-m icmp6 --icmpv6-type 128
-p icmpv6 -m icmp6 --icmpv6-type 128
-j SNPT --src-pfx 2001:db8::/64 --dst-pfx 2001:db9::/64
-j DNPT --src-pfx 2001:db8::/64 --dst-pfx 2001:db9::/64
-m ttl --ttl-eq 1
-m realm --realm 1
-p icmp -m icmp --icmp-type 8
""",
}


def _texts(family: Family) -> list[str]:
    """Each rule in each built-in chain, and in a user chain called from there."""
    rules = [line for line in (_BOTH + _OWN[family]).split("\n") if line]
    found = []
    for rule in rules:
        for table, chains in BUILTIN_CHAINS.items():
            for chain in chains:
                found.append(f"*{table}\n-A {chain} {rule}\nCOMMIT\n")
                found.append(
                    f"*{table}\n:one - [0:0]\n:two - [0:0]\n-A {chain} -j one\n-A one -g two\n-A two {rule}\nCOMMIT\n"
                )
        found.append(f"*filter\n:one - [0:0]\n-A one {rule}\nCOMMIT\n")
    return found


def _taken(backend: str, family: Family, texts: list[str]) -> list[bool]:
    """Whether iptables-restore accepts each text, in its own network namespace."""
    if reason := missing(backend):
        pytest.skip(reason)
    tool = f"{family.command}-{backend}-restore"
    script = []
    for text in texts:
        table = text.partition("\n")[0]
        script.append(f"{tool} 2>/dev/null <<'TEXT' && echo taken || echo refused\n{text}TEXT")
        script.append(f"{tool} <<'TEXT'\n{table}\nCOMMIT\nTEXT")
    run = subprocess.run(
        ["unshare", "-n", "sh", "-s"], input="\n".join(script) + "\n", text=True, capture_output=True, check=True
    )
    return [line == "taken" for line in run.stdout.split()]


def _refusal(text: str, family: Family) -> str:
    try:
        parse(text, family)
    except RuleSyntaxError as error:
        return f"{error.line}:{error.column} {error.reason}"
    return ""


@pytest.mark.parametrize("family", list(Family))
def test_what_no_backend_takes_is_refused_and_nothing_else(family: Family) -> None:
    every = _texts(family)
    texts = Random(1).sample(every, min(PLACES, len(every)))
    kernels = [_taken(backend, family, texts) for backend in BACKENDS]
    wrong = []
    for text, taken in zip(texts, zip(*kernels, strict=True), strict=True):
        refusal = _refusal(text, family)
        if bool(refusal) == any(taken):
            wrong.append(f"{text}{refusal or 'is read'}, {dict(zip(BACKENDS, taken, strict=True))}")
    print(f"{family.label}: {len(texts)} places, {sum(map(any, zip(*kernels, strict=True)))} taken by a kernel")
    assert wrong == [], "\n".join(wrong)

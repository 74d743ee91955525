"""All cases: those for every match and target, and rules without either."""

from __future__ import annotations

from rules.model import BUILTIN_CHAINS
from tests.kernel.language.cases import Case
from tests.kernel.language.grammar_matches import MATCHES
from tests.kernel.language.grammar_targets import TARGETS
from tests.kernel.language.subject import Subject
from tests.kernel.language.values import INTERFACES, NETWORKS, NONE, PORTS, PROTOCOLS

_JUMPS = ("ACCEPT", "DROP", "RETURN", "QUEUE", "other", "nosuch", "accept", "INPUT", '""')
_BASE = Subject(
    "",
    {
        **dict.fromkeys(("-s", "-d"), NETWORKS),
        **dict.fromkeys(("--source", "--src", "--destination", "--dst"), NETWORKS[:3]),
        **dict.fromkeys(("-i", "-o"), INTERFACES),
        **dict.fromkeys(("--in-interface", "--out-interface"), INTERFACES[:2]),
        "-p": PROTOCOLS,
        "--protocol": PROTOCOLS[:3],
        **dict.fromkeys(("-f", "--fragment", "--fragments"), NONE),
        **dict.fromkeys(
            ("-j", "--jump"), ("ACCEPT", "DROP", "RETURN", "QUEUE", "other", "nosuch", "accept", "INPUT", '""')
        ),
        **dict.fromkeys(("-g", "--goto"), ("other", "ACCEPT", "nosuch", "LOG")),
        "-m": ("nosuch", '""', "TCP", "comment"),
        "-c": ("5 7", "5,7", "5", "x y"),
    },
    chain="FORWARD",
    more=(
        *(
            f"-p {protocol} {option} 5"
            for protocol in ("tcp", "udp", "sctp", "dccp", "udplite", "icmp", "all")
            for option in ("--sport", "--dport")
        ),
        *(
            f"-p {protocol} --{option} 8"
            for protocol in ("icmp", "icmpv6", "tcp")
            for option in ("icmp-type", "icmpv6-type")
        ),
        *(f"-p tcp --dport {port} -j ACCEPT" for port in PORTS),
        *(f"-m {match} --dport 22 -p {match}" for match in ("tcp", "udp", "sctp")),
        *("-p tcp -m udp --dport 5", "-p tcp --dport 5 -m udp", "-p tcp --syn", "-p tcp ! --syn", "-p udp --syn"),
        *(
            "-p esp --espspi 5",
            "-p ah --ahspi 5",
            "-p mh --mh-type 5",
            "--dport 5",
            "--dport 5 -p tcp",
            "-p 6 --dport 5",
        ),
        *(
            "-p tcp -p udp",
            "-s 192.0.2.1 -s 192.0.2.2",
            "-j ACCEPT -j DROP",
            "-j ACCEPT -g other",
            "ACCEPT",
            "-j",
            "-m",
        ),
        *(
            "-p tcp -m tcp -m tcp --dport 5",
            "-p tcp -m tcp --dport 5 -m tcp --sport 6",
            "-p udp --dport 5 -m udp --sport 6",
        ),
        *(
            "-p tcp -m comment --comment x --dport 5",
            "-m comment --comment x -m comment --comment y",
            "-m limit -m limit",
        ),
        *("-p tcp -m multiport --dports 5 -m multiport --sports 6", "-p tcp -m multiport --dports 5 --sports 6"),
        *(
            "-m state --state NEW -m conntrack --ctstate NEW -j ACCEPT",
            "-j LOG -j ACCEPT",
            "-j ACCEPT -m state --state NEW",
        ),
        *("-j LOG --log-prefix x -p tcp --dport 5", "-pTCP", "-ptcp --dport 5", "-s192.0.2.1", "-jACCEPT", "-ieth0"),
        *(
            "--dport=5 -p tcp",
            "-p tcp --dport=5",
            "-p=tcp",
            "-s=192.0.2.1",
            "--proto tcp",
            "--dest 192.0.2.1",
            "--in eth0",
        ),
        *(
            "-4 -j ACCEPT",
            "-6 -j ACCEPT",
            "-v -j ACCEPT",
            "-n -j ACCEPT",
            "-t filter -j ACCEPT",
            "-w -j ACCEPT",
            "! -j ACCEPT",
        ),
        *(
            "! -s 192.0.2.1,192.0.2.2",
            "-s 192.0.2.1,192.0.2.2 -d 10.0.0.1,10.0.0.2 -j ACCEPT",
            "-s 192.0.2.1, 192.0.2.2",
        ),
        *(
            "-s 2001:db8::1,2001:db8::2 -d 2001:db8::3,2001:db8::4 -j ACCEPT",
            "! -p all",
            "! -p 0",
            "! -s 0/0",
            "! -i +",
            "! -o +",
        ),
        *(
            "-j ACCEPT --log-prefix x",
            "-j other --log-prefix x",
            "-j RETURN",
            "-j QUEUE",
            "-g other",
            "-j ACCEPT extra",
            "-- -j",
        ),
        *(
            "-p icmp --icmp-type 8 -j ACCEPT",
            "-p icmpv6 --icmpv6-type 128 -j ACCEPT",
            "-p ipv6-icmp -m icmp6 --icmpv6-type 1",
        ),
        *(
            "-p 1 --icmp-type 8",
            "-p 58 --icmpv6-type 128",
            "-p icmp -m icmp",
            "-p icmpv6 -m icmp6",
            "-p icmp",
            "-p icmpv6",
        ),
    ),
)


def _places() -> list[Case]:
    """Interfaces and verdicts in every chain."""
    rules = (
        "-i eth0",
        "-o eth0",
        "-i eth0 -o eth1",
        *(f"-j {target}" for target in ("ACCEPT", "DROP", "RETURN", "QUEUE", "other")),
    )
    return [
        Case(table, chain, rule)
        for table, chains in BUILTIN_CHAINS.items()
        for chain in (*chains, "other")
        for rule in (*rules, "-j INPUT", f"-j {chain}")
    ]


def all_cases() -> list[Case]:
    """Every case once."""
    subjects = (_BASE, *MATCHES, *TARGETS)
    found = dict.fromkeys(case for subject in subjects for case in subject.cases())
    return list(dict.fromkeys([*found, *_places()]))

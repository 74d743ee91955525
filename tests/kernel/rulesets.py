"""Random rulesets with every match that the analysis supports, user chains, RETURN, goto and negation."""

from __future__ import annotations

from random import Random

from rules.values.family import Family
from tests.kernel.namespaces import ADDRESSES, PEERS, UNTRACKED

PORTS = (22, 53, 80, 443, 8080, 40000)
STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED")
FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")
MULTICAST = {Family.IPV4: "224.0.0.1", Family.IPV6: "ff02::1"}
_PEOPLE = {
    Family.IPV4: ("192.0.2.7", "10.1.2.3", "172.16.5.9", UNTRACKED, *PEERS[Family.IPV4]),
    Family.IPV6: ("2001:db8:9::7", "fd00::3", "fe80::9", *PEERS[Family.IPV6]),
}
_USERS = ("one", "two", "three")
_PORT_PROTOCOLS = ("tcp", "udp", "sctp", "dccp", "udplite")


class Author:
    """Writes one random ruleset."""

    def __init__(self, family: Family, random: Random) -> None:
        self.family = family
        self.random = random

    def ruleset(self, size: int) -> str:
        """A filter table as text: up to ``size`` rules in INPUT, half as many in each user chain."""
        users = _USERS[: self.random.randrange(len(_USERS) + 1)]
        policy = self.random.choice(("ACCEPT", "DROP"))
        lines = ["*filter", f":INPUT {policy} [0:0]", *(f":{name} - [0:0]" for name in users)]
        for place, chain in enumerate(("INPUT", *users)):
            for _ in range(self.random.randint(1, size if chain == "INPUT" else max(size // 2, 1))):
                lines.append(self.rule(chain, users[place:]))
        return "\n".join([*lines, "COMMIT", ""])

    def rule(self, chain: str, callable_chains: tuple[str, ...]) -> str:
        """One rule; it jumps only to later chains."""
        protocol = self.random.choice(("", "", "tcp", "tcp", "tcp", "udp", "udp", "icmp", "icmp", "other"))
        parts = [f"-A {chain}", *self._base(), *self._protocol(protocol)]
        for match in self.random.sample(self._matches(), 3):
            if self._one_in(6):
                parts.append(match)
        parts.append(self._target(protocol, callable_chains))
        return " ".join(part for part in parts if part)

    def _one_in(self, number: int) -> bool:
        return self.random.randrange(number) == 0

    def _not(self) -> str:
        return "! " if self._one_in(4) else ""

    def _network(self, around: tuple[str, ...]) -> str:
        bits = self.family.bits
        prefix = self.random.choice((1, 8, 24, 30, 31, 32) if bits == 32 else (3, 16, 64, 126, 127, 128))
        return f"{self.random.choice(around)}/{prefix}"

    def _base(self) -> list[str]:
        parts = []
        if self._one_in(3):
            parts.append(f"{self._not()}-s {self._network(_PEOPLE[self.family])}")
        if self._one_in(5):
            hosts = (*ADDRESSES[self.family], MULTICAST[self.family])
            parts.append(f"{self._not()}-d {self._network(hosts)}")
        if self._one_in(5):
            parts.append(f"{self._not()}-i {self.random.choice(('lo', 'eth0', 'eth1', 'eth+', 'e+', 'eth2', 'l+'))}")
        if self.family is Family.IPV4 and self._one_in(25):
            parts.append("! -f")
        return parts

    def _protocol(self, kind: str) -> list[str]:
        if kind == "icmp":
            return [self._icmp()]
        if kind == "other":
            number = self.random.choice(("sctp", "dccp", "udplite", "gre", "esp", "89"))
            if number in _PORT_PROTOCOLS and self._one_in(2):
                return [f"-p {number}", self._multiport()]
            return [f"{self._not()}-p {number}"]
        if not kind:
            return [f"! -p {self.random.choice(('tcp', 'udp'))}"] if self._one_in(8) else []
        parts = [f"-p {kind}"]
        if self._one_in(3):
            parts.append(self._multiport())
        elif not self._one_in(4):
            parts.append(f"-m {kind} {self._not()}--dport {self._ports()}")
            if self._one_in(4):
                parts.append(f"{self._not()}--sport {self._ports()}")
        if kind == "tcp" and self._one_in(3):
            parts.append(f"-m tcp {self._not()}{self._flags()}")
        return parts

    def _ports(self) -> str:
        port = self.random.choice(PORTS)
        return self.random.choice(
            (f"{port}", f"{port}", f"{port}:{port + self.random.randrange(900)}", f":{port}", f"{port}:")
        )

    def _multiport(self) -> str:
        listed = []
        for port in self.random.sample(PORTS, self.random.randint(1, 4)):
            listed.append(f"{port}:{port + 9}" if self._one_in(4) else str(port))
        which = self.random.choice(("--dports", "--dports", "--sports", "--ports"))
        return f"-m multiport {self._not()}{which} {','.join(listed)}"

    def _flags(self) -> str:
        if self._one_in(2):
            return "--syn"
        mask = self.random.sample(FLAGS, self.random.randint(1, 6))
        comp = [flag for flag in mask if self._one_in(2)]
        return f"--tcp-flags {','.join(mask)} {','.join(comp) or 'NONE'}"

    def _icmp(self) -> str:
        if self.family is Family.IPV4:
            kind = self.random.choice(("8", "0", "3", "3/1", "3/4", "any", "13", "255"))
            return f"-p icmp -m icmp {self._not() if kind not in ('any', '255') else ''}--icmp-type {kind}"
        kind = self.random.choice(("128", "129", "1", "1/4", "2", "135", "136", "133", "143"))
        return f"-p icmpv6 -m icmp6 {self._not()}--icmpv6-type {kind}"

    def _matches(self) -> list[str]:
        chosen = ",".join(self.random.sample(STATES, self.random.randint(1, 3)))
        four = self.family is Family.IPV4
        low, high = sorted(self.random.sample(range(20, 400), 2))
        people = sorted(
            self.random.sample(("10.0.0.5", "10.1.2.4", "192.0.2.7", "198.51.100.9"), 2)
            if four
            else ("2001:db8:1::1", "2001:db8:9::7")
        )
        hops = self.random.choice((1, 63, 64, 65, 255))
        name = "ttl" if four else "hl"
        equal = self.random.choice(("eq", "lt", "gt"))
        way = self.random.choice(("src", "dst")) if four else "src"
        found = [
            f"-m state {self._not()}--state {chosen}",
            f"-m conntrack {self._not()}--ctstate {chosen}",
            f"-m conntrack {self._not()}--ctstate {chosen},DNAT",
            f"-m conntrack --ctdir {self.random.choice(('ORIGINAL', 'REPLY'))}",
            f"-m conntrack {self._not()}--ctstate {chosen} --ctdir {self.random.choice(('ORIGINAL', 'REPLY'))}",
            f"-m iprange {self._not()}--{way}-range {people[0]}-{people[1]}",
            f"-m length {self._not()}--length {low}:{high}",
            f"-m pkttype {self._not()}--pkt-type {self.random.choice(('unicast', 'broadcast', 'multicast'))}",
            f"-m dscp {self._not()}--dscp {self.random.choice((0, 1, 46))}",
            f"-m tos {self._not()}--tos {self.random.choice(('0x00/0xff', '0x10/0x3f', '0x08/0x1e'))}",
            f"-m {name} {self._not() if equal == 'eq' else ''}--{name}-{equal} {hops}",
            '-m comment --comment "said: -j ACCEPT"',
            "-m recent --set --name seen --rsource",
            f"-m mark {self._not()}--mark 0x{self.random.randrange(2)}",
        ]
        if four:
            kinds = ",".join(self.random.sample(("LOCAL", "BROADCAST", "MULTICAST", "UNICAST"), 2))
            found.append(f"-m addrtype {self._not()}--{way}-type {kinds}")
        return found

    def _target(self, protocol: str, callable_chains: tuple[str, ...]) -> str:
        targets = (
            ["-j ACCEPT"] * 4 + ["-j DROP"] * 4 + ["-j REJECT", "-j RETURN", "-j LOG", "", "-j MARK --set-mark 0x0"]
        )
        targets = [target for target in targets if "MARK" not in target]
        if protocol == "tcp":
            targets.append("-j REJECT --reject-with tcp-reset")
        targets += [f"{how} {chain}" for chain in callable_chains for how in ("-j", "-j", "-g")]
        limited = "-m limit --limit 5/min " if self._one_in(20) else ""
        chosen = self.random.choice(targets)
        return limited + chosen if chosen in ("-j LOG", "", "-j ACCEPT", "-j DROP") else chosen

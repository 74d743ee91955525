"""Random rulesets over all tables, with NAT and chains like Docker's, and a host that forwards packets."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from rules.path.network import HostNetwork, read_network
from rules.values.family import Family
from tests.kernel.namespaces import ADDRESSES, PEERS, Wires
from tests.kernel.rulesets import PORTS, Author

BRIDGE = "docker0"
CONTAINERS = {Family.IPV4: ("172.17.0.2", "172.17.0.3"), Family.IPV6: ("fd00:17::2", "fd00:17::3")}
BRIDGES = {Family.IPV4: ("172.17.0.1", 16), Family.IPV6: ("fd00:17::1", 64)}
_WAIT = 5.0


@dataclass(frozen=True)
class Seen:
    """The kernel's result for a packet that was not dropped."""

    where: str
    source: str
    destination: str
    port: int
    mark: int


_HOOKS = {"input": "host", "postrouting": "forwarded"}
_TOLD = ("saddr", "daddr", "dport", "mark")


def marker() -> str:
    """Rules, after all others, that record packets for the host and forwarded ones in maps by packet number."""
    lines = ["table inet paths {"]
    chains: dict[str, list[str]] = {hook: [] for hook in _HOOKS}
    for family, number, name in (("ip", "ip id", "4"), ("ip6", "ip6 flowlabel", "6")):
        values = dict(zip(_TOLD, (f"{family} saddr", f"{family} daddr", "th dport", "meta mark"), strict=True))
        for hook, rules in chains.items():
            for what, value in values.items():
                lines.append(f"map {hook}_{what}{name} {{ typeof {number} : {value}; flags dynamic; size 65535; }}")
            adds = " ".join(f"add @{hook}_{what}{name} {{ {number} : {value} }}" for what, value in values.items())
            rules.append(f"meta nfproto {'ipv4' if name == '4' else 'ipv6'} {adds}")
    for hook, rules in chains.items():
        lines += [f"chain {hook} {{ type filter hook {hook} priority 400;", *rules, "}"]
    return "\n".join([*lines, "}", ""])


class Roads(Wires):
    """A forwarding host with a bridge to containers."""

    def __enter__(self) -> Roads:
        super().__enter__()
        try:
            cable = ["type", "veth", "peer", "name", "container", "netns", self.peer]
            self._run(["ip", "-n", self.host, "link", "add", BRIDGE, *cable])
            self._run(["ip", "-n", self.peer, "link", "set", "container", "up"])
            for address, width in BRIDGES.values():
                self.at_host(["ip", "addr", "add", f"{address}/{width}", "dev", BRIDGE, *["nodad"] * (width == 64)])
            self.at_host(["ip", "link", "set", BRIDGE, "up"])
            for setting in ("ipv4.ip_forward=1", "ipv6.conf.all.forwarding=1", "ipv4.conf.all.send_redirects=0"):
                self.at_host(["sysctl", "-qw", f"net.{setting}"])
            for family, via in (("-4", PEERS[Family.IPV4][1]), ("-6", PEERS[Family.IPV6][1])):
                self.at_host(["ip", family, "route", "add", "default", "via", via, "dev", "eth1"])
            self.at_host(["nft", "-f", "-"], marker())
        except BaseException:
            self.__exit__()
            raise
        return self

    def network(self, family: Family) -> HostNetwork:
        """The host's own addresses and routes."""
        flag = "-4" if family is Family.IPV4 else "-6"
        return read_network(family, self.at_host(["ip", "-j", "addr"]), self.at_host(["ip", "-j", flag, "route"]), "1")

    def ways(self, family: Family, count: int) -> dict[int, Seen]:
        """The results of the packets, by number; waits until no more arrive. Empties the sets."""
        deadline, before, quiet = time.monotonic() + _WAIT, -1, 0
        while True:
            found = self._listed(family)
            quiet = quiet + 1 if len(found) == before else 0
            before = len(found)
            if quiet >= 2 or before >= count or time.monotonic() > deadline:
                break
        name = "4" if family is Family.IPV4 else "6"
        commands = [f"flush map inet paths {hook}_{what}{name}" for hook in _HOOKS for what in _TOLD]
        self.at_host(["nft", "-f", "-"], "\n".join(commands) + "\n")
        return found

    def _listed(self, family: Family) -> dict[int, Seen]:
        name = "4" if family is Family.IPV4 else "6"
        listed = json.loads(self.at_host(["nft", "-j", "list", "maps", "inet"]))["nftables"]
        maps = {entry["map"]["name"]: dict(entry["map"].get("elem", ())) for entry in listed if "map" in entry}
        found = {}
        for hook, where in _HOOKS.items():
            told = [maps[f"{hook}_{what}{name}"] for what in _TOLD]
            found |= {number: Seen(where, *(one[number] for one in told)) for number in told[0]}
        return found


class Planner(Author):
    """Writes one random ruleset over raw, mangle, nat and filter."""

    def whole(self, size: int) -> str:
        """All tables, with up to ``size`` rules in a chain."""
        parts = [self._table("raw", ("PREROUTING",), size // 2, ("one",)) if self._one_in(2) else "*raw\nCOMMIT\n"]
        hooks = ("PREROUTING", "INPUT", "FORWARD", "POSTROUTING")
        mangled = not self._one_in(3)
        parts.append(self._table("mangle", hooks, size // 2, ("one", "two")) if mangled else "*mangle\nCOMMIT\n")
        parts.append(self._table("nat", ("PREROUTING", "INPUT", "POSTROUTING"), size, ("DOCKER", "two")))
        parts.append(self._table("filter", ("INPUT", "FORWARD"), size, ("DOCKER-USER", "DOCKER", "three")))
        return "".join(parts)

    def _table(self, name: str, hooks: tuple[str, ...], size: int, users: tuple[str, ...]) -> str:
        policies = {hook: "DROP" if name == "filter" and self._one_in(2) else "ACCEPT" for hook in hooks}
        lines = [f"*{name}", *(f":{hook} {policy} [0:0]" for hook, policy in policies.items())]
        lines += [f":{user} - [0:0]" for user in users]
        # A user chain is called from one hook only, because most targets are valid in some hooks only.
        home = self.random.choice(hooks if name == "filter" else hooks[:1])
        for hook in hooks:
            count = self.random.randint(0 if self._one_in(3) else 1, max(size, 1))
            lines += [self._line(name, hook, hook, users if hook == home else ()) for _ in range(count)]
        for place, user in enumerate(users):
            count = self.random.randint(1, max(size // 2, 1))
            lines += [self._line(name, user, home, users[place + 1 :]) for _ in range(count)]
        return "\n".join([*lines, "COMMIT", ""])

    def _line(self, table: str, chain: str, hook: str, callable_chains: tuple[str, ...]) -> str:
        protocol = self.random.choice(("", "tcp", "tcp", "tcp", "udp", "udp", "icmp"))
        parts = [f"-A {chain}"]
        if self._one_in(3):
            parts.append(f"{self._not()}-s {self._network(self._people())}")
        if self._one_in(3):
            parts.append(f"{self._not()}-d {self._network(self._hosts())}")
        if hook not in ("POSTROUTING",) and self._one_in(5):
            parts.append(f"{self._not()}-i {self.random.choice(('eth0', 'eth1', 'eth+'))}")
        if hook in ("FORWARD", "POSTROUTING") and self._one_in(3):
            parts.append(f"{self._not()}-o {self.random.choice((BRIDGE, BRIDGE, 'eth1', 'eth+', 'docker+'))}")
        parts += self._protocol(protocol)
        for match in self.random.sample(self._known(table, hook), 2):
            if self._one_in(4):
                parts.append(match)
        parts.append(self._aim(table, hook, protocol, callable_chains))
        return " ".join(part for part in parts if part)

    def _people(self) -> tuple[str, ...]:
        four = self.family is Family.IPV4
        return ("192.0.2.7", "10.1.2.3", "100.64.0.9") if four else ("2001:db8:9::7", "2001:db8:a::3", "2620:fe::9")

    def _hosts(self) -> tuple[str, ...]:
        return (*ADDRESSES[self.family], *CONTAINERS[self.family], *CONTAINERS[self.family], PEERS[self.family][1])

    def _known(self, table: str, hook: str) -> list[str]:
        ends = (("orig", "dst", self._hosts()), ("orig", "src", self._people()), ("repl", "src", self._hosts()))
        way, end, around = self.random.choice(ends)
        mark = f"0x{self.random.randrange(4):x}/0x{self.random.choice((1, 2, 3, 255)):x}"
        states = ",".join(self.random.sample(("INVALID", "NEW", "ESTABLISHED", "UNTRACKED", "DNAT"), 2))
        port = self._ports()
        found = [
            f"-m mark {self._not()}--mark {mark}",
            f"-m mark {self._not()}--mark {mark}",
            f"-m ttl --ttl-{self.random.choice(('lt', 'gt'))} {self.random.choice((5, 63, 64))}"
            if self.family is Family.IPV4
            else f"-m hl --hl-{self.random.choice(('lt', 'gt'))} {self.random.choice((5, 63, 64))}",
            f"-m tos {self._not()}--tos {self.random.choice(('0x00/0xff', '0x10/0x3f'))}",
        ]
        if self.family is Family.IPV4 or hook == "PREROUTING":
            found.append(f"-m addrtype {self._not()}--dst-type LOCAL")
        if table != "raw":
            found += [
                f"-m conntrack {self._not()}--ctstate {states}",
                f"-m conntrack {self._not()}--ctstate DNAT",
                f"-m conntrack {self._not()}--ct{way}{end} {self._network(around)}",
                f"-m conntrack {self._not()}--ctorigdstport {port}",
                f"-m conntrack --ctstate NEW {self._not()}--ctreplsrcport {port}",
                f"-m connmark {self._not()}--mark {mark}",
            ]
        return found

    def _aim(self, table: str, hook: str, protocol: str, callable_chains: tuple[str, ...]) -> str:
        found = [f"{how} {chain}" for chain in callable_chains for how in ("-j", "-j", "-g")]
        if table == "raw":
            found += ["-j ACCEPT", "-j DROP", "-j NOTRACK", "-j CT --notrack", "-j RETURN", ""]
        elif table == "mangle":
            found += [*self._marks(), *self._marks(), *self._mangled(), "-j ACCEPT", "-j DROP", "-j RETURN"]
        elif table == "nat":
            found += [*self._nat(hook, protocol) * 3, "-j ACCEPT", "-j RETURN", *self._marks()[:1]]
        else:
            found += ["-j ACCEPT", "-j ACCEPT", "-j DROP", "-j REJECT", "-j RETURN", "-j LOG", *self._marks()[:1]]
        return self.random.choice(found)

    def _marks(self) -> list[str]:
        value, mask = (self.random.randrange(4) for _ in range(2))
        return [
            f"-j MARK --set-xmark 0x{value:x}/0x{mask:x}",
            f"-j MARK --set-mark 0x{value:x}",
            f"-j MARK --or-mark 0x{value:x}",
            f"-j CONNMARK --set-xmark 0x{value:x}/0x{mask:x}",
            "-j CONNMARK --save-mark",
            f"-j CONNMARK --restore-mark --nfmask 0x{mask:x} --ctmask 0x{mask:x}",
        ]

    def _mangled(self) -> list[str]:
        hops = ("TTL", "ttl") if self.family is Family.IPV4 else ("HL", "hl")
        change = self.random.choice((f"set {self.random.choice((1, 3, 64))}", "dec 1", "inc 2"))
        return [
            f"-j {hops[0]} --{hops[1]}-{change}",
            f"-j TOS --set-tos {self.random.choice(('0x10', '0x00'))}/0x3f",
            f"-j DSCP --set-dscp {self.random.choice((0, 4))}",
        ]

    def _nat(self, hook: str, protocol: str) -> list[str]:
        to = self.random.choice(self._hosts())
        net = f"{to}/{24 if self.family is Family.IPV4 else 64}"
        port = self.random.choice(PORTS)
        six = self.family is Family.IPV6
        place = f"[{to}]:{port}" if six else f"{to}:{port}"
        ports = protocol in ("tcp", "udp")
        if hook == "PREROUTING":
            found = [f"-j DNAT --to-destination {to}", "-j REDIRECT", f"-j NETMAP --to {net}"]
            return [*found, *[f"-j DNAT --to-destination {place}", f"-j REDIRECT --to-ports {port}"] * ports]
        return [f"-j SNAT --to-source {to}", *["-j MASQUERADE"] * (hook == "POSTROUTING")]

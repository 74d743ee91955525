"""Random rules, each with one meaning and many spellings, for the property tests of the rule language.

A ruleset needs hundreds of choices, too many to draw one by one: hypothesis draws the size and a seed, and a generator
with that seed makes the choices. A failing example is therefore of the smallest failing size, and reproducible.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from hypothesis import strategies as st

from rules.language.parse import parse
from rules.model import Ruleset
from rules.values.family import Family

CHAINS = ("INPUT", "FORWARD", "OUTPUT")
USER_CHAINS = ("alpha", "Beta-2", "zeta_3")
# Spellings with one meaning; the first is in the order of iptables-save.
Spellings = tuple[str, ...]
_STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED")
_SERVICES = {22: "ssh", 80: "http", 443: "https", 53: "domain", 25: "smtp"}


def quoted(text: str) -> str:
    """Text in the quotes of a restore file."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Writer:
    """Generates random rules of one family."""

    def __init__(self, family: Family, seed: int) -> None:
        self.family = family
        self.random = Random(seed)

    def maybe(self) -> bool:
        """True half of the time."""
        return self.random.random() < 0.5

    def flagged(self, flags: Spellings, values: Spellings, *, negated: bool | None = False) -> Spellings:
        """An option with a value, negated in the new and the old syntax; at random if ``negated`` is None."""
        plain = [f"{flag} {value}" for flag in flags for value in values]
        if negated is False or (negated is None and self.maybe()):
            return tuple(plain)
        return tuple([f"! {text}" for text in plain] + [f"{flag} ! {value}" for flag in flags for value in values])

    # -- values

    def network(self) -> Spellings:
        """A network with host bits, by prefix and netmask (IPv4), or in capitals and in full (IPv6)."""
        bits = self.family.bits
        prefix = self.random.choice((8, 16, 20, 24, 31, 32) if bits == 32 else (3, 32, 48, 64, 127, 128))
        address = self.random.randrange(1, 2**bits)
        if bits == 32:
            text = ".".join(map(str, address.to_bytes(4, "big")))
            mask = ((2**32 - 1) << (32 - prefix)) & (2**32 - 1)
            other = f"{text}/{'.'.join(map(str, mask.to_bytes(4, 'big')))}"
        else:
            groups = [f"{(address >> shift) & 0xFFFF:x}" for shift in range(112, -16, -16)]
            text = ":".join(groups)
            other = f"{':'.join(group.zfill(4) for group in groups).upper()}/{prefix}"
        spelled = (f"{text}/{prefix}", other)
        return (*spelled, text) if prefix == bits else spelled

    def ports(self) -> Spellings:
        """A port, a range, or a range with an open end."""
        port = self.random.choice((*_SERVICES, self.random.randrange(1, 65535)))
        choices: tuple[Spellings, ...] = (
            (str(port), _SERVICES.get(port, str(port)), f"{port}:{port}"),
            (f"{port}:65535", f"{port}:"),
            (f"0:{port}", f":{port}"),
        )
        return self.random.choice(choices)

    # -- parts of a rule

    def base(self, chain: str) -> list[Spellings]:
        """Those of ``-s``, ``-d``, ``-i``, ``-o`` that the chain allows."""
        names = ("lo", "eth0", "ens3+", "br-4f1e2d3c4b")
        parts = []
        for flags in (("-s", "--source", "--src"), ("-d", "--destination", "--dst")):
            if self.maybe():
                parts.append(self.flagged(flags, self.network(), negated=None))
        for flags, barred in ((("-i", "--in-interface"), "OUTPUT"), (("-o", "--out-interface"), "INPUT")):
            if chain != barred and self.maybe():
                parts.append(self.flagged(flags, (self.random.choice(names),), negated=None))
        return parts

    def protocol(self, protocol: str) -> list[Spellings]:
        """``-p`` with its own match."""
        flags = ("-p", "--protocol")
        if protocol in ("tcp", "udp"):
            number = "6" if protocol == "tcp" else "17"
            return [self.flagged(flags, (protocol, number, protocol.upper())), *self._port_matches(protocol)]
        if protocol == "icmp":
            return self._icmp()
        return [self.flagged(flags, ("gre", "47"), negated=None)] if protocol else []

    def _port_matches(self, protocol: str) -> list[Spellings]:
        if self.random.random() < 0.3:
            listed = ",".join(str(self.random.randrange(1, 65536)) for _ in range(self.random.randrange(2, 16)))
            flags = self.random.choice((("--dports", "--destination-ports"), ("--sports", "--source-ports")))
            return [tuple(f"-m multiport {text}" for text in self.flagged(flags, (listed,), negated=None))]
        parts = []
        for flags in (("--dport", "--destination-port"), ("--sport", "--source-port")):
            if self.maybe():
                parts.append(self.flagged(flags, self.ports(), negated=None))
        if protocol == "tcp" and self.maybe():
            parts.append(("--syn", "--tcp-flags SYN,RST,ACK,FIN SYN", "--tcp-flags fin,syn,rst,ack SYN"))
        if not parts:
            return [(f"-m {protocol}", f"--match {protocol}")]
        # The extension is loaded by its first option, or by name earlier.
        return [(*parts[0], *(f"-m {protocol} {text}" for text in parts[0])), *parts[1:]]

    def _icmp(self) -> list[Spellings]:
        if self.family is Family.IPV4:
            kinds = (("8", "echo-request", "ping"), ("3", "destination-unreachable"), ("3/4", "fragmentation-needed"))
            protocol, extension, flag = ("icmp", "1"), "icmp", "--icmp-type"
        else:
            kinds = (("128", "echo-request"), ("135", "neighbour-solicitation"), ("1/0", "no-route"))
            protocol, extension, flag = ("ipv6-icmp", "icmpv6", "58"), "icmp6", "--icmpv6-type"
        kind = self.flagged((flag,), self.random.choice(kinds), negated=None)
        return [self.flagged(("-p", "--protocol"), protocol), (*kind, *(f"-m {extension} {text}" for text in kind))]

    def match(self, chain: str) -> Spellings:
        """A match with ``-m``."""
        number = self.random.randrange(1, 65536)
        hops = ("-m hl --hl-eq 255",) if self.family is Family.IPV6 else ("-m ttl --ttl-eq 64", "-m ttl --ttl 64")
        choices: list[Spellings] = [
            self._states(),
            self._limit(),
            (f"-m comment --comment {quoted(self._text())}",),
            (f"-m mark --mark {number}", f"-m mark --mark {number:#x}/0xffffffff"),
            ("-m pkttype --pkt-type multicast", "-m pkttype --pkt-type MULTICAST"),
            (f"-m length --length {number}", f"-m length --length {number}:{number}"),
            ("-m addrtype --dst-type LOCAL,MULTICAST", "-m addrtype --dst-type multicast,local"),
            ("-m recent --set --name ssh", "-m recent --rsource --name ssh --set"),
            hops,
        ]
        if chain in ("INPUT", "FORWARD"):  # the kernel refuses it in chains that OUTPUT may jump to
            choices.append(("-m mac --mac-source 52:54:00:aa:bb:cc", "-m mac --mac-source 52:54:00:AA:BB:CC"))
        return self.random.choice(choices)

    def _states(self) -> Spellings:
        chosen = self.random.sample(_STATES, self.random.randrange(1, 5))
        lists = (",".join(chosen), ",".join(reversed(chosen)).lower())
        extension, flag = self.random.choice((("state", "--state"), ("conntrack", "--ctstate")))
        return tuple(f"-m {extension} {text}" for text in self.flagged((flag,), lists, negated=None))

    def _limit(self) -> Spellings:
        amount, unit = self.random.randrange(1, 300), self.random.choice(("second", "minute", "hour"))
        short = {"second": "sec", "minute": "min"}.get(unit, unit)
        rates = (f"{amount}/{unit}", f"{amount}/{short}", f"{amount}/{unit[0]}")
        return (*(f"-m limit --limit {rate}" for rate in rates), f"-m limit --limit-burst 5 --limit {rates[0]}")

    def _text(self) -> str:
        return "".join(chr(self.random.randrange(32, 127)) for _ in range(self.random.randrange(1, 20)))

    def target(self, protocol: str, user_chains: Sequence[str]) -> Spellings:
        """A target that any chain of the filter table may have."""
        six = "6" if self.family is Family.IPV6 else ""
        targets: list[Spellings] = [
            ("-j ACCEPT", "--jump ACCEPT"),
            ("-j DROP",),
            ("-j RETURN",),
            (
                "-j REJECT",
                f"-j REJECT --reject-with icmp{six}-port-unreachable",
                "-j REJECT --reject-with port-unreach",
            ),
            ('-j LOG --log-prefix "denied: " --log-level 7', '-j LOG --log-level debug --log-prefix "denied: "'),
            ("-j LOG", "-j LOG --log-level warning", "-j LOG --log-level 4"),
            ("-j MARK --set-mark 5", "-j MARK --set-xmark 0x5/0xffffffff"),
            ("",),
        ]
        targets += [("-j REJECT --reject-with tcp-reset",)] if protocol == "tcp" else []
        targets += [(f"-j {name}", f"--jump {name}") for name in user_chains]
        return self.random.choice(targets)

    # -- whole rules and rulesets

    def rule(self, chain: str, user_chains: Sequence[str] = ()) -> tuple[str, str]:
        """A rule in two spellings: base matches may be anywhere, other matches keep their order."""
        base = self.base(chain)
        protocol = self.random.choice(("tcp", "udp", "icmp", "gre", ""))
        fixed = self.protocol(protocol)
        fixed += [self.match(chain) for _ in range(self.random.randrange(4))]
        fixed.append(self.target(protocol, user_chains))
        plain = [part[0] for part in (*base, *fixed)]
        noisy = [self.random.choice(part) for part in fixed]
        for part in base:
            noisy.insert(self.random.randrange(len(noisy) + 1), self.random.choice(part))
        append = self.random.choice(("-A", "--append"))
        return _line("-A", chain, plain), _line(append, chain, noisy)

    def ruleset(self, most: int) -> tuple[str, str]:
        """A filter table with user chains, up to ``most`` rules a chain, as text in two spellings."""
        users = self.random.sample(USER_CHAINS, self.random.randrange(4))
        plain, noisy = ["*filter"], ["# a comment", "", "*filter"]
        for chain in CHAINS:
            policy = self.random.choice(("ACCEPT", "DROP"))
            plain.append(f":{chain} {policy}")
            noisy.append(self.random.choice((f":{chain} {policy} [12:345]", f"-P {chain} {policy}")))
        plain += [f":{name} -" for name in users]
        noisy += [self.random.choice((f":{name} - [0:0]", f"-N {name}")) for name in reversed(users)]
        for chain in (*CHAINS, *users):
            for _ in range(self.random.randrange(most + 1)):
                first, second = self.rule(chain, () if chain in users else users)
                plain.append(first)
                noisy.append(self.random.choice((second, f"[7:420] {second}")))
        return "\n".join([*plain, "COMMIT", ""]), "\n".join([*noisy, "COMMIT", ""])


def _line(append: str, chain: str, parts: Sequence[str]) -> str:
    return " ".join(word for word in (append, chain, *parts) if word)


def written_rulesets(family: Family, most: int = 6) -> st.SearchStrategy[tuple[str, str]]:
    """Random rulesets as text, in two spellings with one meaning."""
    seeds = st.integers(0, 2**32)
    return st.builds(lambda size, seed: Writer(family, seed).ruleset(size), st.integers(0, most), seeds)


def rulesets(family: Family, most: int = 6) -> st.SearchStrategy[Ruleset]:
    """Random rulesets."""
    return written_rulesets(family, most).map(lambda texts: parse(texts[0], family))

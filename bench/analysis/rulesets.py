"""Rulesets of any size for measurements: typical ones, and some that are hard to analyse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from rules.language.parse import parse
from rules.model import Ruleset
from rules.values.family import Family

_REPLIES = "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
_HEAD = (":INPUT DROP [0:0]", ":FORWARD DROP [0:0]", ":OUTPUT ACCEPT [0:0]")


def _address(random: Random) -> str:
    return f"{random.randrange(1, 224)}.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(256)}"


def _network(random: Random, least: int = 8) -> str:
    return f"{_address(random)}/{random.randint(least, 32)}"


def _ports(random: Random) -> str:
    """One port, or a range of any width."""
    first, last = sorted(random.sample(range(1, 65536), 2))
    return f"{first}:{last}" if random.randrange(3) == 0 else str(first)


def services(size: int, random: Random) -> Iterator[str]:
    """One service per rule, each for one network."""
    yield _REPLIES
    for _ in range(size - 2):
        protocol = random.choice(("tcp", "tcp", "udp"))
        yield f"-A INPUT -s {_network(random)} -p {protocol} --dport {random.randint(1, 65535)} -j ACCEPT"
    yield "-A INPUT -j REJECT"


def blocklist(size: int, random: Random) -> Iterator[str]:
    """Denied networks, then twenty services for everybody else."""
    yield _REPLIES
    for _ in range(size - 21):
        yield f"-A INPUT -s {_network(random, 16)} -j DROP"
    for port in random.sample(range(1, 65536), 20):
        yield f"-A INPUT -p tcp --dport {port} -j ACCEPT"


def interleaved(size: int, random: Random) -> Iterator[str]:
    """Networks of all sizes with ports and wide port ranges, alternately accepted and dropped: all overlap."""
    yield _REPLIES
    for number in range(size - 1):
        protocol = random.choice(("tcp", "udp"))
        verdict = ("ACCEPT", "DROP")[number % 2]
        yield f"-A INPUT -s {_network(random)} -p {protocol} --dport {_ports(random)} -j {verdict}"


def chains(size: int, random: Random) -> Iterator[str]:
    """Chains of 50 rules, each for the hosts of one network, with RETURN and goto, in two levels."""
    count = max(size // 51, 1)
    yield from (f":zone{number} - [0:0]" for number in range(count))
    yield _REPLIES
    for number in range(count):
        zone = f"10.{number}"
        yield f"-A INPUT -s {zone}.0.0/16 -{'jg'[number % 2]} zone{number}"
        for place in range(50):
            net, ports = f"{zone}.{random.randrange(256)}.0/{random.randint(17, 26)}", _ports(random)
            target = random.choice(("-j ACCEPT", "-j ACCEPT", "-j DROP", "-j RETURN"))
            if place == 25 and number % 2 and number + 1 < count:
                target = f"-g zone{number + 1}"
            yield f"-A zone{number} -s {net} -p tcp --dport {ports} {target}"


def fail2ban(size: int, random: Random) -> Iterator[str]:
    """Five jails, each a chain with the addresses that it bans."""
    jails = ((22, "sshd"), (25, "postfix"), (80, "http"), (143, "dovecot"), (443, "https"))
    yield from (f":f2b-{name} - [0:0]" for _, name in jails)
    yield _REPLIES
    for port, name in jails:
        yield f"-A INPUT -p tcp -m multiport --dports {port} -j f2b-{name}"
        for _ in range((size - 16) // len(jails)):
            yield f"-A f2b-{name} -s {_address(random)}/32 -j REJECT --reject-with icmp-port-unreachable"
        yield f"-A f2b-{name} -j RETURN"
        yield f"-A INPUT -p tcp --dport {port} -j ACCEPT"


def docker(size: int, random: Random) -> Iterator[str]:
    """A container host: one published port per rule, in Docker's chains."""
    yield from (f":{name} - [0:0]" for name in ("DOCKER", "DOCKER-USER", "DOCKER-ISOLATION-STAGE-1"))
    yield "-A FORWARD -j DOCKER-USER"
    yield "-A FORWARD -j DOCKER-ISOLATION-STAGE-1"
    yield "-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    yield "-A FORWARD -o docker0 -j DOCKER"
    yield "-A FORWARD -i docker0 ! -o docker0 -j ACCEPT"
    yield "-A DOCKER-USER -j RETURN"
    for number in range(size - 6):
        host = f"172.17.{number // 250}.{number % 250 + 2}"
        port = random.randint(1, 65535)
        yield f"-A DOCKER -d {host}/32 ! -i docker0 -o docker0 -p tcp --dport {port} -j ACCEPT"


def everything(size: int, random: Random) -> Iterator[str]:
    """Random sources, destinations, both ports, interfaces and states, alternately accepted and dropped."""
    for number in range(size):
        protocol = random.choice(("tcp", "udp"))
        parts = random.sample(
            (
                f"-s {_network(random)}",
                f"-d {_network(random)}",
                f"-i eth{random.randrange(4)}",
                f"--dport {_ports(random)}",
                f"--sport {_ports(random)}",
                "-m conntrack --ctstate NEW",
            ),
            random.randint(2, 4),
        )
        yield f"-A INPUT -p {protocol} {' '.join(parts)} -j {('ACCEPT', 'DROP')[number % 2]}"


def _host(number: int) -> str:
    return f"10.{number // 62500}.{number // 250 % 250}.{number % 250 + 1}/32"


def macs(size: int, random: Random) -> Iterator[str]:
    """A source address for each MAC address."""
    for number in range(size):
        mac = f"52:54:00:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
        yield f"-A INPUT -s {_host(number)} -m mac --mac-source {mac} -j ACCEPT"


def interfaces(size: int, random: Random) -> Iterator[str]:
    """A source address for each interface."""
    yield from (f"-A INPUT -s {_host(number)} -i tap{number} -j ACCEPT" for number in range(size))


def destinations(size: int, random: Random) -> Iterator[str]:
    """One port for each destination."""
    for number in range(size):
        yield f"-A INPUT -d {_host(number)} -p tcp --dport {1 + number * 13 % 65000} -j ACCEPT"


KINDS: dict[str, Callable[[int, Random], Iterator[str]]] = {
    one.__name__: one
    for one in (
        *(services, blocklist, interleaved, chains, fail2ban, docker),
        *(macs, interfaces, destinations, everything),
    )
}


def ruleset(kind: str, size: int, seed: int = 1) -> Ruleset:
    """A ruleset of about ``size`` rules, the same for the same arguments.

    Raises :class:`KeyError` for an unknown kind.
    """
    lines = list(KINDS[kind](size, Random(seed)))  # noqa: S311 -- the same each time
    made = [line for line in lines if line.startswith(":")]
    rules = [line for line in lines if not line.startswith(":")]
    return parse("\n".join(["*filter", *_HEAD, *made, *rules, "COMMIT", ""]), Family.IPV4)

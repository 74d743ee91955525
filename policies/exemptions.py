"""fail2ban ignores only a few addresses, and no command decides which."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from configparser import ConfigParser, Error
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from policies.base import JAILS, Props, resource_policy
from policies.settings import PolicySettings, number, texts

Network = IPv4Network | IPv6Network

IPV4 = number("ipv4Addresses", "How many public IPv4 addresses may be exempt from bans, in total.", 65536)
IPV6 = number("ipv6Prefix", "Exemptions may cover at most one IPv6 network of this prefix length, in total.", 32)
PRIVATE = texts(
    "privateNetworks",
    "Networks that may be exempt from bans.",
    (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10"),
        *("fc00::/7", "fe80::/10", "::1/128"),
    ),
)
COMMANDS = texts("ignoreCommands", "Values of `ignorecommand` and `ignoreregex` that are allowed.")

_OURS = re.compile(r"%\(stockade_[A-Za-z0-9_.-]+\)s")
_MAPPED = ip_network("::ffff:0:0/96")


def _check(props: Props, settings: PolicySettings) -> Iterable[str]:
    for jail, options in _jails(props["config"]).items():
        words = re.split(r"[\s,]+", _OURS.sub(" ", options.get("ignoreip", "")).strip())
        networks = [network for word in words if word for network in _networks(word)]
        for network in _wide(networks, settings):
            yield (
                f"jail {jail} exempts {network} from bans ({' '.join(words)}). Name those in `ignoreip` under "
                "`stockade:fail2ban` who must never be banned, and nobody else."
            )
        for name, kind in (("ignorecommand", "command"), ("ignoreregex", "pattern")):
            value = options.get(name, "").strip()
            if value and value not in settings.texts(COMMANDS.name):
                yield (
                    f"jail {jail} lets a {kind} decide who is exempt from bans ({name} = {value}). Remove it from the "
                    "jail's `options`, or add it to ignoreCommands."
                )


def _jails(text: str) -> Mapping[str, Mapping[str, str]]:
    parser = ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except Error as error:
        raise ValueError(f"the jails cannot be read: {error.message.splitlines()[0]}") from None
    return {name: dict(parser.items(name)) for name in parser.sections()}


def _networks(word: str) -> Iterator[Network]:
    """Yield the networks that an entry of `ignoreip` covers; a host name stands for a few addresses."""
    if "%(" in word:
        raise ValueError(f"ignoreip has {word}, whose value stands on the host")
    address, slash, prefix = word.rpartition("/") if "/" in word else (word, "", "")
    with suppress(ValueError):  # as fail2ban reads it: +0, 0_0, digits of any script
        prefix = str(int(prefix))
    if re.fullmatch(r"[0-9]+(\.[0-9]+){0,2}", address):  # as C libraries read it: 0/0, 10/8
        address += ".0" * (3 - address.count("."))
    try:
        network = ip_network(f"{address}{slash}{prefix}", strict=False)
    except ValueError:
        if slash or ":" in word:  # not a name: `file:...`, or a network that others may read as one
            raise ValueError(f"ignoreip has {word}, which is no address, network or name") from None
        return
    yield network
    if network.version == 6 and network.overlaps(_MAPPED):  # fail2ban reads them as IPv4
        rest = max(network.prefixlen - 96, 0)
        start = int(network.network_address) & 0xFFFFFFFF if rest else 0
        yield IPv4Network((start, rest))


def _wide(networks: list[Network], settings: PolicySettings) -> Iterator[str]:
    private = [ip_network(text) for text in settings.texts(PRIVATE.name)]
    for version, most, words in (
        (4, settings.number(IPV4.name), "IPv4"),
        (6, 2 ** (128 - settings.number(IPV6.name)), "IPv6"),
    ):
        public = [
            network
            for network in collapse_addresses(network for network in networks if network.version == version)  # type: ignore[type-var]
            if not any(network.version == other.version and network.subnet_of(other) for other in private)  # type: ignore[arg-type]
        ]
        total = sum(network.num_addresses for network in public)
        if total > most:
            whole = total == 2 ** (32 if version == 4 else 128)
            yield f"everybody on {words}" if whole else f"{total} {words} addresses, of which {most} may be,"


POLICIES = [
    resource_policy(
        "ban-exemptions-narrow",
        "fail2ban exempts only a few addresses from bans.",
        JAILS,
        _check,
        IPV4,
        IPV6,
        PRIVATE,
        COMMANDS,
    )
]

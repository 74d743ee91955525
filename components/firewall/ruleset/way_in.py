"""Whether a ruleset accepts the administrator's own connection, decided before it is applied.

Only the host knows the address that a run comes from (NAT, a jump host). A run asks the host. A preview, which connects
to no host, uses what the last run learned. Before the first run, a ruleset is refused only if nobody at all could log
in.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

from hosts.ssh.connection import HostAccess
from hosts.system.origin import Origin
from rules.analysis.reachability import Analysis, PacketSet, TooIntricateError, analyse
from rules.language.naming import names
from rules.language.render import render_spec
from rules.model import Ruleset
from rules.packets.packet import Field, Packet, interface, state_number, tops
from rules.values.addresses import read_address
from rules.values.family import Family
from rules.values.intervals import complement
from rules.values.protocols import TCP

LOCKOUT = (
    "this would lock you out: {}. Let SSH in, or set `acceptLockout: true` under `stockade:firewall`: the rules are "
    "then tried, and reverted unless somebody can log in"
)

_STRANGER = {Family.IPV4: "192.0.2.1", Family.IPV6: "2001:db8::1"}
"""An address on the internet, to ask which rule decides; documentation addresses (RFC 5737, RFC 3849)."""


@dataclass(frozen=True)
class _Exchange:
    """Packets required for a connection: the chain that they traverse, what they are, and a description."""

    chain: str
    words: str
    state: str
    reply: bool


_EXCHANGES = (
    _Exchange("INPUT", "nobody can connect{source} to TCP port {port} any more", "NEW", False),
    _Exchange("INPUT", "nothing gets through on open connections{source} to TCP port {port}", "ESTABLISHED", False),
    _Exchange("OUTPUT", "no reply from TCP port {port} gets out{target}", "ESTABLISHED", True),
)


def refusal(rules: Ruleset, access: HostAccess) -> str:
    """Return how `rules` lock out every login of `access`; empty if one may get in, or if none uses this family.

    Also empty if computing that takes too long: the host rolls such a change back.
    """
    ports = list(dict.fromkeys(port for host, port in _ways(access) if _uses(host, rules.family)))
    found = [_refused(rules, Origin("", port)) for port in ports]
    return found[0] if found and all(found) else ""


def refusal_of(rules: Ruleset, entry: Origin | None) -> str:
    """Return how `rules` lock out a client at `entry`; empty if they may not, or if it belongs to another family."""
    if entry is None or not _uses(entry.client, rules.family) or names(rules):  # a name may resolve to the client
        return ""
    return _refused(rules, entry)


def _ways(access: HostAccess) -> Iterator[tuple[str, int]]:
    for _, connection in access.logins():
        for address in (connection.host, *access.addresses):
            yield address, connection.port


def _uses(address: str, family: Family) -> bool:
    """Whether an address belongs to `family`. A name may belong to either, so nothing is decided for it."""
    try:
        return ip_address(address).version == (4 if family is Family.IPV4 else 6)
    except ValueError:
        return False


@lru_cache(maxsize=64)  # pure; the hosts of a stack mostly have the same rules
def _refused(rules: Ruleset, entry: Origin) -> str:
    """Return how `rules` lock out a client at `entry`, or everybody if it has no client."""
    nat = rules.table("nat")
    if nat is not None and any(chain.rules for chain in nat.chains):
        return ""  # NAT may change the port on the way in
    try:
        analysis = analyse(rules)
        for exchange in _EXCHANGES:
            if analysis.table.chain(exchange.chain) is None:
                continue
            if not analysis.accepted(exchange.chain).upper & _packets(analysis, exchange, entry):
                return f"{_message(exchange, entry)}: {_reason(analysis, exchange, entry)}"
    except TooIntricateError:
        pass
    return ""


def _message(exchange: _Exchange, entry: Origin) -> str:
    source, target = (f" from {entry.client}", f" to {entry.client}") if entry.client else ("", "")
    return exchange.words.format(source=source, target=target, port=entry.port)


def _packets(analysis: Analysis, exchange: _Exchange, entry: Origin) -> PacketSet:
    """All packets of an exchange that leave or enter the host."""
    top = tops(analysis.family)
    here, there, them = (
        (Field.OUT, Field.SOURCE_PORT, Field.DESTINATION) if exchange.reply else (Field.IN, Field.SERVICE, Field.SOURCE)
    )
    state = state_number(exchange.state, reply=exchange.reply)
    fields = {
        Field.PROTOCOL: ((TCP, TCP),),
        there: ((entry.port, entry.port),),
        here: complement((interface("lo"),), top[here]),
        Field.STATE: ((state, state),),
        Field.FRAGMENT: ((0, 0),),
    }
    if entry.client:
        client = read_address(entry.client, analysis.family)
        fields[them] = ((client, client),)
    store = analysis.store
    return PacketSet(analysis.family, store, store.box(dict(sorted(fields.items())), store.all, store.none))


def _reason(analysis: Analysis, exchange: _Exchange, entry: Origin) -> str:
    stranger, port = _STRANGER[analysis.family], entry.port
    client = entry.client or stranger
    if exchange.reply:
        packet = Packet(
            analysis.family, stranger, client, port=40000, source_port=port, in_interface="", out_interface="eth0",
            state=exchange.state, reply=True, flags=("ACK",),
        )  # fmt: skip
    else:
        flags = ("SYN",) if exchange.state == "NEW" else ("ACK",)
        packet = Packet(analysis.family, client, stranger, port=port, state=exchange.state, flags=flags)
    by = analysis.verdict(packet, exchange.chain).decided_by
    if by is None:
        return f"the policy of {exchange.chain}"
    return f"rule {by.place.number} of {by.place.chain}: -A {by.place.chain} {render_spec(by.rule)}"

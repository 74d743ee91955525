"""Rules that the kernel or iptables would reject even though each of their options is valid on its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rules.errors import RuleSyntaxError
from rules.language.specification import SpecReader, idle
from rules.language.tokens import Token
from rules.language.words import Loaded
from rules.model import BUILTIN_CHAINS, VERDICTS
from rules.options.extensions import Extension
from rules.values.family import Family
from rules.values.icmp import TCP_RESET
from rules.values.protocols import TCP, protocol_name
from rules.values.typed import KeywordList, Protocol

# Where a match may ask for the bridge port that a packet will leave by (xt_physdev.c).
_NOT_SENT_HERE = ("PREROUTING", "INPUT", "FORWARD", "POSTROUTING")
AH = 51
_IPV6_TYPES = ("UNSPEC", "UNICAST", "LOCAL", "ANYCAST", "MULTICAST", "UNREACHABLE")
# Protocols whose ports, or id, NAT can change (`iptables`' extensions, in both families).
_WITH_PORTS = (6, 17, 132, 33, 1)
_NO_OUTPUT = ("INPUT", "PREROUTING")
_NO_INPUT = ("OUTPUT", "POSTROUTING")


@dataclass(frozen=True, slots=True)
class Demand:
    """A part of a rule, by its word, that is valid only in chains reached from some built-in chains.

    ``called``: also through user chains. For options, nf_tables does not look that far.
    """

    token: Token
    what: str
    hooks: tuple[str, ...]
    called: bool = False


def check_rule(reader: SpecReader, table: str, chain: str) -> None:
    """Raise :class:`RuleSyntaxError` for the first thing that would be rejected."""
    _check_interfaces(reader, table, chain)
    for flag, options in reader.base.values():
        if any(option.negated and idle(replace(option, negated=False)) for option in options):
            raise _error(reader, flag, f"! {flag.text} with everything matches nothing", "a narrower value")
    if "fragment" in reader.base and reader.family is Family.IPV6:
        raise _error(reader, reader.base["fragment"][0], "-f is not for IPv6", "-m frag")
    for loaded in reader.loaded:
        if loaded.extension is not None:
            if not loaded.opaque:
                _check_options(reader, loaded, loaded.extension)
            _check_protocol(reader, loaded, loaded.extension)
            _check_table(reader, loaded, loaded.extension, table)
    if reader.target is not None:
        _check_target(reader, reader.target, table)


def _error(reader: SpecReader, token: Token, reason: str, expected: str) -> RuleSyntaxError:
    return reader.words.error(token, reason, expected)


def _check_interfaces(reader: SpecReader, table: str, chain: str) -> None:
    if chain not in BUILTIN_CHAINS.get(table, ()):
        return
    for name, chains, flag in (("out-interface", _NO_OUTPUT, "-o"), ("in-interface", _NO_INPUT, "-i")):
        if name in reader.base and chain in chains:
            raise _error(reader, reader.base[name][0], f"{flag} is not possible in {chain}", f"no {flag} here")


def _check_options(reader: SpecReader, loaded: Loaded, extension: Extension) -> None:
    for option in loaded.options.values():
        spec = extension.spec(option.name)
        if (
            option.negated
            and spec is not None
            and spec.default is not None
            and option.value == spec.default(reader.family)
        ):
            raise _error(reader, loaded.token, f"! --{option.name} with everything matches nothing", "a narrower value")
    for group in extension.one_of:
        written = _written(extension, loaded)
        given = [name for name in written if name in group]
        if len(given) != 1:
            names = " or ".join(f"--{name}" for name in group)
            what = f"{extension.name} lacks {names}" if not given else f"{extension.name} takes one of {names}"
            raise _error(reader, loaded.token, what, f"{names}, once")
    for group in extension.at_most:
        if len([name for name in group if name in loaded.options]) > 1:
            names = " or ".join(f"--{name}" for name in group)
            raise _error(reader, loaded.token, f"{extension.name} takes one of {names}", f"{names}, once")
    if extension.any_of and not set(extension.any_of) & loaded.options.keys():
        names = " or ".join(f"--{name}" for name in extension.any_of)
        raise _error(reader, loaded.token, f"{extension.name} lacks an option", names)
    found = extension.check(loaded.options, reader.family) if extension.check is not None else None
    if found is not None:
        raise _error(reader, loaded.token, *found)


def _written(extension: Extension, loaded: Loaded) -> list[str]:
    """Names of the given options; all spellings of one mark count as that mark."""
    marks = {"set-mark", "or-mark", "and-mark", "xor-mark"} if extension.spec("set-xmark") else set()
    return ["set-xmark" if name in marks else name for name in loaded.options]


def _protocol(reader: SpecReader) -> int | None:
    if "protocol" not in reader.base:
        return None
    option = reader.base["protocol"][1][0]
    if option.negated or not isinstance(option.value, Protocol):
        return None
    return option.value.number


def _check_protocol(reader: SpecReader, loaded: Loaded, extension: Extension) -> None:
    _check_special(reader, loaded)
    if extension.protocols and _protocol(reader) not in extension.protocols:
        names = " or ".join(f"-p {protocol_name(number)}" for number in extension.protocols)
        raise _error(reader, loaded.token, f"{extension.name} needs {names}", names)


def _check_special(reader: SpecReader, loaded: Loaded) -> None:
    """Only in IPv4 does ``ah`` need its protocol, and there it has fewer options.

    ``ecn`` needs TCP only for its TCP bits.
    """
    family = reader.family.label
    if loaded.name == "ah" and reader.family is Family.IPV4 and {"ahlen", "ahres"} & loaded.options.keys():
        raise _error(reader, loaded.token, f"--ahlen and --ahres are not for {family}", "--ahspi")
    for option in loaded.options.values() if loaded.name == "addrtype" and reader.family is Family.IPV6 else ():
        kinds = option.value.words if isinstance(option.value, KeywordList) else ()
        if barred := sorted(set(kinds) - set(_IPV6_TYPES)):
            raise _error(reader, loaded.token, f"there is no type {barred[0]} in {family}", ", ".join(_IPV6_TYPES))
    needed = AH if loaded.name == "ah" and reader.family is Family.IPV4 else None
    if loaded.name == "ecn" and {"ecn-tcp-cwr", "ecn-tcp-ece"} & loaded.options.keys():
        needed = TCP
    if needed is not None and _protocol(reader) != needed:
        name = f"-p {protocol_name(needed)}"
        raise _error(reader, loaded.token, f"{loaded.name} needs {name} here", name)


def demands(reader: SpecReader) -> tuple[Demand, ...]:
    """The parts of a rule that are valid in some chains only."""
    found: list[Demand] = []
    for loaded in reader.loaded:
        extension = loaded.extension
        if extension is None:
            continue
        if extension.hooks:
            found.append(Demand(loaded.token, loaded.name, extension.hooks, called=True))
        words = " ".join(loaded.raw)
        for option, hooks in extension.option_hooks:
            if f"--{option}" in words if loaded.opaque else option in loaded.options:
                found.append(Demand(loaded.token, f"{loaded.name} --{option}", hooks))
        if loaded.name == "physdev" and "physdev-is-bridged" not in loaded.options:
            out = [name for name in ("physdev-out", "physdev-is-out") if name in loaded.options]
            found += [Demand(loaded.token, f"physdev --{name}", _NOT_SENT_HERE) for name in out]
    return tuple(found)


def _check_table(reader: SpecReader, loaded: Loaded, extension: Extension, table: str) -> None:
    if extension.tables and table not in extension.tables and table in BUILTIN_CHAINS:
        names = " or ".join(extension.tables)
        raise _error(reader, loaded.token, f"{extension.name} is not possible in table {table}", f"table {names}")


def _check_target(reader: SpecReader, target: Loaded, table: str) -> None:
    if target.goto and (target.name in VERDICTS or target.extension is not None):
        raise _error(reader, target.token, f"-g needs a user chain, {target.name} is a target", f"-j {target.name}")
    if target.name == "DROP" and table == "nat":
        raise _error(reader, target.token, "the nat table does not filter: it refuses DROP", "DROP in filter or raw")
    _check_ports(reader, target)
    reject = target.options.get("reject-with")
    if reject is not None and reject.value == TCP_RESET and _protocol(reader) != TCP:
        raise _error(reader, target.token, "--reject-with tcp-reset needs -p tcp", "-p tcp")


def _check_ports(reader: SpecReader, target: Loaded) -> None:
    """NAT to ports needs a protocol that has ports."""
    for name in ("to-destination", "to-source", "to-ports"):
        option = target.options.get(name)
        if option is None or (name != "to-ports" and not _has_ports(str(option.value), reader.family)):
            continue
        given = reader.base["protocol"][1][0].value if "protocol" in reader.base else None
        if not isinstance(given, Protocol) or given.number not in _WITH_PORTS:
            reason = f"{target.name} to a port needs a protocol with ports"
            raise _error(reader, target.token, reason, "-p tcp, -p udp, -p sctp or -p dccp before it")
    if target.name == "CT" and "helper" in target.options and not _protocol(reader):
        raise _error(reader, target.token, "CT --helper needs a protocol", "-p tcp or -p udp")


def _has_ports(text: str, family: Family) -> bool:
    return "]:" in text or text[:1] == ":" != text[1:2] if family is Family.IPV6 else ":" in text

"""The kinds of option values; each reads what people write and returns what the kernel stores."""

from __future__ import annotations

import re
from collections.abc import Callable

from rules.errors import ExpectedError, did_you_mean
from rules.options.extensions import Kind, Quoting
from rules.values.addresses import read_address_range, read_network, read_plain_network, read_single
from rules.values.family import Family
from rules.values.icmp import read_icmp_type, read_reject
from rules.values.octets import octets
from rules.values.ports import read_number, read_port_list, read_ports, read_range
from rules.values.protocols import protocol_number
from rules.values.rates import read_rate
from rules.values.typed import TCP_FLAGS, HostAddress, KeywordList, Masked, Pair, Pattern, Protocol, TcpFlags, Value


def plain(
    expected: str, read: Callable[[str], Value], quoting: Quoting = Quoting.NEVER, *, numerals: bool = False
) -> Kind:
    """A kind of one word that is read the same in either family."""
    return Kind(expected, lambda words, _family: read(words[0]), quoting=quoting, numerals=numerals)


def number(limit: int, least: int = 0) -> Kind:
    """A number from ``least`` to ``limit``, printed in decimal."""
    expected = f"a number from {least} to {limit}"

    def read(text: str) -> int:
        number = read_number(text, limit)
        if number < least:
            raise ExpectedError(expected, f"{text} is out of range")
        return number

    return plain(expected, read)


def plain_gateway() -> Kind:
    """An address to send to."""

    def read(words: tuple[str, ...], family: Family) -> Value:
        found = read_single(words[0], family)
        if not found.network.address:
            raise ExpectedError("an address of a host", f'"{words[0]}" is no host')
        return found

    return Kind("an address", read, numerals=True)


def prefix() -> Kind:
    """The length of an address prefix of the family."""
    return Kind("the length of a prefix", lambda words, family: read_number(words[0], family.bits))


def number_range(limit: int) -> Kind:
    """``n`` or ``n:m`` within 0 to ``limit``."""
    return plain(f"a number or range from 0 to {limit}", lambda text: read_range(text, limit))


def text(limit: int, quoting: Quoting = Quoting.NEEDED, least: int = 0) -> Kind:
    """Free text of ``least`` to ``limit`` bytes."""

    def read(word: str) -> str:
        size = len(octets(word))
        if not least <= size <= limit:
            raise ExpectedError(
                f"a text of {least} to {limit} bytes", f"the text has {size} bytes, the kernel keeps {limit}"
            )
        return word

    return plain(f"a text of at most {limit} bytes", read, quoting)


def keywords(known: tuple[str, ...], aliases: dict[str, str] | None = None) -> Kind:
    """A comma-separated list of ``known`` words in any case, returned in their order without duplicates."""
    return plain(f"a list of {', '.join(known)}", lambda word: read_keywords(word, known, aliases or {}))


def read_keywords(word: str, known: tuple[str, ...], aliases: dict[str, str]) -> KeywordList:
    """Read the value of :func:`keywords`."""
    found = set()
    for item in word.split(","):
        found.add(read_keyword(item, known, aliases))
    return KeywordList(tuple(name for name in known if name in found))


def read_keyword(item: str, known: tuple[str, ...], aliases: dict[str, str]) -> str:
    """One of ``known`` in any case."""
    lowered = {name.lower(): name for name in known}
    found = lowered.get(item.lower()) or aliases.get(item.lower())
    if found is None:
        raise ExpectedError(f"one of {', '.join(known)}", f'"{item}" is not known here{did_you_mean(item, known)}')
    return found


def keyword(known: tuple[str, ...], aliases: dict[str, str] | None = None) -> Kind:
    """Exactly one of ``known``."""
    return plain(f"one of {', '.join(known)}", lambda word: read_keyword(word, known, aliases or {}))


def pattern(regex: str, expected: str) -> Kind:
    """A word that matches ``regex`` completely, kept as it is."""
    compiled = re.compile(regex)

    def read(word: str) -> str:
        if compiled.fullmatch(word) is None:
            raise ExpectedError(expected, f'"{word}" does not fit')
        return word

    return plain(expected, read)


def _read_masked(word: str) -> Masked:
    value, slash, mask = word.partition("/")
    return Masked(read_number(value, 0xFFFFFFFF), read_number(mask, 0xFFFFFFFF) if slash else 0xFFFFFFFF)


def _read_interface(word: str) -> str:
    if not 1 <= len(octets(word)) <= 15 or any(char in " \t\r\n\v\f" for char in word):
        raise ExpectedError("an interface name of 1 to 15 characters", f'"{word}" is not an interface name')
    return word


def _read_tcp_flags(words: tuple[str, ...], _family: Family) -> TcpFlags:
    mask, comp = (_flag_list(word) for word in words)
    if comp and not mask:
        raise ExpectedError("flags to look at", "of no flags none can be set")
    return TcpFlags(mask, comp)


def _flag_list(word: str) -> tuple[str, ...]:
    if word.upper() in ("ALL", "NONE"):
        return TCP_FLAGS if word.upper() == "ALL" else ()
    return read_keywords(word, TCP_FLAGS, {}).words


def _read_mac(word: str) -> str:
    if re.fullmatch(r"[0-9A-Fa-f]{1,2}(:[0-9A-Fa-f]{1,2}){5}", word) is None:
        raise ExpectedError("a MAC address such as 52:54:00:12:34:56", f'"{word}" is not a MAC address')
    return ":".join(part.zfill(2) for part in word.lower().split(":"))


def _read_hex_pattern(word: str) -> Pattern:
    data = bytearray()
    if word.count("|") % 2 or "\\|" in word:
        raise ExpectedError("a closing |", "the hex digits have no end")
    for index, part in enumerate(word.split("|")):
        if index % 2 == 0:
            data += octets(part)
            continue
        try:
            data += bytes.fromhex(part)
        except ValueError:
            raise ExpectedError('hex digits in pairs between bars, such as "|0d 0a|"', f'"{part}" is not hex') from None
    if not 1 <= len(data) <= 128:
        raise ExpectedError("1 to 128 bytes", f"these are {len(data)} bytes")
    return Pattern(bytes(data))


def _read_name(word: str) -> str:
    """The name of a file under /proc."""
    if not 1 <= len(octets(word)) <= 199 or "/" in word or word in (".", ".."):
        raise ExpectedError("a name of 1 to 199 bytes without /", f'"{word}" is not such a name')
    return word


def _read_pattern(word: str) -> Pattern:
    data = octets(word)
    if not 1 <= len(data) <= 128:
        raise ExpectedError("a text of 1 to 128 bytes", f"the text has {len(data)} bytes")
    return Pattern(data)


def _read_set(words: tuple[str, ...], _family: Family) -> Pair:
    name, directions = words
    if not 1 <= len(octets(name)) <= 31:
        raise ExpectedError("the name of a set, of 1 to 31 bytes", f'"{name}" is no name of a set')
    listed = directions.split(",")
    if len(listed) > 6 or not set(listed) <= {"src", "dst"}:
        raise ExpectedError("src and dst, up to six", f'"{directions}" is no list of src and dst')
    return Pair(name, directions)


FLAG = Kind("no value", lambda _words, _family: None, arity=0)
NETWORK = Kind("an address or network", lambda words, family: read_network(words[0], family), numerals=True)
PLAIN_NETWORK = Kind("an address or network", lambda words, family: read_plain_network(words[0], family), numerals=True)
HOST = Kind(
    "an address or network", lambda words, family: HostAddress(read_plain_network(words[0], family)), numerals=True
)
ADDRESS = Kind("an address", lambda words, family: read_single(words[0], family), numerals=True)
ADDRESS_RANGE = Kind("a range first-last", lambda words, family: read_address_range(words[0], family), numerals=True)
INTERFACE = plain("an interface name", _read_interface)
PROTOCOL = plain("a protocol", lambda word: Protocol(protocol_number(word)), numerals=True)
PROTOCOL_NUMBER = plain("a protocol", protocol_number, numerals=True)
PORTS = plain("a port or a range", read_ports, numerals=True)
PORT_LIST = plain("a list of ports", read_port_list, numerals=True)
ICMP_TYPE = Kind("an ICMP type", lambda words, family: read_icmp_type(words[0], family))
REJECT_TYPE = Kind("a reject type", lambda words, family: read_reject(words[0], family))
FLAGS = Kind("flags to look at and flags that are set", _read_tcp_flags, arity=2)
RATE = plain("a rate such as 5/min", lambda word: read_rate(word, 10_000))
MARK = plain("value[/mask]", _read_masked)


def named_mark(zero: str) -> Kind:
    """A mark whose value 0 has a name in iproute2 (rt_realms, group)."""

    def read(word: str) -> Value:
        found = Masked(0) if word == zero else _read_masked(word)
        return zero if found == Masked(0) else found

    return plain("value[/mask]", read)


MAC = plain("a MAC address", _read_mac)
STRING = plain("a text", _read_pattern, Quoting.ALWAYS)
HEX_STRING = plain("a text with |hex| parts", _read_hex_pattern, Quoting.ALWAYS)
SET = Kind("a name and a list of src and dst", _read_set, arity=2, quoting=Quoting.SPACED)
NAME = Kind("a name", lambda words, _family: _read_name(words[0]), quoting=Quoting.SPACED)
WORD = pattern(r"[^\s\"'!]+", "one word")

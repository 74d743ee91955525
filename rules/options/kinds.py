"""The kinds of values that options take; each reads what people write and gives what the kernel keeps."""

from __future__ import annotations

import re
from collections.abc import Callable

from rules.errors import ExpectedError, did_you_mean
from rules.options.extensions import Kind, Quoting
from rules.values.addresses import read_address_range, read_host, read_network, read_single
from rules.values.family import Family
from rules.values.icmp import read_icmp_type, read_reject
from rules.values.octets import octets
from rules.values.ports import read_number, read_port_list, read_ports, read_range
from rules.values.protocols import protocol_number
from rules.values.rates import read_rate
from rules.values.typed import TCP_FLAGS, Masked, Pair, Pattern, Protocol, TcpFlags, Value, Words


def plain(
    expected: str, read: Callable[[str], Value], quoting: Quoting = Quoting.NEVER, *, numerals: bool = False
) -> Kind:
    """A kind of one word whose reading does not depend on the family."""
    return Kind(expected, lambda words, _family: read(words[0]), quoting=quoting, numerals=numerals)


def number(limit: int) -> Kind:
    """A number from 0 to ``limit``, printed in decimal."""
    return plain(f"a number from 0 to {limit}", lambda text: read_number(text, limit))


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
    """A comma-separated list of ``known`` words in any case, put in their order, each once."""
    return plain(f"a list of {', '.join(known)}", lambda word: read_keywords(word, known, aliases or {}))


def read_keywords(word: str, known: tuple[str, ...], aliases: dict[str, str]) -> Words:
    """Reader of :func:`keywords`."""
    found = set()
    for item in word.split(","):
        found.add(read_keyword(item, known, aliases))
    return Words(tuple(name for name in known if name in found))


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
    """A word that matches ``regex`` as a whole, kept as it is."""
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
    return TcpFlags(mask, comp)


def _flag_list(word: str) -> tuple[str, ...]:
    if word.upper() in ("ALL", "NONE"):
        return TCP_FLAGS if word.upper() == "ALL" else ()
    return read_keywords(word, TCP_FLAGS, {}).words


def _read_mac(word: str) -> str:
    if re.fullmatch(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}", word) is None:
        raise ExpectedError("a MAC address such as 52:54:00:12:34:56", f'"{word}" is not a MAC address')
    return word.lower()


def _read_hex_pattern(word: str) -> Pattern:
    data = bytearray()
    for index, part in enumerate(word.split("|")):
        if index % 2 == 0:
            data += octets(part)
            continue
        try:
            data += bytes.fromhex(part)
        except ValueError:
            raise ExpectedError('hex digits in pairs between bars, such as "|0d 0a|"', f'"{part}" is not hex') from None
    return Pattern(bytes(data))


def _pair(words: tuple[str, ...], _family: Family) -> Pair:
    return Pair(words[0], words[1])


FLAG = Kind("no value", lambda _words, _family: None, arity=0)
NETWORK = Kind("an address or network", lambda words, family: read_network(words[0], family), numerals=True)
HOST = Kind("an address or network", lambda words, family: read_host(words[0], family), numerals=True)
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
MAC = plain("a MAC address", _read_mac)
STRING = plain("a text", lambda word: Pattern(octets(word)), Quoting.ALWAYS)
HEX_STRING = plain("a text with |hex| parts", _read_hex_pattern, Quoting.ALWAYS)
PAIR = Kind("a name and a list", _pair, arity=2, quoting=Quoting.SPACED)
NAME = text(199, Quoting.SPACED, least=1)
WORD = pattern(r"[^\s\"'!]+", "one word")

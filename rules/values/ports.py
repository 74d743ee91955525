"""Parses ports, port lists and other numeric ranges."""

from __future__ import annotations

import re

from rules.errors import ExpectedError, did_you_mean
from rules.values.service_names import SERVICES
from rules.values.typed import PortList, Range

_EXPECTED = "a port from 0 to 65535 or a service name"
MULTIPORT_LIMIT = 15
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]+")


def is_number(text: str) -> bool:
    """Whether a text is a decimal number in ASCII digits."""
    return text.isascii() and text.isdecimal()


def read_port(text: str) -> int:
    """A port number or a service name (``ssh``, ``https``). Raises :class:`ExpectedError` for anything else."""
    if is_number(text):
        if int(text) > 65535:
            raise ExpectedError(_EXPECTED, f"port {text} is out of range")
        return int(text)
    if text in SERVICES:
        return SERVICES[text]
    raise ExpectedError(_EXPECTED, f'"{text}" is not a port{did_you_mean(text, SERVICES) if text else ""}')


def read_ports(text: str) -> Range:
    """``80``, ``1024:2048``, ``:1023`` or ``1024:``; names allowed."""
    first_text, colon, last_text = text.partition(":")
    if not colon:
        port = read_port(text)
        return Range(port, port)
    first = read_port(first_text) if first_text else 0
    last = read_port(last_text) if last_text else 65535
    return _ordered(text, first, last)


def _ordered(text: str, first: int, last: int) -> Range:
    if first > last:
        raise ExpectedError("the lower number first", f'"{text}" runs backwards')
    return Range(first, last)


def read_port_list(text: str) -> PortList:
    """multiport's list: up to 15 ports, where a range counts twice."""
    ranges = tuple(_list_item(item) for item in text.split(","))
    weight = sum(1 if item.first == item.last else 2 for item in ranges)
    if weight > MULTIPORT_LIMIT:
        raise ExpectedError(f"at most {MULTIPORT_LIMIT} ports (a range counts for two)", f"{weight} ports are too many")
    return PortList(ranges)


def _list_item(text: str) -> Range:
    first, colon, last = text.partition(":")
    if colon and not (first and last):
        raise ExpectedError("both ends of the range: multiport has no open ranges", f'"{text}" lacks an end')
    return read_ports(text)


def read_number(text: str, limit: int) -> int:
    """A number from 0 to ``limit``: decimal, ``0x`` hexadecimal or ``0`` octal, as C's strtoul reads it."""
    try:
        if _NUMBER.fullmatch(text) is None:
            raise ValueError(text)
        number = int(text, 8) if len(text) > 1 and text[0] == "0" and is_number(text) else int(text, 0)
    except ValueError:
        raise ExpectedError(f"a number from 0 to {limit}", f'"{text}" is not a number') from None
    if not 0 <= number <= limit:
        raise ExpectedError(f"a number from 0 to {limit}", f"{text} is out of range")
    return number


def read_range(text: str, limit: int) -> Range:
    """``n``, ``n:m``, ``:m`` or ``n:`` within 0 to ``limit``."""
    first_text, colon, last_text = text.partition(":")
    if not colon:
        number = read_number(text, limit)
        return Range(number, number)
    first = read_number(first_text, limit) if first_text else 0
    last = read_number(last_text, limit) if last_text else limit
    return _ordered(text, first, last)

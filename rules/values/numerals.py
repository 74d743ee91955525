"""Numbers with a leading 0: octal to iptables, which reads them like C's strtoul, and decimal to people."""

from __future__ import annotations

import re

from rules.errors import ExpectedError

_LEADING = re.compile(r"(?<![0-9A-Za-z])0[0-9]+(?![0-9A-Za-z])")


def as_the_kernel(text: str) -> str:
    """The text with its octal numbers in decimal."""
    head, numbers = _apart(text)
    return head + _LEADING.sub(lambda one: str(int(one[0], 8)) if _is_octal(one[0]) else one[0], numbers)


def refuse_two_readings(text: str) -> None:
    """Raise :class:`ExpectedError` for a number that iptables reads differently than people do."""
    for found in _LEADING.finditer(_apart(text)[1]):
        number, decimal = found[0], int(found[0])
        if not _is_octal(number):
            raise ExpectedError(str(decimal), f'"{number}" begins with 0 and is no octal number, as iptables reads it')
        octal = int(number, 8)
        if octal != decimal:
            reason = f'"{number}" is {octal} to iptables, which reads it as octal, and {decimal} to people'
            raise ExpectedError(f"{decimal} or {octal}", reason)


def _apart(text: str) -> tuple[str, str]:
    """Split off the part that may contain such numbers: IPv6 addresses are hexadecimal, prefix lengths are not."""
    if text.count(":") < 2:
        return "", text
    address, slash, prefix = text.rpartition("/")
    return address + slash if slash else text, prefix if slash else ""


def _is_octal(number: str) -> bool:
    return not set(number) & {"8", "9"}

"""Bytes in rule text. Invalid UTF-8 is represented by U+FFFD and two hexadecimal digits, as in text read from hosts."""

from __future__ import annotations

import re

_BYTE = re.compile(b"\xef\xbf\xbd([89A-F][0-9A-F])")


def octets(text: str) -> bytes:
    """The bytes that the kernel gets for a text."""
    return _BYTE.sub(lambda one: bytes([int(one[1], 16)]), text.encode("utf-8", "surrogateescape"))

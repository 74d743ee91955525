"""Bytes in rule text. What is no UTF-8 stands there as U+FFFD and two hexadecimal digits, as hosts' text has it."""

from __future__ import annotations

import re

_BYTE = re.compile(b"\xef\xbf\xbd([89A-F][0-9A-F])")


def octets(text: str) -> bytes:
    """The bytes that the kernel is given for a text."""
    return _BYTE.sub(lambda one: bytes([int(one[1], 16)]), text.encode("utf-8", "surrogateescape"))

"""Converts a host's bytes to text and back: no output is lost, and all of it is text that can be stored.

UTF-8 stays as it is. A byte that is not UTF-8 becomes U+FFFD, the replacement character, and its two hexadecimal
digits: the Latin-1 comment `café` is `caf�E9`. That is valid Unicode, so every state, log and terminal accepts it. The
same notation in a declared text stands for the byte.
"""

import re

_BYTE = re.compile(b"\xef\xbf\xbd([89A-F][0-9A-F])")
_MISTAKABLE = re.compile("\ufffd(?=[89A-F][0-9A-F])")
_SPELLED = "\ufffdEF\ufffdBF\ufffdBD"


def to_text(raw: bytes) -> str:
    """Decode bytes to text. Different bytes give different texts."""
    text = _MISTAKABLE.sub(_SPELLED, raw.decode("utf-8", "surrogateescape"))
    if text.isascii():
        return text
    return re.sub("[\udc80-\udcff]", lambda one: f"\ufffd{ord(one[0]) - 0xDC00:X}", text)


def to_bytes(text: str) -> bytes:
    """Return the bytes that a text stands for: the inverse of `to_text`."""
    return _BYTE.sub(lambda one: bytes([int(one[1], 16)]), text.encode("utf-8", "surrogateescape"))

"""Removes from text for people or logs what must not be there: secrets, and what a terminal would obey."""

from collections.abc import Iterable

MASK = "***"
_SHORTEST_LINE = 6


def mask(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret replaced by `***`: literally, as quoted by the shell, and line by line."""
    for form in sorted(_forms(secrets), key=len, reverse=True):
        text = text.replace(form, MASK)
    return text


def printable(text: str) -> str:
    """`text` with backslash escapes for what a terminal would obey or not show: control characters other than tab and
    newline, characters that change the writing direction, and invisible characters. A byte that is not UTF-8 is shown
    as `\\xNN`."""
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(one: str) -> str:
    if one.isprintable() or one in "\n\t\xa0\u3000":
        return one
    code = ord(one)
    if 0xDC80 <= code <= 0xDCFF:  # a byte, as kept by `surrogateescape`
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def one_line(text: str) -> str:
    """The same in one line."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def shortened(text: str, most: int = 8000) -> str:
    """`printable`, cut to a length that a person reads: hosts and files may put anything into an error."""
    half = most // 2
    if len(text) > most:
        first, last = printable(text[:half])[:half], printable(text[-half:])[-half:]
        return f"{first}\n[much is left out here, of {len(text)} characters]\n{last}"
    return printable(text)[: 2 * most]


def _forms(secrets: Iterable[str]) -> set[str]:
    forms: set[str] = set()
    for secret in secrets:
        stripped = secret.strip()
        forms |= {secret, stripped, stripped.replace("'", "'\\''")}
        # a program may print one line of a key; very short lines would mask half of every message
        forms |= {line for line in stripped.splitlines() if len(line) >= _SHORTEST_LINE}
    return {form for form in forms if form.strip()}

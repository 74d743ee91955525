"""Readers of header fields of SCTP, DCCP and Mobile IPv6."""

from __future__ import annotations

from rules.errors import ExpectedError, did_you_mean
from rules.values.family import Family
from rules.values.ports import is_number, read_number
from rules.values.typed import Pair, Range

_CHUNKS = (
    *("DATA", "INIT", "INIT_ACK", "SACK", "HEARTBEAT", "HEARTBEAT_ACK", "ABORT", "SHUTDOWN", "SHUTDOWN_ACK", "ERROR"),
    *("COOKIE_ECHO", "COOKIE_ACK", "ECN_ECNE", "ECN_CWR", "SHUTDOWN_COMPLETE", "I_DATA", "ASCONF_ACK", "RE_CONFIG"),
    *("PAD", "ASCONF", "FORWARD_TSN", "I_FORWARD_TSN"),
)
# The flags of those chunks that have any, highest bit first.
_FLAGS = {"DATA": "IUBE", "I_DATA": "IUBE", "ABORT": "T", "SHUTDOWN_COMPLETE": "T"}
_WHICH = ("any", "all", "only")
DCCP_TYPES = (
    *("REQUEST", "RESPONSE", "DATA", "ACK", "DATAACK", "CLOSEREQ", "CLOSE", "RESET", "SYNC", "SYNCACK"),
    "INVALID",
)
_MOBILITY = (
    ("binding-refresh-request", "brr"),
    ("home-test-init", "hoti"),
    ("careof-test-init", "coti"),
    ("home-test", "hot"),
    ("careof-test", "cot"),
    ("binding-update", "bu"),
    ("binding-acknowledgement", "ba"),
    ("binding-error", "be"),
)


def read_chunks(words: tuple[str, ...], _family: Family) -> Pair:
    """``any``, ``all`` or ``only``, and chunk types with their flags: ``any ABORT:T,DATA``."""
    which, listed = words
    if which.lower() not in _WHICH:
        raise ExpectedError("any, all or only", f'"{which}" is none of any, all and only')
    if listed.upper() in ("ALL", "NONE"):
        return Pair(which.lower(), listed.upper())
    found: dict[str, str] = {}
    for item in listed.split(","):
        name, colon, flags = item.partition(":")
        chunk = name.upper()
        if chunk not in _CHUNKS:
            raise ExpectedError("a list of chunk types", f'"{name}" is no chunk type{did_you_mean(name, _CHUNKS)}')
        found[chunk] = found.get(chunk, "") + (_flags(chunk, flags) if colon else "")
    if len(found) == len(_CHUNKS) and not any(found.values()):
        return Pair(which.lower(), "ALL")
    shown = (f"{name}:{found[name]}" if found[name] else name for name in _CHUNKS if name in found)
    return Pair(which.lower(), ",".join(shown))


def _flags(chunk: str, flags: str) -> str:
    """Flags in bit order; a capital letter means set. If a flag is repeated, the last one counts."""
    known = _FLAGS.get(chunk, "")
    if not flags or any(flag.upper() not in known for flag in flags):
        what = f"flags of {chunk}: {known}" if known else f"no flags: {chunk} has none"
        raise ExpectedError(what, f'"{flags}" are no flags of {chunk}')
    return "".join(flag if flag in flags else flag.lower() for flag in known if flag in flags or flag.lower() in flags)


def read_mobility(text: str) -> Range:
    """A mobility header type or a range of them, by number or name."""
    first, colon, last = text.partition(":")
    low = _mobility(first) if first or not colon else 0
    high = (_mobility(last) if last else 255) if colon else low
    if low > high:
        raise ExpectedError("the lower number first", f'"{text}" runs backwards')
    return Range(low, high)


def _mobility(word: str) -> int:
    if is_number(word[:1]):
        return read_number(word, 255)
    names = {name: number for number, both in enumerate(_MOBILITY) for name in both}
    if word.lower() not in names:
        raise ExpectedError("a type of a mobility header", f'"{word}" is none{did_you_mean(word, names)}')
    return names[word.lower()]

"""hashlimit's rates and bursts, as the kernel stores them and iptables-save prints them (libxt_hashlimit)."""

from __future__ import annotations

import re

from rules.errors import ExpectedError
from rules.model import Option
from rules.options.extensions import Options
from rules.values.family import Family
from rules.values.ports import is_number, read_number
from rules.values.rates import read_rate
from rules.values.typed import Rate

_TICKS = 1_000_000
_MOST = 1_000_000
_U32 = 2**32 - 1
_UNITS = (("mb", 1024 * 1024), ("kb", 1024), ("b", 1))
_BYTE_RATE = re.compile(r"(\d+)(b|kb|mb)/s(?:ec(?:ond)?)?", re.ASCII)
_BYTES = re.compile(r"(\d+)(b|kb|mb)", re.ASCII)
_MOST_BUCKETS = 1_048_576
_DEFAULT_BURST = 5


def read_hash_rate(text: str) -> Rate | str:
    """hashlimit's rate: packets as in limit, or bytes (``512kb/s``).

    A packet rate keeps the unit it was written in, because that determines the expiry.
    """
    found = _BYTE_RATE.fullmatch(text)
    if found is not None:
        return _byte_rate(text, int(found[1]) * dict(_UNITS)[found[2]])
    if _BYTE_RATE.fullmatch(text.lower()):
        raise ExpectedError(text.lower(), f"{text} is a rate of packets to iptables: kb/s is in small letters")
    read_rate(text, _TICKS)
    amount, slash, unit = text.partition("/")
    name = next(name for name in ("sec", "min", "hour", "day") if name[0] == unit[:1].lower()) if slash else "sec"
    return Rate(int(amount), name)


def _cost(size: int) -> int:
    return _U32 // ((size >> 4) + 1)


def _size(cost: int) -> int:
    return (_U32 // cost - 1) << 4 if cost else _U32


def _byte_rate(text: str, size: int) -> str:
    """The nearest rate that the kernel can store."""
    cost = _cost(size)
    if size < 16 or size > _U32 or not cost:
        raise ExpectedError("from 16b/s to 2047mb/s", f"{text} is out of range")
    kept = _size(cost)
    unit, factor = next(
        (unit, factor)
        for unit, factor in _UNITS
        if factor == 1 or (kept >= factor and _cost(kept & ~(factor - 1)) == cost)
    )
    if kept > _U32:
        raise ExpectedError("up to 2047mb/s", f"{text} is more than the kernel has a number for")
    return f"{kept // factor}{unit}/s"


def _bytes_of(rate: str) -> int:
    found = _BYTE_RATE.fullmatch(rate)
    assert found is not None
    return _size(_cost(int(found[1]) * dict(_UNITS)[found[2]]))


def read_burst(text: str) -> str:
    """hashlimit's burst: packets, or bytes (``1mb``)."""
    if _BYTES.fullmatch(text):
        return text
    number = read_number(text, _MOST)
    if number == 0:
        raise ExpectedError(f"a burst from 1 to {_MOST}", "a burst of 0 lets nothing through")
    return str(number)


def read_buckets(text: str) -> int:
    """The size of a table, up to the kernel's maximum."""
    return min(read_number(text, _U32), _MOST_BUCKETS)


def _rate_name(options: Options) -> str:
    return "hashlimit-above" if "hashlimit-above" in options else "hashlimit-upto"


def _burst_size(text: str) -> int:
    found = _BYTES.fullmatch(text)
    return int(found[1]) * dict(_UNITS)[found[2]] if found is not None else int(text)


def check_hashlimit(options: Options, _family: Family) -> tuple[str, str] | None:
    """Reject a burst that does not fit the rate."""
    rate, burst = options[_rate_name(options)].value, options.get("hashlimit-burst")
    if burst is None or not isinstance(burst.value, str):
        return None
    if isinstance(rate, Rate):
        return None if is_number(burst.value) else ("a burst in bytes is for a rate in bytes", "a number of packets")
    if isinstance(rate, str) and _burst_size(burst.value) < _bytes_of(rate):
        return f"the burst is smaller than what {rate} lets through in a second", "a larger burst"
    return None


def hashlimit(options: Options, _family: Family) -> Options:
    """``! upto`` is ``above``; a burst of 5 packets and an expiry of one unit of the rate as written are implied."""
    for name, opposite in (("hashlimit-upto", "hashlimit-above"), ("hashlimit-above", "hashlimit-upto")):
        if name in options and options[name].negated:
            options[opposite] = Option(opposite, options.pop(name).value)
            break
    name = _rate_name(options)
    matching = "hashlimit-rate-match" in options
    if not matching:
        options.pop("hashlimit-rate-interval", None)
    written = options[name].value if name in options else None
    if isinstance(written, Rate):
        _packets(options, name, written, matching)
    elif isinstance(written, str) and "hashlimit-burst" in options:
        size = _bytes_of(written)
        burst = -(-_burst_size(str(options["hashlimit-burst"].value)) // size) * size
        unit, factor = next((unit, factor) for unit, factor in _UNITS if burst >= factor)
        options["hashlimit-burst"] = Option("hashlimit-burst", f"{burst // factor}{unit}")
    interval = options.get("hashlimit-rate-interval")
    if interval is not None and interval.value == 1:
        del options["hashlimit-rate-interval"]
    return options


def _packets(options: Options, name: str, written: Rate, matching: bool) -> None:
    shown = read_rate(str(written), _TICKS)
    if matching:
        shown = Rate(written.amount, "sec")
        options.setdefault("hashlimit-rate-interval", Option("hashlimit-rate-interval", written.seconds))
    options[name] = Option(name, shown)
    options.setdefault("hashlimit-burst", Option("hashlimit-burst", str(_DEFAULT_BURST)))
    expire = options.setdefault("hashlimit-htable-expire", Option("hashlimit-htable-expire", written.seconds * 1000))
    if expire.value == shown.seconds * 1000:
        del options["hashlimit-htable-expire"]

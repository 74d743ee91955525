"""Packet rates as the kernel stores them: a period in whole ticks, printed in the largest unit that fits."""

from __future__ import annotations

from rules.errors import ExpectedError
from rules.values.ports import is_number
from rules.values.typed import Rate

_UNITS = (("sec", "second", 1), ("min", "minute", 60), ("hour", "hour", 3600), ("day", "day", 86400))
_EXPECTED = "a rate: a number, a slash and second, minute, hour or day"


def read_rate(text: str, ticks: int) -> Rate:
    """``5/minute``, ``5/m``, ``10`` (per second), in the spelling of iptables-save.

    ``ticks`` is the kernel's ticks per second, which is also the highest rate (10,000 for limit).
    """
    amount_text, slash, unit_text = text.partition("/")
    if not is_number(amount_text) or int(amount_text) == 0 or (slash and not unit_text):
        raise ExpectedError(_EXPECTED, f'"{text}" is not a rate')
    unit = _unit(text, unit_text)
    if int(amount_text) > ticks * unit.seconds:
        raise ExpectedError(f"at most {ticks} per second", f"{text} is too fast")
    return settle(Rate(int(amount_text), unit.unit), ticks)


def _unit(text: str, unit_text: str) -> Rate:
    for name, long_name, _seconds in _UNITS:
        if long_name.startswith(unit_text.lower()) or unit_text.lower() == name:
            return Rate(1, name)
    raise ExpectedError(_EXPECTED, f'"{text}" is not a rate')


def settle(rate: Rate, ticks: int) -> Rate:
    """What iptables-save prints for a rate, repeated until it is stable, because rounding may change it once."""
    for _attempt in range(8):
        shown = _print(ticks * rate.seconds // rate.amount, ticks)
        if shown == rate:
            break
        rate = shown
    return rate


def _print(period: int, ticks: int) -> Rate:
    """``print_rate`` of libxt_limit: the largest unit in which the period is a near-whole rate."""
    shown = Rate(ticks * 86400 // period, "day")
    for name, _long, seconds in reversed(_UNITS[:-1]):
        scale = ticks * seconds
        if period > scale or scale // period < scale % period:
            break
        shown = Rate(scale // period, name)
    return shown

"""Readers and normalisers of the odder options: what iptables computes before it hands a rule to the kernel."""

from __future__ import annotations

import re
from collections.abc import Callable

from rules.errors import ExpectedError
from rules.model import Option
from rules.options.extensions import Options
from rules.values.family import Family
from rules.values.ports import is_number, read_number, read_range
from rules.values.rates import read_rate
from rules.values.typed import MarkChange, Masked, Range, Rate, Words

_FULL = 0xFFFFFFFF
_HASH_TICKS = 1_000_000
_BYTE_RATE = re.compile(r"(\d+)(b|kb|mb)/s(?:ec(?:ond)?)?", re.IGNORECASE | re.ASCII)
_BYTES = re.compile(r"\d+(b|kb|mb)", re.IGNORECASE | re.ASCII)
_DSCP_CLASSES = {
    "BE": 0x00,
    "EF": 0x2E,
    **{f"CS{number}": number << 3 for number in range(8)},
    **{f"AF{group}{drop}": (group << 3) | (drop << 1) for group in range(1, 5) for drop in range(1, 4)},
}
_TOS_NAMES = {
    "minimize-delay": 0x10,
    "maximize-throughput": 0x08,
    "maximize-reliability": 0x04,
    "minimize-cost": 0x02,
    "normal-service": 0x00,
}
ADDRESS_TYPES = "UNSPEC UNICAST LOCAL BROADCAST ANYCAST MULTICAST BLACKHOLE UNREACHABLE PROHIBIT THROW NAT XRESOLVE"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_TIME = re.compile(r"(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?", re.ASCII)
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:T(\d{1,2})(?::(\d{1,2})(?::(\d{1,2}))?)?)?)?)?", re.ASCII)


def _renamed(options: Options, old: str, new: str) -> None:
    """Put ``options[old]`` under another name, no longer negated."""
    options[new] = Option(new, options.pop(old).value)


def ports(options: Options, _family: Family) -> Options:
    """``! 0:n`` is ``n+1:65535``, which is what the nf_tables backend makes of it."""
    for name in ("sport", "dport"):
        option = options.get(name)
        if option is None or not option.negated or not isinstance(option.value, Range):
            continue
        if option.value.first == 0 and 0 < option.value.last < 65535:
            options[name] = Option(name, Range(option.value.last + 1, 65535))
    return options


def connlimit(options: Options, _family: Family) -> Options:
    """``! --connlimit-above`` is ``--connlimit-upto``; the source address is counted unless said otherwise."""
    for name, opposite in (("connlimit-above", "connlimit-upto"), ("connlimit-upto", "connlimit-above")):
        if name in options and options[name].negated:
            _renamed(options, name, opposite)
            break
    if "connlimit-daddr" not in options:
        options["connlimit-saddr"] = Option("connlimit-saddr")
    return options


def recent(options: Options, _family: Family) -> Options:
    """The source address is recorded unless said otherwise."""
    if "rdest" not in options:
        options["rsource"] = Option("rsource")
    return options


def statistic(options: Options, _family: Family) -> Options:
    """Of every n packets the first is meant unless said otherwise."""
    if "every" in options:
        options.setdefault("packet", Option("packet", 0))
    return options


def hashlimit(options: Options, _family: Family) -> Options:
    """``! upto`` is ``above``; a burst of 5 packets and an expiry of one unit of the rate as written are implied."""
    if "hashlimit-upto" in options and options["hashlimit-upto"].negated:
        _renamed(options, "hashlimit-upto", "hashlimit-above")
    if "hashlimit-above" in options and options["hashlimit-above"].negated:
        _renamed(options, "hashlimit-above", "hashlimit-upto")
    name = "hashlimit-above" if "hashlimit-above" in options else "hashlimit-upto"
    if name not in options or not isinstance(written := options[name].value, Rate):
        return options
    shown = read_rate(str(written), _HASH_TICKS)
    options[name] = Option(name, shown)
    options.setdefault("hashlimit-burst", Option("hashlimit-burst", "5"))
    expire = options.setdefault("hashlimit-htable-expire", Option("hashlimit-htable-expire", written.seconds * 1000))
    if expire.value == shown.seconds * 1000:
        del options["hashlimit-htable-expire"]
    return options


def read_hash_rate(text: str) -> Rate | str:
    """hashlimit's rate: packets as in limit (kept in the unit written, it sets the expiry), or bytes (``512kb/s``)."""
    found = _BYTE_RATE.fullmatch(text)
    if found is not None:
        return f"{found[1]}{found[2].lower()}/s"
    read_rate(text, _HASH_TICKS)
    amount, slash, unit = text.partition("/")
    name = next(name for name in ("sec", "min", "hour", "day") if name[0] == unit[:1].lower()) if slash else "sec"
    return Rate(int(amount), name)


def read_burst(text: str) -> str:
    """hashlimit's burst: packets, or bytes (``1mb``)."""
    return text.lower() if _BYTES.fullmatch(text) else str(read_number(text, 0xFFFFFFFF))


def read_connbytes(text: str) -> str:
    """``from:to``; an open end is left out, as it is when saved."""
    first, _, last = text.partition(":")
    limits = [str(read_number(part, 2**64 - 1)) for part in (first or "0", *([last] if last else []))]
    return ":".join(limits)


def read_probability(text: str) -> str:
    """A probability in the kernel's 31-bit steps, with the 11 digits of iptables-save."""
    try:
        value = float(text)
    except ValueError:
        raise ExpectedError("a number from 0 to 1", f'"{text}" is not a number') from None
    if not 0 <= value <= 1:
        raise ExpectedError("a number from 0 to 1", f"{text} is out of range")
    return f"{round(value * 2**31) / 2**31:.11f}"


def read_dscp(text: str) -> str:
    """A DSCP value from 0 to 63 in two hex digits."""
    return f"{read_number(text, 63):#04x}"


def read_dscp_class(text: str) -> str:
    """A DiffServ class name (EF, AF11, CS1, BE)."""
    if text.upper() not in _DSCP_CLASSES:
        raise ExpectedError("a DiffServ class: EF, BE, CS0 to CS7, AF11 to AF43", f'"{text}" is none')
    return f"{_DSCP_CLASSES[text.upper()]:#04x}"


def read_tos(text: str) -> str:
    """``value[/mask]`` or a name; a name means the mask 0x3f."""
    if text.lower() in _TOS_NAMES:
        return f"{_TOS_NAMES[text.lower()]:#04x}/0x3f"
    value, slash, mask = text.partition("/")
    return f"{read_number(value, 255):#04x}/{read_number(mask, 255) if slash else 255:#04x}"


def read_u32(text: str) -> str:
    """u32's tests with every number in hex and no spaces."""
    packed = re.sub(r"\s+", "", text)
    if re.fullmatch(r"[0-9A-Fa-fxX&|<>=@:,]+", packed) is None:
        raise ExpectedError('tests such as "0>>22&0x3C@12=0x1:5"', f'"{text}" is not a u32 test')
    return re.sub(r"0[xX][0-9A-Fa-f]+|\d+", lambda found: f"{read_number(found[0], 0xFFFFFFFF):#x}", packed)


def read_owner(text: str) -> str:
    """A user or group: a number, a range ``0-99``, or a name (only ``root`` is known to be 0 everywhere)."""
    if text == "root":
        return "0"
    if re.fullmatch(r"\d+(-\d+)?|[A-Za-z_][A-Za-z0-9_.-]*\$?", text, re.ASCII) is None:
        raise ExpectedError("a user or group: a name, a number or a range such as 0-99", f'"{text}" is none')
    return text


def read_time(text: str) -> str:
    """``hh:mm[:ss]`` with two digits each."""
    found = _TIME.fullmatch(text)
    if found is None or int(found[1]) > 23 or int(found[2]) > 59 or int(found[3] or 0) > 59:
        raise ExpectedError("a time of day hh:mm[:ss]", f'"{text}" is not a time of day')
    return f"{int(found[1]):02}:{int(found[2]):02}:{int(found[3] or 0):02}"


def read_date(text: str) -> str:
    """``YYYY[-MM[-DD[Thh[:mm[:ss]]]]]`` in full."""
    found = _DATE.fullmatch(text)
    if found is None:
        raise ExpectedError("a date YYYY-MM-DD[Thh:mm:ss]", f'"{text}" is not a date')
    year, month, day, hour, minute, second = (int(part) if part else 0 for part in found.groups())
    return f"{year:04}-{month or 1:02}-{day or 1:02}T{hour:02}:{minute:02}:{second:02}"


def read_weekdays(text: str) -> Words:
    """Names (their first two letters will do) or numbers 1 (Monday) to 7."""
    return Words(_chosen(text, _DAYS, _weekday))


def _weekday(word: str) -> str:
    if is_number(word) and 1 <= int(word) <= 7:
        return _DAYS[int(word) - 1]
    for day in _DAYS:
        if len(word) >= 2 and day[:2].lower() == word[:2].lower():
            return day
    raise ExpectedError(f"days of the week: {', '.join(_DAYS)}", f'"{word}" is not a day of the week')


def read_month_days(text: str) -> Words:
    """Numbers 1 to 31, with or without st, nd, rd, th."""
    every = tuple(str(day) for day in range(1, 32))
    return Words(_chosen(text, every, _month_day))


def _month_day(word: str) -> str:
    digits = re.sub(r"(st|nd|rd|th)$", "", word)
    if not is_number(digits) or not 1 <= int(digits) <= 31:
        raise ExpectedError("days of the month from 1 to 31", f'"{word}" is not a day of the month')
    return str(int(digits))


def _chosen(text: str, order: tuple[str, ...], read: Callable[[str], str]) -> tuple[str, ...]:
    found = {read(word) for word in text.split(",")}
    return tuple(word for word in order if word in found)


def time(options: Options, _family: Family) -> Options:
    """Days that are excluded become the days that are left, which is what the kernel keeps."""
    every = {"weekdays": _DAYS, "monthdays": tuple(str(day) for day in range(1, 32))}
    for name, days in every.items():
        option = options.get(name)
        if option is None or not isinstance(option.value, Words):
            continue
        chosen = option.value.words
        if option.negated:
            options[name] = Option(name, Words(tuple(day for day in days if day not in chosen)))
        elif len(chosen) == len(days):
            del options[name]
    return options


def nfqueue(options: Options, _family: Family) -> Options:
    """Queue 0 unless a balance is asked for."""
    if "queue-balance" not in options:
        options.setdefault("queue-num", Option("queue-num", 0))
    return options


def mark_target(options: Options, _family: Family) -> Options:
    """Every way to set a mark becomes ``--set-xmark value/mask``; saving and restoring get both masks."""
    given = options.pop("set-mark", None)
    if given is not None and isinstance(given.value, Masked):
        _change(options, given.value.value, given.value.mask | given.value.value)
    for name, change in _BIT_CHANGES.items():
        given = options.pop(name, None)
        if given is not None and isinstance(given.value, int):
            _change(options, *change(given.value))
    mask = options.pop("mask", None)
    if "save-mark" in options or "restore-mark" in options:
        for name in ("nfmask", "ctmask"):
            options.setdefault(name, Option(name, mask.value if mask is not None else f"{_FULL:#x}"))
    return options


_BIT_CHANGES: dict[str, Callable[[int], tuple[int, int]]] = {
    "or-mark": lambda bits: (bits, bits),
    "and-mark": lambda bits: (0, _FULL & ~bits),
    "xor-mark": lambda bits: (bits, 0),
}


def _change(options: Options, value: int, mask: int) -> None:
    options["set-xmark"] = Option("set-xmark", MarkChange(value, mask))


def read_bits(text: str) -> int:
    """A number of 32 bits."""
    return read_number(text, _FULL)


TOS_CHANGES: dict[str, Callable[[str], str]] = {
    "and": lambda text: f"0x00/{255 & ~read_number(text, 255):#04x}",
    "or": lambda text: f"{read_number(text, 255):#04x}/{read_number(text, 255):#04x}",
    "xor": lambda text: f"{read_number(text, 255):#04x}/0x00",
}


def read_ports_dashed(text: str) -> str:
    """NAT's port or port range ``1024-31000``."""
    found: Range = read_range(text.replace("-", ":"), 65535)
    return str(found).replace(":", "-")

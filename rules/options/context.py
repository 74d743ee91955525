"""Readers and normalisers for matches on a packet's context: what iptables computes from their options."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from rules.errors import ExpectedError
from rules.model import Option
from rules.options.extensions import Options
from rules.options.kinds import read_keywords
from rules.values.addresses import full_mask, read_address
from rules.values.family import Family
from rules.values.ports import is_number, read_number
from rules.values.typed import KeywordList, format_address

_FULL = 0xFFFFFFFF
_U64 = 2**64 - 1
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAYS_OF = {"weekdays": _DAYS, "monthdays": tuple(str(day) for day in range(1, 32))}
_DAY = (("timestart", "00:00:00"), ("timestop", "23:59:59"))
_TIME = re.compile(r"(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?", re.ASCII)
_FIRST_DATE, _LAST_DATE = datetime(1970, 1, 1), datetime(2038, 1, 19, 3, 14, 7)
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:T(\d{1,2})(?::(\d{1,2})(?::(\d{1,2}))?)?)?)?)?", re.ASCII)


def _renamed(options: Options, old: str, new: str) -> None:
    """Rename ``options[old]``, without its negation."""
    options[new] = Option(new, options.pop(old).value)


def connlimit(options: Options, _family: Family) -> Options:
    """``! --connlimit-above`` is ``--connlimit-upto``; the source address is counted by default."""
    for name, opposite in (("connlimit-above", "connlimit-upto"), ("connlimit-upto", "connlimit-above")):
        if name in options and options[name].negated:
            _renamed(options, name, opposite)
            break
    if "connlimit-daddr" not in options:
        options["connlimit-saddr"] = Option("connlimit-saddr")
    return options


def read_address_mask(words: tuple[str, ...], family: Family) -> str:
    """A netmask written as an address."""
    text = words[0]
    if family is Family.IPV4 and text.count(".") != 3:
        raise ExpectedError("a netmask such as 255.255.255.0", f'"{text}" is no netmask')
    return format_address(family, read_address(text, family)) if text != full_mask(family) else text


def check_recent(options: Options, _family: Family) -> tuple[str, str] | None:
    """Reject options without the ones that they need."""
    if {"set", "remove"} & options.keys() and {"seconds", "hitcount", "rttl", "reap"} & options.keys():
        return "--seconds, --hitcount, --rttl and --reap are for --rcheck and --update", "--rcheck or --update"
    if "reap" in options and "seconds" not in options:
        return "--reap needs --seconds", "--seconds"
    return None


def check_statistic(options: Options, _family: Family) -> tuple[str, str] | None:
    """Reject options that do not fit the mode."""
    nth = options["mode"].value == "nth"
    if (wanted := "every" if nth else "probability") not in options:
        return f"--mode {options['mode'].value} needs --{wanted}", f"--{wanted}"
    if barred := options.keys() & ({"probability"} if nth else {"every", "packet"}):
        return f"--{min(barred)} does not go with --mode {options['mode'].value}", f"--{wanted}"
    every, packet = options.get("every"), options.get("packet")
    if every is not None and isinstance(every.value, int):
        number = packet.value if packet is not None and isinstance(packet.value, int) else 0
        if number >= every.value:
            return f"of {every.value} packets there is no number {number}", "--packet below --every"
        if every.negated and packet is None:
            return "! --every needs --packet", "--packet"
    return None


def check_owner(options: Options, _family: Family) -> tuple[str, str] | None:
    """Reject supplementary groups without a group before them."""
    names = list(options)
    if "suppl-groups" in names and "gid-owner" not in names[: names.index("suppl-groups")]:
        return "--suppl-groups needs --gid-owner before it", "--gid-owner"
    return None


def check_time(options: Options, _family: Family) -> tuple[str, str] | None:
    """Reject two time zones, no days at all, and ``--contiguous`` for a time that does not span midnight."""
    if {"kerneltz", "utc"} <= options.keys():
        return "a time is in one time zone", "--kerneltz or --utc"
    for name, all_days in _DAYS_OF.items():
        option = options.get(name)
        chosen = option.value if option is not None and option.negated else None
        if isinstance(chosen, KeywordList) and set(chosen.words) == set(all_days):
            return f"! --{name} with all days matches nothing", "fewer days"
    start, stop = (str(options[name].value) if name in options else end for name, end in _DAY)
    if "contiguous" in options and start <= stop:
        return "--contiguous is for times over midnight", "--timestart behind --timestop"
    return None


def recent(options: Options, _family: Family) -> Options:
    """The source address is recorded by default."""
    if "rdest" not in options:
        options["rsource"] = Option("rsource")
    return options


def statistic(options: Options, _family: Family) -> Options:
    """Of every n packets, the first matches by default."""
    if "every" in options:
        options.setdefault("packet", Option("packet", 0))
    return options


def read_connbytes(text: str) -> str:
    """``from:to``; an open end is omitted, as in saved rules."""
    first, _, last = text.partition(":")
    limits = [read_number(part, _U64) for part in (first or "0", *([last] if last else []))]
    if len(limits) == 2 and limits[0] > limits[1]:
        raise ExpectedError("the lower number first", f'"{text}" runs backwards')
    return ":".join(map(str, limits[:1] if limits[1:] == [_U64] else limits))


def check_connbytes(options: Options, _family: Family) -> tuple[str, str] | None:
    """Reject a negated range of one: the kernel stores a negation by swapping the ends of the range."""
    option = options["connbytes"]
    first, colon, last = str(option.value).partition(":")
    if option.negated and colon and first == last:
        return f"! --connbytes {option.value} is {option.value} to the kernel", "a range of more than one number"
    return None


def read_probability(text: str) -> str:
    """A probability in the kernel's 31-bit steps, with the 11 digits that iptables-save prints."""
    try:
        value = float(text)
    except ValueError:
        raise ExpectedError("a number from 0 to 1", f'"{text}" is not a number') from None
    if not 0 <= value <= 1:
        raise ExpectedError("a number from 0 to 1", f"{text} is out of range")
    return f"{round(value * 2**31) / 2**31:.11f}"


def read_owner(text: str) -> str:
    """A user or group: a number, a range ``0-99``, or a name (only ``root`` is known to be 0 everywhere)."""
    if text == "root":
        return "0"
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*\$?", text, re.ASCII) is not None:
        return text
    try:
        numbers = [read_number(part, _FULL - 1) for part in text.split("-", 1)]
    except ExpectedError:
        raise ExpectedError("a user or group: a name, a number or a range such as 0-99", f'"{text}" is none') from None
    if numbers[0] > numbers[-1]:
        raise ExpectedError("the lower number first", f'"{text}" runs backwards')
    return "-".join(str(number) for number in sorted(set(numbers)))


def read_status(text: str) -> KeywordList:
    """Connection statuses; NONE is dropped beside others."""
    known = ("NONE", "EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED")
    words = read_keywords(text, known, {}).words
    return KeywordList(tuple(word for word in words if word != "NONE") or words)


def read_time(text: str) -> str:
    """``hh:mm[:ss]`` with two digits each."""
    found = _TIME.fullmatch(text)
    if found is None or int(found[1]) > 23 or int(found[2]) > 59 or int(found[3] or 0) > 59:
        raise ExpectedError("a time of day hh:mm[:ss]", f'"{text}" is not a time of day')
    return f"{int(found[1]):02}:{int(found[2]):02}:{int(found[3] or 0):02}"


def read_date(text: str) -> str:
    """``YYYY[-MM[-DD[Thh[:mm[:ss]]]]]``, completed."""
    found = _DATE.fullmatch(text)
    if found is None:
        raise ExpectedError("a date YYYY-MM-DD[Thh:mm:ss]", f'"{text}" is not a date')
    year, month, day, hour, minute, second = (int(part) if part else None for part in found.groups())
    try:
        date = datetime(
            year or 0, 1 if month is None else month, 1 if day is None else day, hour or 0, minute or 0, second or 0
        )
    except ValueError:
        raise ExpectedError("a date that there is", f'"{text}" is no date of the calendar') from None
    if not _FIRST_DATE <= date <= _LAST_DATE:
        raise ExpectedError("a date from 1970 to 2038-01-19T03:14:07", f'"{text}" is out of range')
    return date.isoformat()


def read_weekdays(text: str) -> KeywordList:
    """Names (their first two letters are enough) or numbers 1 (Monday) to 7."""
    return KeywordList(_chosen(text, _DAYS, _weekday))


def _weekday(word: str) -> str:
    if is_number(word) and 1 <= int(word) <= 7:
        return _DAYS[int(word) - 1]
    for day in _DAYS:
        if len(word) >= 2 and day[:2].lower() == word[:2].lower():
            return day
    raise ExpectedError(f"days of the week: {', '.join(_DAYS)}", f'"{word}" is not a day of the week')


def read_month_days(text: str) -> KeywordList:
    """Numbers 1 to 31, with or without st, nd, rd, th."""
    every = tuple(str(day) for day in range(1, 32))
    return KeywordList(_chosen(text, every, _month_day))


def _month_day(word: str) -> str:
    digits = re.sub(r"(st|nd|rd|th)$", "", word)
    if not is_number(digits) or not 1 <= int(digits) <= 31:
        raise ExpectedError("days of the month from 1 to 31", f'"{word}" is not a day of the month')
    return str(int(digits))


def _chosen(text: str, order: tuple[str, ...], read: Callable[[str], str]) -> tuple[str, ...]:
    found = {read(word) for word in text.split(",")}
    return tuple(word for word in order if word in found)


def time(options: Options, _family: Family) -> Options:
    """Excluded days become the remaining days, which is what the kernel stores."""
    options.pop("utc", None)
    for name, end in _DAY:
        options.setdefault(name, Option(name, end))
    if all(options[name].value == end for name, end in _DAY):
        for name, _end in _DAY:
            del options[name]
    for name, days in _DAYS_OF.items():
        option = options.get(name)
        if option is None or not isinstance(option.value, KeywordList):
            continue
        chosen = option.value.words
        if option.negated:
            options[name] = Option(name, KeywordList(tuple(day for day in days if day not in chosen)))
        elif len(chosen) == len(days):
            del options[name]
    return options


def match_set(options: Options, _family: Family) -> Options:
    """Counters of a set are updated by default."""
    for name in ("update-counters", "update-subcounters"):
        if name in options and not options[name].negated:
            del options[name]
    return options

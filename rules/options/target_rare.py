"""Rarely used targets (man 8 iptables-extensions), options in the order iptables-save prints them."""

from __future__ import annotations

import math
import re

from rules.errors import ExpectedError
from rules.model import Option
from rules.options import kinds as k
from rules.options.extensions import Extension, Kind, Options, Quoting
from rules.options.tables import IPV6, U32, opt
from rules.values.addresses import read_address
from rules.values.family import Family
from rules.values.octets import octets
from rules.values.ports import is_number, read_number
from rules.values.typed import KeywordList, Value, format_address

_SECOND = 1_000_000
_UNITS = {"": 1, "us": 1, "usec": 1, "usecs": 1, "ms": 1000, "msec": 1000, "msecs": 1000}
_UNITS |= {"s": _SECOND, "sec": _SECOND, "secs": _SECOND}
_TUPLE = ("src", "dst", "sport", "dport", "spi", "proto", "ct")
_LONGEST_PREFIX = 64


def _read_prefix(word: str, family: Family) -> str:
    """NPT's prefix: an address and a length up to 64, with all other bits 0."""
    address, _, length = word.partition("/")
    number = read_address(address, family)
    if not is_number(length) or not 0 < int(length) <= _LONGEST_PREFIX or number & (1 << 128 - int(length)) - 1:
        raise ExpectedError("a prefix such as 2001:db8::/64", f'"{word}" is no prefix of up to 64 bits')
    return f"{format_address(family, number)}/{int(length)}"


def _read_label(word: str) -> str:
    if not 1 <= len(octets(word)) <= 27 or "/" in word:
        raise ExpectedError("a name of 1 to 27 bytes without /", f'"{word}" is not such a name')
    return word


def _read_time(word: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)([a-zA-Z]*)", word, re.ASCII)
    if found is None or found[2].lower() not in _UNITS:
        raise ExpectedError("a time such as 250ms", f'"{word}" is no time')
    return int(float(found[1]) * _UNITS[found[2].lower()])


def _read_delay(word: str) -> str | int:
    return word if word == "inf" else read_number(word, U32)


def _shown_time(time: int) -> str:
    if time >= _SECOND:
        return f"{time / _SECOND:.1f}s"
    return f"{time / 1000:.1f}ms" if time >= 1000 else f"{time}us"


def _estimator(options: Options) -> tuple[int, int]:
    """The interval and time constant that the kernel stores; 0 if there is none."""
    interval, average = (options[f"rateest-{name}"].value for name in ("interval", "ewmalog"))
    assert isinstance(interval, int)
    assert isinstance(average, int)
    kept = next((_SECOND // 4 << step for step in range(6) if interval <= _SECOND // 4 << step), 0)
    wide = next((step for step in range(1, 32) if interval / -math.log(1 - 1 / (1 << step)) > average), 32)
    return kept, kept << wide - 1 if 1 < wide < 32 else 0


def _check_estimator(options: Options, _family: Family) -> tuple[str, str] | None:
    if not all(_estimator(options)):
        return "the kernel has no estimator with these times", "an interval up to 8s, shorter than --rateest-ewmalog"
    return None


def _normal_estimator(options: Options, _family: Family) -> Options:
    if {"rateest-interval", "rateest-ewmalog"} <= options.keys():
        for name, time in zip(("rateest-interval", "rateest-ewmalog"), _estimator(options), strict=True):
            options[name] = Option(name, _shown_time(time))
    return options


def _hashed(options: Options, family: Family) -> Options:
    """Replace the names of a tuple of fields with their full masks."""
    given = options.pop("hmark-tuple", None)
    words = given.value.words if given is not None and isinstance(given.value, KeywordList) else ()
    whole: dict[str, tuple[str, Value]] = {
        "src": ("hmark-src-prefix", family.bits),
        "dst": ("hmark-dst-prefix", family.bits),
        "sport": ("hmark-sport-mask", "0xffff"),
        "dport": ("hmark-dport-mask", "0xffff"),
        "spi": ("hmark-spi-mask", "0xffffffff"),
        "proto": ("hmark-proto-mask", "0xffff"),
        "ct": ("hmark-tuple", KeywordList(("ct",))),
    }
    for word in words:
        name, value = whole[word]
        options.setdefault(name, Option(name, value))
    return options


def _check_hash(options: Options, family: Family) -> tuple[str, str] | None:
    given = options.get("hmark-tuple")
    words = given.value.words if given is not None and isinstance(given.value, KeywordList) else ()
    for word, name in (("src", "hmark-src-prefix"), ("dst", "hmark-dst-prefix")):
        if word in words and name in options:
            return f"--hmark-tuple {word} is all of the address", f"--hmark-tuple without {word}"
    if "hmark-spi" in options and {"hmark-sport", "hmark-dport"} & options.keys():
        return "HMARK takes ports or an SPI", "one of --hmark-spi and --hmark-sport"
    fields = _hashed(dict(options), family)
    masks = {"hmark-sport-mask", "hmark-dport-mask"}
    if "hmark-spi-mask" in fields and masks & fields.keys():
        return "HMARK takes ports or an SPI", "one of --hmark-spi-mask and --hmark-sport-mask"
    named = {"hmark-src-prefix", "hmark-dst-prefix", "hmark-spi-mask", "hmark-proto-mask", "hmark-tuple", *masks}
    if not named & fields.keys():
        return "HMARK lacks what it is to hash", "--hmark-tuple"
    return None


def _hexadecimal(digits: int, limit: int) -> Kind:
    return k.plain("a mask", lambda word: f"{read_number(word, limit):#0{digits + 2}x}")


def _at_least_one(limit: int) -> Kind:
    def read(word: str) -> int:
        number = read_number(word, limit)
        if number == 0:
            raise ExpectedError(f"a number from 1 to {limit}", "0 is not possible here")
        return number

    return k.plain(f"a number from 1 to {limit}", read)


def _prefix(name: str, families_bits: int = 128) -> Kind:
    def read(words: tuple[str, ...], family: Family) -> int:
        return read_number(words[0], min(family.bits, families_bits))

    return Kind(f"the length of a {name} prefix", read)


_TIME = k.plain("a time", _read_time)
_PREFIX = Kind("a prefix", lambda words, family: _read_prefix(words[0], family))
RARE = (
    Extension(
        "IDLETIMER",
        (
            opt("timeout", _at_least_one(U32 // 1000)),
            opt("label", k.plain("a name", _read_label, Quoting.SPACED)),
            opt("alarm"),
        ),
        one_of=(("timeout",), ("label",)),
    ),
    Extension(
        "RATEEST",
        (
            opt("rateest-name", k.text(15, Quoting.SPACED, least=1)),
            opt("rateest-interval", _TIME),
            opt("rateest-ewmalog", _TIME),
        ),
        one_of=(("rateest-name",), ("rateest-interval",), ("rateest-ewmalog",)),
        normalise=_normal_estimator,
        check=_check_estimator,
    ),
    Extension(
        "SECMARK",
        (opt("selctx", k.text(255, Quoting.SPACED, least=1)),),
        tables=("mangle", "security"),
        one_of=(("selctx",),),
    ),
    Extension(
        "CONNSECMARK", (opt("save"), opt("restore")), tables=("mangle", "security"), one_of=(("save", "restore"),)
    ),
    Extension(
        "LED",
        (
            opt("led-trigger-id", k.text(27, Quoting.ALWAYS)),
            opt(
                "led-delay",
                k.plain("milliseconds, or inf", lambda word: word if word == "inf" else read_number(word, U32)),
            ),
            opt("led-always-blink"),
        ),
        one_of=(("led-trigger-id",),),
    ),
    *(
        Extension(
            name,
            (opt("src-pfx", _PREFIX), opt("dst-pfx", _PREFIX)),
            families=IPV6,
            tables=("mangle",),
            hooks=hooks,
            one_of=(("src-pfx",), ("dst-pfx",)),
        )
        for name, hooks in (("SNPT", ("INPUT", "POSTROUTING")), ("DNPT", ("PREROUTING", "OUTPUT")))
    ),
    Extension(
        "HMARK",
        (
            opt("hmark-src-prefix", _prefix("source")),
            opt("hmark-dst-prefix", _prefix("destination")),
            opt("hmark-sport-mask", _hexadecimal(4, 65535)),
            opt("hmark-dport-mask", _hexadecimal(4, 65535)),
            opt("hmark-spi-mask", _hexadecimal(8, U32)),
            opt("hmark-sport", _hexadecimal(4, 65535)),
            opt("hmark-dport", _hexadecimal(4, 65535)),
            opt("hmark-spi", _hexadecimal(8, U32)),
            opt("hmark-proto-mask", _hexadecimal(2, 65535)),
            opt("hmark-rnd", _hexadecimal(8, U32)),
            opt("hmark-mod", _at_least_one(U32)),
            opt("hmark-offset", k.number(U32)),
            opt("hmark-tuple", k.keywords(_TUPLE)),
        ),
        one_of=(("hmark-mod",), ("hmark-rnd",)),
        normalise=_hashed,
        check=_check_hash,
    ),
)

"""Readers and normalisers for unusual options: what iptables computes before it passes a rule to the kernel."""

from __future__ import annotations

import re
from collections.abc import Callable

from rules.errors import ExpectedError
from rules.model import Option
from rules.options.extensions import Options
from rules.values.family import Family
from rules.values.ports import is_number, read_number, read_port, read_range
from rules.values.service_names import SERVICES
from rules.values.typed import MarkChange, Masked, Range

_FULL = 0xFFFFFFFF
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


_NUMBER = r"\s*(?:0[xX][0-9A-Fa-f]+|[0-9]+)\s*"
_PLACE = rf"{_NUMBER}(?:(?:&(?!&)|@|<<|>>){_NUMBER})*"
_TEST = rf"{_PLACE}={_NUMBER}(?::{_NUMBER})?(?:,{_NUMBER}(?::{_NUMBER})?)*"
_U32_TESTS = re.compile(rf"{_TEST}(?:&&{_TEST})*", re.ASCII)


def ports(options: Options, _family: Family) -> Options:
    """``! 0:n`` is ``n+1:65535``, as in the nf_tables backend."""
    for name in ("sport", "dport"):
        option = options.get(name)
        if option is None or not option.negated or not isinstance(option.value, Range):
            continue
        if option.value.first == 0 and 0 < option.value.last < 65535:
            options[name] = Option(name, Range(option.value.last + 1, 65535))
    return options


def check_string(options: Options, _family: Family) -> tuple[str, str] | None:
    """Reject offsets in the wrong order."""
    first, last = (
        options[name].value if name in options else default for name, default in (("from", 0), ("to", 65535))
    )
    if isinstance(first, int) and isinstance(last, int) and first > last:
        return "--from is behind --to", "the lower offset first"
    return None


def read_dscp(text: str) -> str:
    """A DSCP value from 0 to 63 in two hex digits."""
    return f"{read_number(text, 63):#04x}"


def read_dscp_class(text: str) -> str:
    """A DiffServ class name (EF, AF11, CS1, BE)."""
    if text.upper() not in _DSCP_CLASSES:
        raise ExpectedError("a DiffServ class: EF, BE, CS0 to CS7, AF11 to AF43", f'"{text}" is none')
    return f"{_DSCP_CLASSES[text.upper()]:#04x}"


def read_tos(text: str) -> str:
    """``value[/mask]`` or a name; a name implies the mask 0x3f."""
    if text.lower() in _TOS_NAMES:
        return f"{_TOS_NAMES[text.lower()]:#04x}/0x3f"
    value, slash, mask = text.partition("/")
    return f"{read_number(value, 255):#04x}/{read_number(mask, 255) if slash else 255:#04x}"


def read_u32(text: str) -> str:
    """u32's tests with all numbers in hex and no spaces."""
    if _U32_TESTS.fullmatch(text) is None:
        raise ExpectedError('tests such as "0>>22&0x3C@12=0x1:5"', f'"{text}" is not a u32 test')
    packed = re.sub(r"\s+", "", text)
    return re.sub(r"0[xX][0-9A-Fa-f]+|\d+", lambda found: f"{read_number(found[0], 0xFFFFFFFF):#x}", packed)


def nfqueue(options: Options, _family: Family) -> Options:
    """Queue 0 unless there is a balance."""
    if "queue-balance" not in options:
        options.setdefault("queue-num", Option("queue-num", 0))
    return options


def read_balance(text: str) -> Range:
    """A range of queues: at least two, and not all."""
    found = Range(0, 65534) if text == ":" else read_range(text, 65535)
    if ":" not in text or not 0 < found.last - found.first < 65535:
        raise ExpectedError("two queues, first:last", f'"{text}" is no range of queues')
    return found


def check_queue(options: Options, _family: Family) -> tuple[str, str] | None:
    """Reject selection by CPU without several queues."""
    if "queue-cpu-fanout" in options and "queue-balance" not in options:
        return "--queue-cpu-fanout needs --queue-balance", "--queue-balance"
    return None


def mark_target(options: Options, _family: Family) -> Options:
    """Every way to set a mark becomes ``--set-xmark value/mask``; saving and restoring marks get both masks."""
    given = options.pop("set-mark", None)
    if given is not None and isinstance(given.value, Masked):
        _change(options, given.value.value, given.value.mask | given.value.value)
    for name, change in _BIT_CHANGES.items():
        given = options.pop(name, None)
        if given is not None and isinstance(given.value, int):
            _change(options, *change(given.value))
    mask = options.pop("mask", None)
    for given in (mask, options.get("ctmask")):
        _remask(options, given)
    if "set-xmark" in options:
        for name in ("nfmask", "ctmask"):
            options.pop(name, None)
    if "save-mark" in options or "restore-mark" in options:
        for name in ("nfmask", "ctmask"):
            options.setdefault(name, Option(name, mask.value if mask is not None else f"{_FULL:#x}"))
    return options


def _remask(options: Options, given: Option | None) -> None:
    """A mask that follows applies to the value set, whatever mask was written with it."""
    change = options.get("set-xmark")
    if given is not None and change is not None and isinstance(change.value, MarkChange):
        _change(options, change.value.value, int(str(given.value), 0))


def check_mark(options: Options, _family: Family) -> tuple[str, str] | None:
    """Reject ``--mask``, which sets both masks, beside either of them."""
    if "mask" in options and {"nfmask", "ctmask"} & options.keys():
        return "--mask is --nfmask and --ctmask", "--mask alone"
    return None


_BIT_CHANGES: dict[str, Callable[[int], tuple[int, int]]] = {
    "or-mark": lambda bits: (bits, bits),
    "and-mark": lambda bits: (0, _FULL & ~bits),
    "xor-mark": lambda bits: (bits, 0),
}


def _change(options: Options, value: int, mask: int) -> None:
    options["set-xmark"] = Option("set-xmark", MarkChange(value, mask))


def read_bits(text: str) -> int:
    """A 32-bit number."""
    return read_number(text, _FULL)


TOS_CHANGES: dict[str, Callable[[str], str]] = {
    "and": lambda text: f"0x00/{255 & ~read_number(text, 255):#04x}",
    "or": lambda text: f"{read_number(text, 255):#04x}/{read_number(text, 255):#04x}",
    "xor": lambda text: f"{read_number(text, 255):#04x}/0x00",
}


def read_ports_dashed(text: str) -> str:
    """A NAT port or port range ``1024-31000``, by number or name."""
    if text in SERVICES:
        return str(SERVICES[text])
    first, dash, last = _split_ports(text)
    numbers = [read_port(part) for part in ((first, last) if dash else (first,))]
    if numbers[0] > numbers[-1]:
        raise ExpectedError("the lower port first", f'"{text}" runs backwards')
    return "-".join(map(str, dict.fromkeys(numbers)))


def _split_ports(text: str) -> tuple[str, str, str]:
    """Split at the dash that is not part of a name (``ftp-data-http``)."""
    dashes = [place for place, char in enumerate(text) if char == "-"]
    for place in dashes:
        if all(is_number(part) or part in SERVICES for part in (text[:place], text[place + 1 :])):
            return text[:place], "-", text[place + 1 :]
    return text.partition("-")

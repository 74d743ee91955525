"""The options of the policy match: those of a packet's IPsec policy, element by element, so they may repeat."""

from __future__ import annotations

from collections.abc import Iterator

from rules.errors import ExpectedError
from rules.options.extensions import WordError
from rules.values.addresses import read_network
from rules.values.family import Family
from rules.values.numerals import refuse_two_readings
from rules.values.ports import read_number
from rules.values.typed import HostAddress, HostName

_U32 = 2**32 - 1
_PROTOCOLS = {"ah": "ah", "51": "ah", "esp": "esp", "50": "esp", "ipcomp": "ipcomp", "108": "ipcomp"}
_ONCE = ("dir", "pol", "strict")
# In the order that iptables-save prints.
_ELEMENT = ("reqid", "spi", "proto", "mode", "tunnel-dst", "tunnel-src")
_FLAGS = ("strict", "next")
_NAMES = (*_ONCE, *_ELEMENT, "next")
_MOST = 4


def read_policy(words: tuple[str, ...], family: Family) -> tuple[str, ...]:
    """The words after ``-m policy`` as iptables-save prints them. Raises :class:`WordError`."""
    given: dict[str, str] = {}
    elements: list[dict[str, tuple[str, bool]]] = [{}]
    for place, name, value, negated in _options(words):
        if name == "next":
            elements.append({})
            if len(elements) > _MOST:
                raise WordError(place, f"at most {_MOST} elements", "a policy with more elements")
            continue
        known: dict[str, str] | dict[str, tuple[str, bool]] = given if name in _ONCE else elements[-1]
        if name in known:
            raise WordError(place, "each option once in an element", f"--{name} is given twice")
        if negated and name in _ONCE:
            raise WordError(place, "the option without !", f"--{name} cannot be negated")
        try:
            text = _value(name, value, family)
        except ExpectedError as problem:
            raise WordError(place, problem.expected, problem.reason or f'"{value}" does not fit') from None
        if name in _ONCE:
            given[name] = text
        else:
            elements[-1][name] = text, negated
    _check(given, elements)
    return tuple(_printed(given, elements))


def _options(words: tuple[str, ...]) -> Iterator[tuple[int, str, str, bool]]:
    """Index, name and value of each option, and whether it is negated."""
    place = 0
    while place < len(words):
        start = place
        negated = words[place] == "!"
        flag, equals, value = (words[place + negated] if place + negated < len(words) else "").partition("=")
        place += 1 + negated
        found = [flag[2:]] if flag[2:] in _NAMES else [name for name in _NAMES if name.startswith(flag[2:])]
        if not flag.startswith("--") or len(flag) == len("--") or len(found) != 1:
            raise WordError(start, "an option of policy", f'"{flag}" is no option of policy')
        name = found[0]
        if name in _FLAGS:
            if equals or negated:
                raise WordError(start, f"--{name} alone", f"--{name} takes no value and no !")
        elif not equals:
            if place < len(words) and words[place] == "!" and not negated and name in _ELEMENT:
                negated, place = True, place + 1
            if place >= len(words):
                raise WordError(start, "a value", f"--{name} needs a value")
            value, place = words[place], place + 1
        yield start, name, value, negated


def _value(name: str, value: str, family: Family) -> str:
    known = {"dir": ("in", "out"), "pol": ("none", "ipsec"), "mode": ("transport", "tunnel")}
    if name in known:
        if value not in known[name]:
            raise ExpectedError(" or ".join(known[name]), f'"{value}" is not known here')
        return value
    if name == "proto":
        if value not in _PROTOCOLS:
            raise ExpectedError("ah, esp or ipcomp", f'"{value}" is not a protocol of IPsec')
        return _PROTOCOLS[value]
    if name in ("reqid", "spi"):
        number = read_number(value, _U32)
        return str(number) if name == "reqid" else f"{number:#x}"
    if name in _FLAGS:
        return ""
    refuse_two_readings(value)
    network = read_network(value, family)
    return str(network) if isinstance(network, HostName) else str(HostAddress(network))


def _check(given: dict[str, str], elements: list[dict[str, tuple[str, bool]]]) -> None:
    if "dir" not in given:
        raise WordError(None, "--dir in or --dir out", "policy lacks --dir")
    none = given.get("pol") == "none"
    if none and ("strict" in given or len(elements) > 1):
        raise WordError(None, "--pol ipsec", "--pol none takes no --strict and no --next")
    if len(elements) > 1 and "strict" not in given:
        raise WordError(None, "--strict", "--next needs --strict")
    for element in () if none else elements:
        if "strict" in given and not element:
            raise WordError(None, "an option in each element", "an element of the policy is empty")
        tunnel = element.get("mode") in (("tunnel", False), ("transport", True))
        if {"tunnel-src", "tunnel-dst"} & element.keys() and not tunnel:
            raise WordError(None, "--mode tunnel", "--tunnel-src and --tunnel-dst are for tunnels")


def _printed(given: dict[str, str], elements: list[dict[str, tuple[str, bool]]]) -> Iterator[str]:
    yield from ("--dir", given["dir"])
    if "pol" in given:
        yield from ("--pol", given["pol"])
    if "strict" in given:
        yield "--strict"
    if given.get("pol") == "none":
        return
    for number, element in enumerate(elements):
        if number:
            yield "--next"
        for name in _ELEMENT:
            if name in element:
                value, negated = element[name]
                yield from (*(["!"] if negated else []), f"--{name}", value)

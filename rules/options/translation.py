"""Reads the address ranges of DNAT and SNAT: ``[address[-address]][:port[-port]]``, IPv6 addresses in brackets."""

from __future__ import annotations

import re

from rules.errors import ExpectedError
from rules.options.normalise import read_ports_dashed
from rules.values.addresses import read_single
from rules.values.family import Family
from rules.values.ports import read_port
from rules.values.typed import format_address

_BRACKETED = re.compile(r"\[(?P<addresses>[^\]]*)\](?::(?P<ports>.*))?")


def read_nat_range(text: str, family: Family) -> str:
    """The range with addresses in canonical spelling. Raises :class:`ExpectedError` if it is invalid."""
    addresses, ports = _split(text, family)
    numbers = [read_single(part, family).network.address for part in addresses.split("-", 1)] if addresses else []
    if (not numbers and ports is None) or numbers[:1] > numbers[-1:]:
        raise ExpectedError("address[-address][:port[-port]], the lower ones first", f'"{text}" is no range')
    spelled = "-".join(format_address(family, number) for number in dict.fromkeys(numbers))
    if ports is None:
        return spelled
    return f"{f'[{spelled}]' if family is Family.IPV6 and spelled else spelled}:{_ports(ports)}"


def _split(text: str, family: Family) -> tuple[str, str | None]:
    if family is Family.IPV6:
        if text.startswith(":") and not text.startswith("::"):
            return "", text[1:]
        found = _BRACKETED.fullmatch(text)
        return (found["addresses"], found["ports"]) if found is not None else (text, None)
    addresses, colon, ports = text.partition(":")
    return addresses, ports if colon else None


def _ports(text: str) -> str:
    """A port, or a range with the port that its first port maps to: ``80-90/1080``."""
    ports, slash, base = text.partition("/")
    spelled = read_ports_dashed(ports)
    if not slash:
        return spelled
    if "-" not in spelled or not read_port(base):
        raise ExpectedError("first-last/port, the port from 1", f'"{text}" is no shifted range')
    return f"{spelled}/{read_port(base)}"

"""Reading of what DNAT and SNAT translate to: ``[address[-address]][:port[-port]]``, IPv6 addresses in brackets."""

from __future__ import annotations

import re

from rules.errors import ExpectedError
from rules.values.addresses import read_address
from rules.values.family import Family
from rules.values.ports import read_port
from rules.values.typed import format_address

_BRACKETED = re.compile(r"\[(?P<addresses>[^\]]*)\](?::(?P<ports>.*))?")
_PORTS = re.compile(r"(\d+)(?:-(\d+)(?:/(\d+))?)?", re.ASCII)


def read_nat_range(text: str, family: Family) -> str:
    """The range with addresses in canonical spelling. Raises :class:`ExpectedError` when it is none."""
    addresses, ports = _split(text, family)
    spelled = "-".join(format_address(family, read_address(part, family)) for part in addresses.split("-") if part)
    if ports is None:
        return spelled
    _check_ports(text, ports)
    return f"{f'[{spelled}]' if family is Family.IPV6 and spelled else spelled}:{ports}"


def _split(text: str, family: Family) -> tuple[str, str | None]:
    if family is Family.IPV6:
        if text.startswith(":") and not text.startswith("::"):
            return "", text[1:]
        found = _BRACKETED.fullmatch(text)
        return (found["addresses"], found["ports"]) if found is not None else (text, None)
    addresses, colon, ports = text.partition(":")
    return addresses, ports if colon else None


def _check_ports(text: str, ports: str) -> None:
    found = _PORTS.fullmatch(ports)
    if found is None:
        raise ExpectedError("address[:port[-port]]", f'"{text}" is not an address to translate to')
    numbers = [read_port(part) for part in found.groups() if part]
    if len(numbers) > 1 and numbers[0] > numbers[1]:
        raise ExpectedError("the lower port first", f'"{text}" runs backwards')

"""Parses addresses: from what people write to what the kernel stores (ip(8), iptables(8) "-s")."""

from __future__ import annotations

import ipaddress
import re

from rules.errors import ExpectedError
from rules.values.family import Family
from rules.values.ports import is_number
from rules.values.typed import AddressRange, HostAddress, HostName, Network

_NAME = re.compile(
    r"(?=.*[A-Za-z])[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?"
)
_DOTTED = re.compile(r"\d+(\.\d+)*", re.ASCII)
# What looks like a name, and is a number wherever addresses are looked up (inet_aton(3)).
_HEXADECIMAL = re.compile(r"(0[xX][0-9A-Fa-f]+|\d+)(\.(0[xX][0-9A-Fa-f]+|\d+)){0,3}", re.ASCII)


def _expected(family: Family) -> str:
    example = "203.0.113.7, 203.0.113.0/24" if family is Family.IPV4 else "2001:db8::7, 2001:db8::/32"
    return f"an {family.label} address or network ({example}) or a host name"


def _refuse(text: str, family: Family, why: str) -> ExpectedError:
    return ExpectedError(_expected(family), f'"{text}" {why}')


def _wrong_family(text: str, family: Family) -> bool:
    other = ipaddress.IPv6Address if family is Family.IPV4 else ipaddress.IPv4Address
    try:
        other(text)
    except ValueError:
        return False
    return True


def read_address(text: str, family: Family) -> int:
    """One address as a number. IPv4 may omit trailing zero octets, as in iptables (``10.1``).

    Raises :class:`ExpectedError` if it is invalid, or of the other family.
    """
    if _wrong_family(text, family):
        other = "IPv6" if family is Family.IPV4 else "IPv4"
        raise _refuse(text, family, f"is an {other} address in an {family.label} ruleset")
    try:
        if "%" in text:
            raise ValueError(text)
        if family is Family.IPV6:
            return int(ipaddress.IPv6Address(text))
        octets = text.split(".")
        if _DOTTED.fullmatch(text) is None or len(octets) > 4 or any(int(octet) > 255 for octet in octets):
            raise ValueError(text)
        padded = [int(octet) for octet in octets] + [0] * (4 - len(octets))
        return int.from_bytes(bytes(padded), "big")
    except ValueError:
        raise _refuse(text, family, f"is not an {family.label} address") from None


def read_mask(text: str, family: Family) -> int:
    """A netmask given as a prefix length or as an address."""
    full = (1 << family.bits) - 1
    if is_number(text) and int(text) <= family.bits:
        return (full << (family.bits - int(text))) & full
    try:
        if is_number(text):
            raise ValueError(text)
        return read_address(text, family)
    except ValueError:
        raise ExpectedError(
            f"a prefix length from 0 to {family.bits} or a netmask", f'"/{text}" is not an {family.label} mask'
        ) from None


def read_network(text: str, family: Family) -> Network | HostName:
    """``address``, ``address/mask`` or a host name; host bits are cleared as the kernel does."""
    address, slash, mask_text = text.partition("/")
    if ":" not in address and _NAME.fullmatch(address) and not _DOTTED.fullmatch(address):
        if family is Family.IPV4 and _HEXADECIMAL.fullmatch(address):
            raise _refuse(text, family, "is a number, and no name: write its four numbers in decimal")
        if slash:
            raise _refuse(text, family, "puts a mask on a name")
        return HostName(address)
    mask = read_mask(mask_text, family) if slash else (1 << family.bits) - 1
    return Network(family, read_address(address, family) & mask, mask)


def read_host(text: str, family: Family) -> HostAddress:
    """conntrack's ``--ctorigsrc`` and the like: an address with all of its octets or a network, but no host name."""
    address = text.partition("/")[0]
    if family is Family.IPV4 and _DOTTED.fullmatch(address) and address.count(".") < 3:
        *first, last = address.split(".")
        there = ".".join((*first, *["0"] * (3 - len(first)), last))
        meant = ".".join((*first, last, *["0"] * (3 - len(first))))
        raise _refuse(text, family, f"is {there} to iptables here, and {meant} to people: write all four numbers")
    network = read_network(text, family)
    if isinstance(network, HostName):
        raise _refuse(text, family, "is not an address")
    return HostAddress(network)


def read_plain_network(text: str, family: Family) -> Network:
    """An address, or a network with a contiguous mask, with all of its octets; no host name."""
    network = read_host(text, family).network
    if network.prefix is None:
        raise _refuse(text, family, "has a mask with holes, which iptables-save does not print")
    return network


def read_address_range(text: str, family: Family) -> AddressRange:
    """iprange's ``first-last``; a single address is a range of one."""
    first_text, dash, last_text = text.partition("-")
    first = read_address(first_text, family)
    last = read_address(last_text, family) if dash else first
    if first > last:
        raise ExpectedError("the lower address first", f'"{text}" runs backwards')
    return AddressRange(family, first, last)


def read_single(text: str, family: Family) -> HostAddress:
    """Exactly one address, written without a mask."""
    host = read_host(text, family)
    if "/" in text:
        raise _refuse(text, family, "is a network and not an address")
    return host


def full_mask(family: Family) -> str:
    """The all-ones netmask as recent's ``--mask`` prints it."""
    return "255.255.255.255" if family is Family.IPV4 else ":".join(["ffff"] * 8)


def any_host(family: Family) -> HostAddress:
    """The unspecified address, ``0.0.0.0`` or ``::``."""
    return HostAddress(Network(family, 0, (1 << family.bits) - 1))

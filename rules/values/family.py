"""The two address families that iptables and ip6tables filter."""

from __future__ import annotations

from enum import StrEnum


class Family(StrEnum):
    """Address family of a ruleset; the value is what users write in their configuration."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"

    @property
    def bits(self) -> int:
        """Length of an address in bits."""
        return 32 if self is Family.IPV4 else 128

    @property
    def label(self) -> str:
        """Name for messages."""
        return "IPv4" if self is Family.IPV4 else "IPv6"

    @property
    def command(self) -> str:
        """The command that administers this family."""
        return "iptables" if self is Family.IPV4 else "ip6tables"

"""What nat targets do to a packet, as data: DNAT, SNAT, REDIRECT, MASQUERADE, NETMAP."""

from __future__ import annotations

from dataclasses import dataclass

from rules.model import Target
from rules.values.addresses import read_address
from rules.values.family import Family
from rules.values.typed import Network, format_address

TRANSLATING = ("DNAT", "REDIRECT", "NETMAP", "SNAT", "MASQUERADE")


@dataclass(frozen=True, slots=True)
class Translation:
    """New addresses and ports, each as first and last; None if unchanged, or if the address is the host's own.

    ``mask``: the bits of the address that are replaced (NETMAP). ``base``: the original port that maps to the first of
    ``ports``, and so on. ``own``: use the address of the interface (REDIRECT, MASQUERADE).
    """

    addresses: tuple[int, int] | None = None
    ports: tuple[int, int] | None = None
    base: int | None = None
    mask: int | None = None
    own: bool = False

    def address(self, before: int) -> tuple[int, ...]:
        """The addresses that one may be translated to; only the ends of a range."""
        if self.addresses is None:
            return (before,)
        if self.mask is not None:
            return (before & ~self.mask | self.addresses[0],)
        return tuple(dict.fromkeys(self.addresses))

    def port(self, before: int) -> tuple[int, ...]:
        """The ports that one may be translated to; only the ends of a range."""
        if self.ports is None:
            return (before,)
        first, last = self.ports
        if self.base is not None:
            moved = before - self.base + first
            return (moved,) if first <= moved <= last else (first, last)
        return (before,) if first <= before <= last else tuple(dict.fromkeys((first, last)))

    def text(self, family: Family) -> str:
        """The new address and port, in words."""
        ports = "-".join(dict.fromkeys(map(str, self.ports))) if self.ports else ""
        if self.own:
            return f"this host{f':{ports}' if ports else ''}"
        if self.addresses is None:
            return f"port {ports}"
        shown = "-".join(dict.fromkeys(format_address(family, one) for one in self.addresses))
        if self.mask is not None:
            shown += f"/{self.mask.bit_count()}"
        return (f"[{shown}]:{ports}" if family is Family.IPV6 else f"{shown}:{ports}") if ports else shown


def translation(target: Target, family: Family) -> Translation | None:
    """What a nat target does; None if it is not one, or not understood."""
    if target.opaque or target.name not in TRANSLATING:
        return None
    if target.name == "NETMAP":
        to = target.option("to")
        if to is None or not isinstance(to.value, Network):
            return None
        return Translation((to.value.address, to.value.address), mask=to.value.mask)
    if target.name in ("REDIRECT", "MASQUERADE"):
        given = target.option("to-ports")
        return Translation(ports=_ports(str(given.value))[0] if given is not None else None, own=True)
    option = target.option("to-destination") or target.option("to-source")
    return _range(str(option.value), family) if option is not None else None


def _range(text: str, family: Family) -> Translation | None:
    if family is Family.IPV4:
        hosts, _, ports = text.partition(":")
    elif text.startswith("["):
        hosts, _, ports = text[1:].partition("]")
        ports = ports.removeprefix(":")
    elif text.startswith(":") and not text.startswith("::"):
        hosts, ports = "", text[1:]
    else:
        hosts, ports = text, ""
    first, _, last = hosts.partition("-")
    try:
        found = (read_address(first, family), read_address(last or first, family)) if hosts else None
        return Translation(found, *(_ports(ports) if ports else (None, None)))
    except ValueError:
        return None


def _ports(text: str) -> tuple[tuple[int, int], int | None]:
    span, _, base = text.partition("/")
    first, _, last = span.partition("-")
    return (int(first), int(last or first)), int(base) if base else None

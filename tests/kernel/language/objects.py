"""Objects that rules refer to: a set of addresses, created without ipset(8)."""

from __future__ import annotations

import os
import socket
import struct

from rules.values.family import Family

SET = "known"
_NETLINK_NETFILTER = 12
_IPSET, _CREATE = 6, 2
_REQUEST, _ACK, _MAKE = 0x1, 0x4, 0x600
_PROTOCOL, _NAME, _TYPE, _REVISION, _FAMILY, _DATA = 1, 2, 3, 4, 5, 7
_NESTED = 0x8000


def make_set(family: Family) -> None:
    """Create the set in this network namespace (linux/netfilter/ipset/ip_set.h)."""
    number = socket.AF_INET if family is Family.IPV4 else socket.AF_INET6
    attributes = (
        (_PROTOCOL, b"\x07"),
        (_NAME, SET.encode() + b"\0"),
        (_TYPE, b"hash:net\0"),
        (_REVISION, b"\x06"),
        (_FAMILY, bytes([number])),
        (_DATA | _NESTED, b""),
    )
    body = struct.pack("=BBH", number, 0, 0) + b"".join(_attribute(kind, value) for kind, value in attributes)
    header = struct.pack("=IHHII", 16 + len(body), _IPSET << 8 | _CREATE, _REQUEST | _ACK | _MAKE, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as link:
        link.send(header + body)
        (error,) = struct.unpack("=i", link.recv(4096)[16:20])
    if error:
        raise OSError(-error, f"no set of addresses: {os.strerror(-error)}")


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)

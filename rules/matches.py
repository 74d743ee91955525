"""All match extensions by name; their tables are in ``match_packet.py`` and ``match_context.py``."""

from __future__ import annotations

from rules.extensions import Extension
from rules.match_context import CONNECTION, ORIGIN, RATE
from rules.match_packet import PACKET, TRANSPORT

# Extensions whose options are kept as written: rare ones, and those whose options repeat.
_OPAQUE = """
bpf cgroup cluster connlabel dst hbh ipcomp ipv6header ipvs nfacct osf policy rateest rt srh
account asn condition dhcpmac fuzzy geoip gradm iface ipp2p ipv4options length2 lscan ndpi psd quota2
"""

MATCHES: dict[str, Extension] = {}
for _extension in (
    *TRANSPORT,
    *CONNECTION,
    *RATE,
    *PACKET,
    *ORIGIN,
    *(Extension(name, None) for name in _OPAQUE.split()),
):
    for _name in (_extension.name, *_extension.aliases):
        MATCHES[_name] = _extension

# The extension that iptables loads by itself for options after ``-p``.
IMPLICIT = {6: "tcp", 17: "udp", 132: "sctp", 33: "dccp", 1: "icmp", 58: "icmp6", 50: "esp", 51: "ah", 135: "mh"}

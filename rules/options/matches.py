"""All match extensions by name; their tables are in ``match_packet.py`` and ``match_context.py``."""

from __future__ import annotations

from rules.options.extensions import Extension
from rules.options.match_context import CONNECTION, ORIGIN, RATE
from rules.options.match_packet import PACKET, TRANSPORT
from rules.options.match_rare import HEADERS, OTHERS

# Extensions whose options are kept as written.
_OPAQUE = """
ipvs rateest
account asn condition dhcpmac fuzzy geoip gradm iface ipp2p ipv4options length2 lscan ndpi psd quota2
"""

MATCHES: dict[str, Extension] = {}
for _extension in (
    *TRANSPORT,
    *CONNECTION,
    *RATE,
    *PACKET,
    *ORIGIN,
    *HEADERS,
    *OTHERS,
    *(Extension(name, None) for name in _OPAQUE.split()),
):
    for _name in (_extension.name, *_extension.aliases):
        MATCHES[_name] = _extension

# The extension that iptables loads automatically for options after ``-p``.
IMPLICIT = {6: "tcp", 17: "udp", 132: "sctp", 33: "dccp", 1: "icmp", 58: "icmp6", 50: "esp", 51: "ah", 135: "mh"}

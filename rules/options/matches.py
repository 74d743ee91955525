"""All match extensions by name; their tables are in ``match_packet.py`` and ``match_context.py``."""

from __future__ import annotations

from rules.options.extensions import Extension
from rules.options.match_context import CONNECTION, ORIGIN, RATE
from rules.options.match_packet import PACKET, TRANSPORT
from rules.options.tables import COMING_IN, GOING_OUT, IPV4, IPV6, SENT_HERE

# Extensions whose options are kept as written: rare ones, and those whose options repeat.
_LIMITED = (
    Extension("cgroup", None, hooks=("INPUT", *SENT_HERE)),
    Extension("osf", None, families=IPV4, protocols=(6,), hooks=COMING_IN),
    *(Extension(name, None, families=IPV6) for name in ("dst", "hbh", "ipv6header", "rt", "srh")),
    Extension("policy", None, option_hooks=(("dir in", COMING_IN), ("dir out", GOING_OUT))),
)
_OPAQUE = """
bpf cluster connlabel ipcomp ipvs nfacct rateest
account asn condition dhcpmac fuzzy geoip gradm iface ipp2p ipv4options length2 lscan ndpi psd quota2
"""

MATCHES: dict[str, Extension] = {}
for _extension in (
    *TRANSPORT,
    *CONNECTION,
    *RATE,
    *PACKET,
    *ORIGIN,
    *_LIMITED,
    *(Extension(name, None) for name in _OPAQUE.split()),
):
    for _name in (_extension.name, *_extension.aliases):
        MATCHES[_name] = _extension

# The extension that iptables loads by itself for options after ``-p``.
IMPLICIT = {6: "tcp", 17: "udp", 132: "sctp", 33: "dccp", 1: "icmp", 58: "icmp6", 50: "esp", 51: "ah", 135: "mh"}

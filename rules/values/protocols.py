"""IP protocol numbers and the names that iptables-save prints for them (Debian's /etc/protocols, IANA)."""

from __future__ import annotations

from rules.errors import ExpectedError, did_you_mean

_NAMES = """
1:icmp 2:igmp 3:ggp 4:ipencap 5:st 6:tcp 8:egp 9:igp 12:pup 17:udp 20:hmp 22:xns-idp 27:rdp
29:iso-tp4 33:dccp 36:xtp 37:ddp 38:idpr-cmtp 41:ipv6 43:ipv6-route 44:ipv6-frag 45:idrp 46:rsvp
47:gre 50:esp 51:ah 57:skip 58:ipv6-icmp 59:ipv6-nonxt 60:ipv6-opts 73:rspf 81:vmtp 88:eigrp 89:ospf
93:ax.25 94:ipip 97:etherip 98:encap 103:pim 108:ipcomp 112:vrrp 115:l2tp 124:isis 132:sctp 133:fc
135:mobility-header 136:udplite 137:mpls-in-ip 138:manet 139:hip 140:shim6 141:wesp 142:rohc
143:ethernet
"""

# Other spellings: aliases of /etc/protocols, iptables' built-in names, names on other distributions.
_ALIASES = """
all:0 cphb:73 hopopt:0 ip:0 icmpv6:58 ip-encap:4 ipsec-ah:51 ipsec-esp:50 ipv4:4 ipv6-mh:135 mh:135
ospfigp:89
"""

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
_BY_NUMBER = {int(number): name for number, name in (entry.split(":") for entry in _NAMES.split())}
_BY_NAME = {name: number for number, name in _BY_NUMBER.items()}
_BY_NAME.update({name: int(number) for name, number in (entry.split(":") for entry in _ALIASES.split())})
_COMMON = ("tcp", "udp", "icmp", "icmpv6", "sctp", "esp", "gre", "all")


def protocol_name(number: int) -> str:
    """The name that iptables-save prints; the number if there is none."""
    return _BY_NUMBER.get(number, str(number))


def protocol_number(text: str) -> int:
    """The number of a protocol given by number or by name, in any case; 0 is any protocol.

    Raises :class:`ExpectedError` for an unknown name or a number above 255.
    """
    if text.isascii() and text.isdecimal() and int(text) < 256:
        return int(text)
    found = _BY_NAME.get(text.lower())
    if found is None:
        raise ExpectedError(
            "a protocol: tcp, udp, icmp, icmpv6, all, another name or a number from 0 to 255",
            f'"{text}" is not a protocol{did_you_mean(text, _COMMON) or did_you_mean(text, _BY_NAME)}',
        )
    return found

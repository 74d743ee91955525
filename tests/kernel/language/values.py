"""Values to try for the options of a rule: usual ones first, then edge cases, and invalid ones."""

from __future__ import annotations

Values = tuple[str, ...]

# An option without a value.
NONE: Values = ("",)


def numbers(last: int, first: int = 0) -> Values:
    """A number, minimum and maximum, one beyond each, and numbers in other bases."""
    some = min(first + 5, last)
    return (
        *(str(some), str(first), str(last), str(last + 1), str(first - 1), f"{some:#x}", f"0{some:o}", "010"),
        *("x", "5x", '""', "5.0", "+5"),
    )


def ranges(last: int) -> Values:
    """A number or ``first:last``."""
    return (
        *("5", "3:7", "4:4", "7:3", ":7", "3:", ":", f"0:{last}", str(last), str(last + 1), f"3:{last + 1}", "-1"),
        *("0x10:0x20", "010:020", "x", "3:x", "3:7:9", "3-7", "3,7", '""'),
    )


PORTS: Values = (
    *("22", "ssh", "1024:2048", "http:https", "ftp-data", ":1023", "1024:", ":", "0:65535", "0", "65535", "65536"),
    *("1:65536", "-1", "7:3", "4:4", "0x16", "022", "08", "SSH", "nosuch", "22,80", "1-2", '""', "22:", ":0", "1:2:3"),
)
_FIFTEEN = ",".join(map(str, range(1, 16)))
PORT_LIST: Values = (
    *("22,80", "22", "4", "ssh,http,443", "1:2,3", "3,1:2", "80,22", "22,22", "0,65535", "65536", "1,65536", "1:65535"),
    *(_FIFTEEN, f"{_FIFTEEN},16", "1:2,3:4,5:6,7:8,9:10,11:12,13:14,15", "1:2,3:4,5:6,7:8,9:10,11:12,13:14,15:16"),
    *("7:3", ":3", "3:", "22,", ",22", "22,,80", "x", '""', "0x16,80", "022", "4:4", "22 80"),
)
MARKS: Values = (
    *("5", "0x5", "5/7", "0x10/0xff", "0", "0/0", "0xffffffff", "0xFFFFFFFF/0xFFFFFFFF", "4294967295", "4294967296"),
    *("1/4294967296", "-1", "010", "7/3", "1/", "/1", "1/2/3", "x", '""', "0x", "1/0xffffffff"),
)
ADDRESSES: Values = (
    *("192.0.2.7", "192.0.2", "10", "0.0.0.0", "255.255.255.255", "256.0.0.1", "1.2.3.4.5", "192.0.2.7/24"),
    *("2001:db8::7", "2001:DB8:0:0::7", "::", "::1", "::ffff:192.0.2.7", "::192.0.2.7", "2001:db8::7/64", "2001:db8"),
    *("1:2:3:4:5:6:7:8:9", "x", '""', "0xc0000207", "192.0.02.7"),
)
NETWORKS: Values = (
    *ADDRESSES,
    *("192.0.2.0/24", "192.0.2.9/255.255.255.0", "192.0.2.9/255.0.255.0", "192.0.2.9/0", "192.0.2.9/32", "10/8"),
    *("192.0.2.9/33", "192.0.2.9/", "192.0.2.9/x", "192.0.2.9/-1", "192.0.2.9/024", "0.0.0.0/0", "0/0", "10.1/16"),
    *("2001:db8::9/32", "2001:db8::9/128", "2001:db8::9/129", "2001:db8::9/0", "::/0", "2001:db8::9/ffff::"),
    *(
        "2001:db8::9/ffff:0:ffff::",
        "192.0.2.1,192.0.2.2",
        "192.0.2.1,10.0.0.0/8",
        "2001:db8::1,2001:db8::2",
        "192.0.2.1,",
    ),
    *("fe80::1%eth0", "[2001:db8::1]", "192.0.2.1-192.0.2.9"),
)
ADDRESS_RANGES: Values = (
    *("192.0.2.1-192.0.2.9", "192.0.2.1", "192.0.2.9-192.0.2.1", "192.0.2.1-", "-192.0.2.1", "0.0.0.0-255.255.255.255"),
    *(
        "2001:db8::1-2001:db8::9",
        "2001:db8::1",
        "2001:db8::9-2001:db8::1",
        "192.0.2.1-2001:db8::1",
        "192.0.2.0/24",
        "x",
    ),
    *("192.0.2.1-192.0.2.1", "10-11", "::-::1", '""'),
)
INTERFACES: Values = (
    *("eth0", "lo", "eth+", "+", "eth0.100", "fifteen-letters", "sixteen-letters-", "br-lan", "eth0:1", "eth/0", "e++"),
    *('""', '"a b"', "!eth0", "veth@x", "eth*", "eth%d", "-x"),
)
PROTOCOLS: Values = (
    *("tcp", "6", "TCP", "udp", "udplite", "icmp", "icmpv6", "ipv6-icmp", "sctp", "dccp", "esp", "ah", "gre", "47"),
    *(
        "mh",
        "ipv6-mh",
        "mobility-header",
        "all",
        "ALL",
        "0",
        "ip",
        "255",
        "256",
        "-1",
        "ipcomp",
        "ospf",
        "vrrp",
        "igmp",
    ),
    *("nosuch", "0x6", "06", "010", "hopopt", "ipv6", "ipv6-route", "ipv6-frag", "ipv6-opts", "ipv6-nonxt", "ipv4"),
    *("ipencap", "l2tp", "pim", "etherip", "tcp,udp", '""', "253", "mptcp", "262", "rdp", "hip", "Tcp"),
)
TEXTS: Values = (
    *("word", '"two words"', '"a \\"quote\\""', '"back\\\\slash"', '"it\'s"', "it's", '""', "a=b", "a,b;c|d&e", '"!"'),
    *('"-x"', "100%", "$x", "`x`", '"tab\there"', '"gr\u00fc\u00df"', '" edge "', "a_b-c", "#x", '"x'),
)


def texts(most: int) -> Values:
    """Texts, among them one of the maximum number of bytes and one that is longer by a byte."""
    return (*TEXTS, "x" * most, "x" * (most + 1), '"' + "\u00e9" * (most // 2 + 1) + '"')

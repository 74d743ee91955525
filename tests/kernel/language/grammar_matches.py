"""Every match of the rule language, with values to try."""

from __future__ import annotations

from tests.kernel.language.subject import Subject
from tests.kernel.language.values import (
    ADDRESS_RANGES,
    INTERFACES,
    MARKS,
    NETWORKS,
    NONE,
    PORT_LIST,
    PORTS,
    PROTOCOLS,
    Values,
    numbers,
    ranges,
    texts,
)

U32 = 2**32 - 1
U64 = 2**64 - 1
_TYPES = ("LOCAL", "UNICAST,BROADCAST", "local", "BROADCAST,UNICAST", "UNSPEC", "ANYCAST", "MULTICAST", "BLACKHOLE")
_ALL_TYPES = (*_TYPES, "UNREACHABLE", "PROHIBIT", "THROW", "NAT", "XRESOLVE", "LOCAL,", "LOCAL,LOCAL", "NOSUCH", '""')
_STATES: Values = (
    *("NEW", "RELATED,ESTABLISHED", "ESTABLISHED,RELATED", "new", "INVALID", "UNTRACKED", "NEW,NEW", "NOSUCH", '""'),
    *("INVALID,NEW,RELATED,ESTABLISHED,UNTRACKED", "NEW,", ",NEW", "SNAT", "DNAT,NEW", "NEW ESTABLISHED", "EST"),
)
_FLAGS: Values = (
    *("SYN,ACK SYN", "ALL NONE", "ALL ALL", "NONE NONE", "NONE SYN", "syn,ack syn", "ACK,SYN SYN", "SYN", "SYN,ACK"),
    *("FIN,SYN,RST,PSH,ACK,URG FIN,PSH,URG", "ALL SYN,NOSUCH", "NOSUCH SYN", "SYN ACK", "ALL FIN,SYN,RST,ACK,PSH,URG"),
    *("SYN,RST,ACK,FIN SYN", "SYN,SYN SYN", "all none", 'SYN ""', "SYN, SYN"),
)
_ICMP: Values = (
    *("8", "echo-request", "3/4", "fragmentation-needed", "any", "255", "0", "256", "8/0", "8/255", "8/256", "ping"),
    *("pong", "PING", "Echo-Request", "echo-re", "destination-unreachable", "network-unreachable", "ttl-exceeded"),
    *("time-exceeded", "parameter-problem", "source-quench", "redirect", "router-advertisement", "timestamp-request"),
    *("address-mask-reply", "port-unreachable", "host-prohibited", "nosuch", "3/", "/3", "3/4/5", "-1", "0x8", "010"),
    *("255/0", "255/255", "8/0:255", "8/1:2", '""', "8:9", "3/0x4", "communication-prohibited", "any/0", "254", "ANY"),
)
_ICMPV6: Values = (
    *(
        "128",
        "echo-request",
        "1/4",
        "port-unreachable",
        "0",
        "255",
        "256",
        "128/0",
        "128/255",
        "128/256",
        "ping",
        "pong",
    ),
    *("destination-unreachable", "no-route", "communication-prohibited", "beyond-scope", "address-unreachable"),
    *("failed-policy", "reject-route", "packet-too-big", "time-exceeded", "ttl-zero-during-transit", "bad-header"),
    *("unknown-header-type", "unknown-option", "router-solicitation", "router-advertisement", "redirect", "any"),
    *("neighbour-solicitation", "neighbor-solicitation", "neighbour-advertisement", "neighbor-advertisement"),
    *("neighbo", "mld-listener-query", "echo-re", "NO-ROUTE", "-1", "0x80", "1/", "/1", "1/2/3", '""', "nosuch", "130"),
)
_RATES: Values = (
    *(
        "5/min",
        "5/minute",
        "5/m",
        "5",
        "5/s",
        "5/sec",
        "5/second",
        "5/h",
        "5/hour",
        "5/d",
        "5/day",
        "10000/s",
        "10001/s",
    ),
    *("1/day", "0/s", "-1/s", "7/min", "90/min", "3/h", "100/hour", "25/h", "1000/min", "5/", "5/x", "/s", "5 /s", "x"),
    *("0x5/s", "5/MIN", "5/secs", "600/hour", "1000000/day", '""', "5/week", "05/s"),
)
_HASH_RATES: Values = (
    *(*_RATES, "1000000/s", "1000001/s", "512kb/s", "1mb/s", "100b/s", "4kb/sec", "1gb/s", "10kb", "5000/min"),
    *("512KB/s", "4294967295b/s", "1000mb/s", "0kb/s", "1/hour", "123456b/s"),
)
_TIMES: Values = (
    *("08:00", "8:5", "08:00:30", "23:59:59", "24:00", "12:60", "12:30:60", "00:00", "00:00:00", "8", "8:", "x", '""'),
    *("08:00:00:00", "-1:00", "008:00"),
)
_DATES: Values = (
    *("2026-01-02", "2026-01-02T03:04:05", "2026", "2026-01", "2026-01-02T03", "2026-01-02T03:04", "1970-01-01"),
    *("2038-01-19T03:14:07", "2038-01-19T03:14:08", "1969-12-31", "2026-13-01", "2026-02-30", "2026-02-29", "x", '""'),
    *("2026-01-32", "2026-01-02T24:00:00", "2026-1-2", "2026-01-02 03:04", "2040-01-01", "2000-02-29T23:59:59"),
)
_CHUNKS: Values = (
    *(
        "all DATA",
        "any INIT,INIT_ACK",
        "only SACK",
        "ALL DATA",
        "all DATA,INIT",
        "all INIT,DATA",
        "all data",
        "all ALL",
    ),
    *(
        "any NONE",
        "all ALL,DATA",
        "all DATA:UBE",
        "all DATA:ube",
        "any ABORT:T",
        "any SHUTDOWN_COMPLETE:Tt",
        "some DATA",
    ),
    *(
        "all NOSUCH",
        "all",
        "all DATA:X",
        "all 0",
        "all HEARTBEAT,HEARTBEAT_ACK,SHUTDOWN,SHUTDOWN_ACK,ERROR,COOKIE_ECHO",
    ),
    *("all COOKIE_ACK,ECN_ECNE,ECN_CWR,ASCONF,ASCONF_ACK", "any FORWARD_TSN", "any I_DATA", "any RE_CONFIG", "any PAD"),
    *('all ""', "only ABORT", "only DATA:I", "all DATA:IUBE", "only NONE"),
)
_U32: Values = (
    *(
        '"0>>22&0x3C@12=5"',
        '"6&0xFF=1"',
        '"0=0"',
        '"4&0x3FFF=0x2000:0x3FFF"',
        '"0=1,2,5:7"',
        '"0=1&&4=2"',
        '"0"',
        '"="',
    ),
    *(
        '"0 = 1 && 4 = 2"',
        "0=1",
        '""',
        '"0=1&&"',
        '"0=x"',
        '"0@4=1"',
        '"0<<2=1"',
        '"0=1:"',
        '"0=7:3"',
        '"0=4294967296"',
    ),
    *('"010=1"', '"0xff=1"', '"0=1,"', '"0&1&2=1"', '"0=1 2"', '"-1=0"', '"0|1=2"', '"0 >> 22 & 0x3C @ 12 = 5"'),
)
_DSCP: Values = ("0x2e", "46", "0", "63", "64", "056", "-1", "x", '""', "0x3F", "0x02e", "EF")
_DSCP_CLASSES: Values = (
    *(
        "EF",
        "ef",
        "BE",
        "CS0",
        "CS1",
        "CS7",
        "CS8",
        "AF11",
        "AF12",
        "AF13",
        "AF21",
        "AF33",
        "AF43",
        "AF44",
        "af41",
        "x",
    ),
    *('""', "DF", "VA", "LE", "46"),
)
TOS: Values = (
    *("0x10", "16", "16/0x3f", "0x10/0xff", "Minimize-Delay", "minimize-delay", "Maximize-Throughput", "255", "256"),
    *(
        "Maximize-Reliability",
        "Minimize-Cost",
        "Normal-Service",
        "normal",
        "0/0",
        "1/256",
        "x",
        '""',
        "-1",
        "1/",
        "020",
    ),
)
_OWNERS: Values = (
    *(
        "0",
        "root",
        "1000",
        "0-10",
        "10-0",
        "4294967294",
        "4294967295",
        "4294967296",
        "-1",
        "0-4294967294",
        "0-4294967295",
    ),
    *("nosuchuser", "5-5", "0x10", "010", '""', "root-5", "1-2-3", "daemon"),
)
_LEN = ranges(U32)
_STRING: Values = (*texts(128), '"|"', '"a|b"', '"|41|"', '"\\\\"')
_HEX: Values = (
    *(
        '"|0d 0a|"',
        '"GET |20|"',
        "|41|",
        '"|4|"',
        '"|4142"',
        '"|zz|"',
        '"||"',
        '"a|41|b|42|"',
        '""',
        '"|00|"',
        '"|414|"',
    ),
    *("word", '"|41 4|"', '"|22|"', '"|5c|"', '"|ff|"', '"a b"', '"|7c|"', '"\\\\|41|"'),
)


def _m(name: str, **options: Values) -> Subject:
    return Subject(f"-m {name}", {f"--{key.replace('_', '-')}": value for key, value in options.items()})


def _flags(*names: str) -> dict[str, Values]:
    return {f"--{name}": NONE for name in names}


_PORT_OPTIONS: dict[str, Values] = {
    "--sport": PORTS,
    "--dport": PORTS,
    "--source-port": PORTS[:3],
    "--destination-port": PORTS[:3],
}
TRANSPORT = (
    Subject(
        "-m tcp",
        {**_PORT_OPTIONS, "--tcp-flags": _FLAGS, "--syn": NONE, "--tcp-option": numbers(255, 1)},
        before="-p tcp",
    ),
    Subject("-m udp", _PORT_OPTIONS, before="-p udp"),
    Subject(
        "-m sctp",
        {**_PORT_OPTIONS, "--chunk-types": _CHUNKS},
        before="-p sctp",
        more=tuple(
            f"{no}--{end} {port}" for no in ("", "! ") for end in ("sport", "dport") for port in ("80:443", "20")
        ),
    ),
    Subject(
        "-m dccp",
        {
            **_PORT_OPTIONS,
            "--dccp-types": (
                *("REQUEST", "REQUEST,RESPONSE", "RESPONSE,REQUEST", "request", "INVALID", "DATA,ACK,DATAACK"),
                *("CLOSEREQ,CLOSE,RESET,SYNC,SYNCACK", "NOSUCH", '""', "DATA,", "0"),
            ),
            "--dccp-option": numbers(255, 1),
        },
        before="-p dccp",
    ),
    Subject(
        "-m multiport",
        {
            **{f"--{name}": PORT_LIST for name in ("sports", "dports", "ports")},
            **{f"--{name}": PORT_LIST[:3] for name in ("source-ports", "destination-ports", "port")},
        },
        before="-p tcp",
    ),
    Subject("-m icmp", {"--icmp-type": _ICMP}, before="-p icmp"),
    Subject("-m icmp6", {"--icmpv6-type": _ICMPV6}, before="-p icmpv6"),
    Subject("-m icmpv6", {"--icmpv6-type": _ICMPV6[:3]}, before="-p icmpv6"),
    Subject("-m esp", {"--espspi": ranges(U32)}, before="-p esp"),
    Subject("-m ah", {"--ahspi": ranges(U32), "--ahlen": numbers(U32), "--ahres": NONE}, before="-p ah"),
    Subject("-m tcpmss", {"--mss": ranges(65535)}, before="-p tcp"),
    Subject("-m ipcomp", {"--ipcompspi": ranges(U32), "--compres": NONE}, before="-p ipcomp"),
    Subject(
        "-m mh",
        {
            "--mh-type": (
                *ranges(255),
                *(
                    "brr",
                    "binding-refresh-request",
                    "hoti",
                    "coti",
                    "hot",
                    "cot",
                    "bu",
                    "binding-update",
                    "ba",
                    "be",
                    "BE",
                ),
                *("brr:be", "binding-error", "nosuch", "home-test", "binding-acknowledgement"),
            )
        },
        before="-p mh",
    ),
)
_PACKET = (
    Subject(
        "-m addrtype",
        {"--src-type": _ALL_TYPES, "--dst-type": _ALL_TYPES, **_flags("limit-iface-in", "limit-iface-out")},
    ),
    _m("iprange", src_range=ADDRESS_RANGES, dst_range=ADDRESS_RANGES),
    _m("mark", mark=MARKS),
    _m(
        "mac",
        mac_source=(
            *("52:54:00:12:34:56", "52:54:00:AB:CD:EF", "52-54-00-12-34-56", "52:54:0:12:34:56", "52:54:00:12:34", "x"),
            *(
                "52:54:00:12:34:56:78",
                "52:54:00:12:34:5g",
                "525400123456",
                '""',
                "00:00:00:00:00:00",
                "ff:ff:ff:ff:ff:ff",
            ),
        ),
    ),
    _m(
        "pkttype",
        pkt_type=(
            "unicast",
            "broadcast",
            "multicast",
            "host",
            "bcast",
            "mcast",
            "otherhost",
            "BROADCAST",
            "nosuch",
            '""',
        ),
    ),
    _m("length", length=ranges(65535)),
    _m("ttl", ttl_eq=numbers(255), ttl_lt=numbers(255), ttl_gt=numbers(255), ttl=numbers(255)[:3]),
    _m("hl", hl_eq=numbers(255), hl_lt=numbers(255), hl_gt=numbers(255)),
    _m("dscp", dscp=_DSCP, dscp_class=_DSCP_CLASSES),
    _m("tos", tos=TOS),
    _m("realm", realm=(*MARKS, "cosmos", "default")),
    Subject(
        "-m ecn",
        {"--ecn-tcp-cwr": NONE, "--ecn-tcp-ece": NONE, "--ecn-ip-ect": numbers(3)},
        before="-p tcp",
    ),
    Subject(
        "-m string",
        {
            "--string": _STRING,
            "--hex-string": _HEX,
            "--algo": ("bm", "kmp", "BM", "nosuch", '""', "fsm"),
            "--from": numbers(65535),
            "--to": numbers(65535),
            "--icase": NONE,
        },
        needs=("--string", "--algo"),
        rivals=(("--string", "--hex-string"),),
        more=("--algo bm --string x --from 5 --to 3", "--algo bm --string x --from 0 --to 65535"),
    ),
    _m("u32", u32=_U32),
    Subject(
        "-m frag",
        {
            "--fragid": ranges(U32),
            "--fraglen": numbers(U32),
            **_flags("fragres", "fragfirst", "fragmore", "fraglast"),
        },
    ),
    Subject("-m eui64"),
)
_CONNECTION = (
    _m("state", state=_STATES),
    Subject(
        "-m conntrack",
        {
            "--ctstate": _STATES,
            "--ctproto": PROTOCOLS,
            **{f"--ct{way}{end}": NETWORKS for way in ("orig", "repl") for end in ("src", "dst")},
            **{f"--ct{way}{end}port": PORTS for way in ("orig", "repl") for end in ("src", "dst")},
            "--ctstatus": (
                *(
                    "ASSURED",
                    "EXPECTED,SEEN_REPLY",
                    "SEEN_REPLY,EXPECTED",
                    "NONE",
                    "CONFIRMED",
                    "NONE,ASSURED",
                    "assured",
                ),
                *("NOSUCH", '""', "EXPECTED,SEEN_REPLY,ASSURED,CONFIRMED"),
            ),
            "--ctexpire": ranges(U32),
            "--ctdir": ("ORIGINAL", "REPLY", "original", "BOTH", '""', "ORIG"),
        },
    ),
    _m("connmark", mark=MARKS),
    Subject(
        "-m connbytes",
        {
            "--connbytes": (*_LEN, str(U64), f"5:{U64}", str(U64 + 1)),
            "--connbytes-mode": ("packets", "bytes", "avgpkt", "BYTES", "nosuch", '""'),
            "--connbytes-dir": ("original", "reply", "both", "ORIGINAL", "nosuch", '""'),
        },
        needs=("--connbytes", "--connbytes-mode", "--connbytes-dir"),
    ),
    Subject(
        "-m connlimit",
        {
            "--connlimit-above": numbers(U32),
            "--connlimit-upto": numbers(U32),
            "--connlimit-mask": (*numbers(32), *numbers(128), "255.255.255.0", "64"),
            **_flags("connlimit-saddr", "connlimit-daddr"),
        },
        needs=("--connlimit-above",),
        rivals=(("--connlimit-above", "--connlimit-upto"),),
    ),
    _m("helper", helper=texts(29)),
    Subject(
        "-m connlabel",
        {"--label": ("40", "0", "127", "128", "-1", "x", '""', "0x10", "010"), "--set": NONE},
        needs=("--label",),
    ),
    Subject(
        "-m cluster",
        {
            "--cluster-total-nodes": (*numbers(32, 1), "2"),
            "--cluster-local-node": (*numbers(32, 1), "2"),
            "--cluster-local-nodemask": ("0x1", "3", "0", "0x100000000", "0x3f", "x", "0xff"),
            "--cluster-hash-seed": ("0xfeedcafe", "5", "0", "4294967295", "4294967296", "x", '""'),
        },
        needs=("--cluster-total-nodes", "--cluster-local-node", "--cluster-hash-seed"),
        rivals=(("--cluster-local-node", "--cluster-local-nodemask"),),
        table="mangle",
        chain="PREROUTING",
        more=(
            "--cluster-total-nodes 2 --cluster-local-node 2 --cluster-hash-seed 0xdeadbeef",
            "--cluster-total-nodes 2 --cluster-local-node 3 --cluster-hash-seed 1",
            "--cluster-total-nodes 4 ! --cluster-local-node 2 --cluster-hash-seed 1",
        ),
    ),
)
_RATE = (
    _m("limit", limit=_RATES, limit_burst=numbers(10000, 1)),
    Subject(
        "-m hashlimit",
        {
            "--hashlimit-upto": _HASH_RATES,
            "--hashlimit-above": _HASH_RATES,
            "--hashlimit": _HASH_RATES[:4],
            "--hashlimit-burst": (*numbers(1000000, 1), "10000", "10001", "1mb", "512kb", "100b", "1gb", "4294967296"),
            "--hashlimit-mode": (
                *("srcip", "srcip,dstip", "dstip,srcip", "srcport", "srcip,srcport,dstip,dstport", "SRCIP", "nosuch"),
                *('""', "srcip,", "srcip,srcip", "dstport,dstip"),
            ),
            "--hashlimit-name": (
                "NAME",
                '"a b"',
                "x" * 200,
                "a/b",
                '""',
                "a-b_c",
                "x" * 15,
                "..",
                '"a\\"b"',
                "-x",
                "it's",
            ),
            "--hashlimit-htable-size": numbers(U32),
            "--hashlimit-htable-max": numbers(U32),
            "--hashlimit-htable-gcinterval": (*numbers(U32), "1000"),
            "--hashlimit-htable-expire": (*numbers(U32), "1000", "60000", "86400000"),
            "--hashlimit-srcmask": (*numbers(32), "128", "129", "24"),
            "--hashlimit-dstmask": (*numbers(32), "128", "129", "24"),
            "--hashlimit-rate-match": NONE,
            "--hashlimit-rate-interval": numbers(U32),
        },
        needs=("--hashlimit-upto", "--hashlimit-name"),
        rivals=(("--hashlimit-upto", "--hashlimit-above", "--hashlimit"),),
        more=(
            "--hashlimit-upto 1mb/s --hashlimit-burst 2mb --hashlimit-name NAME",
            "--hashlimit-upto 1mb/s --hashlimit-burst 5 --hashlimit-name NAME",
            "--hashlimit-upto 5/s --hashlimit-burst 2mb --hashlimit-name NAME",
            "--hashlimit-upto 1mb/s --hashlimit-burst 5kb --hashlimit-name NAME",
            "--hashlimit-upto 1mb/s --hashlimit-rate-match --hashlimit-name NAME",
            "--hashlimit-upto 5/s --hashlimit-rate-match --hashlimit-rate-interval 10 --hashlimit-name NAME",
        ),
    ),
    Subject(
        "-m recent",
        {
            **_flags("set", "rcheck", "update", "remove"),
            "--seconds": (*numbers(U32, 1), "60"),
            "--reap": NONE,
            "--hitcount": (*numbers(65535, 1), "255", "256"),
            "--rttl": NONE,
            "--name": ("NAME", "DEFAULT", '"a b"', "x" * 199, "x" * 200, "a/b", '""', "..", '"a\\"b"', "-x", "it's"),
            "--mask": (
                *("255.255.255.0", "255.255.255.255", "0.0.0.0", "24", "ffff:ffff::", "::", "x", '""', "255.0.255.0"),
                *("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "64", "FFFF::"),
            ),
            **_flags("rsource", "rdest"),
        },
        needs=("--rcheck",),
        rivals=(("--set", "--rcheck", "--update", "--remove"),),
        more=(
            "--set --seconds 60",
            "--set --hitcount 4",
            "--set --rttl",
            "--remove --seconds 60",
            "--update --seconds 60 --reap --hitcount 4 --rttl --name x --rdest",
            "--rcheck --hitcount 4 -m recent --update --hitcount 8 --name NAME",
            "--rcheck --reap",
            "--set --reap --seconds 5",
        ),
    ),
    Subject(
        "-m statistic",
        {
            "--mode": ("random", "nth", "RANDOM", "nosuch", '""'),
            "--probability": (
                *(
                    "0.5",
                    "0",
                    "1",
                    "1.1",
                    "-0.1",
                    "0.33",
                    "0.000000001",
                    "1e-3",
                    "x",
                    '""',
                    ".5",
                    "50%",
                    "0.99999999999",
                ),
                *("0x1", "nan", "inf", "5e-1"),
            ),
            "--every": numbers(U32, 1),
            "--packet": numbers(U32),
        },
        needs=("--mode",),
        more=(
            "--mode random --probability 0.5",
            "--mode nth --every 3",
            "--mode nth --every 3 --packet 0",
            "--mode nth --every 3 --packet 2",
            "--mode nth --every 3 --packet 3",
            "--mode nth ! --every 3 --packet 1",
            "--mode nth ! --every 3",
            "--mode nth --every 1",
            "--mode nth --every 1 --packet 0",
            "--mode nth --every 0",
            "--mode nth --every 4294967295 --packet 5",
            "--mode nth --every 4294967296",
            "--mode random ! --probability 0.5",
            "--mode random --probability 0.25 --every 3",
            "--mode nth --every 3 --probability 0.5",
            "--mode nth --packet 3",
        ),
    ),
    _m("quota", quota=(*numbers(U64), "1000000")),
)
_ORIGIN = (
    _m("comment", comment=texts(255)),
    Subject(
        "-m owner",
        {"--uid-owner": _OWNERS, "--gid-owner": _OWNERS, "--socket-exists": NONE, "--suppl-groups": NONE},
        chain="OUTPUT",
    ),
    Subject(
        "-m set",
        {
            "--match-set": (
                "known src",
                "known dst,src",
                "nosuch src",
                "known src,src,dst,dst,src,dst",
                "known src,src,dst,dst,src,dst,src",
                "known SRC",
                "known src,",
                "known up",
                "nosuch",
                "nosuch up",
                '"" src',
                "x" * 31 + " src",
                "x" * 32 + " src",
            ),
            **_flags("return-nomatch", "update-counters", "update-subcounters"),
            **{f"--{what}-{how}": numbers(U64)[:5] for what in ("packets", "bytes") for how in ("eq", "lt", "gt")},
        },
        needs=("--match-set",),
    ),
    Subject("-m rpfilter", _flags("loose", "validmark", "accept-local", "invert"), table="raw", chain="PREROUTING"),
    Subject(
        "-m physdev",
        {
            "--physdev-in": INTERFACES,
            "--physdev-out": INTERFACES,
            **_flags("physdev-is-in", "physdev-is-out", "physdev-is-bridged"),
        },
        chain="FORWARD",
    ),
    Subject("-m socket", _flags("transparent", "nowildcard", "restore-skmark"), table="mangle", chain="PREROUTING"),
    Subject("-m devgroup", {"--src-group": (*MARKS, "default"), "--dst-group": MARKS}, chain="FORWARD"),
    _m("cpu", cpu=numbers(U32)),
    Subject(
        "-m cgroup",
        {
            "--cgroup": (*numbers(U32), "1:2"),
            "--path": ('"/"', "/", "nosuch/path", '""', '"a b"', "x" * 512),
        },
        table="mangle",
        chain="OUTPUT",
    ),
    Subject(
        "-m time",
        {
            "--timestart": _TIMES,
            "--timestop": _TIMES,
            "--monthdays": (
                "1",
                "1,15",
                "15,1",
                "31",
                "32",
                "0",
                "1st,2nd,3rd,4th",
                "1th",
                "x",
                '""',
                "1,",
                "1-5",
                "01",
                "1,1",
            ),
            "--weekdays": (
                "Mon",
                "Mon,Fri",
                "Fri,Mon",
                "1,5",
                "7",
                "8",
                "0",
                "mo",
                "Monday",
                "Mo,Tu",
                "x",
                '""',
                "M",
                "Mon,",
                "MON",
            ),
            "--datestart": _DATES,
            "--datestop": _DATES,
            **_flags("kerneltz", "contiguous", "utc", "localtz"),
        },
        more=(
            "--weekdays 1,2,3,4,5,6,7",
            "! --weekdays 1,2,3,4,5,6,7",
            "--monthdays 1,2,3,4",
            "--timestart 10:00 --timestop 09:00",
            "--timestart 10:00 --timestop 09:00 --contiguous",
            "--datestart 2026-05-01 --datestop 2026-04-01",
            "--monthdays 1 --weekdays Mon --timestart 01:00 --timestop 02:00 --datestart 2026 --kerneltz",
        ),
    ),
)
_POLICY: dict[str, Values] = {
    "--dir": ("in", "out", "IN", "fwd", '""'),
    "--pol": ("ipsec", "none", "IPSEC", "nosuch", '""'),
    "--strict": NONE,
    "--reqid": numbers(U32),
    "--spi": (*numbers(U32), "0x100"),
    "--proto": ("esp", "ah", "ipcomp", "tcp", "50", "nosuch", '""', "108", "ESP"),
    "--mode": ("tunnel", "transport", "TUNNEL", "beet", '""'),
    "--tunnel-src": NETWORKS[:40],
    "--tunnel-dst": NETWORKS[:40],
    "--next": NONE,
}
_OTHERS = (
    Subject(
        "-m policy",
        _POLICY,
        needs=("--dir", "--pol"),
        more=(
            "--dir in --pol ipsec --strict --proto esp",
            "--dir in --pol ipsec --mode tunnel --tunnel-src 192.0.2.0/24 --tunnel-dst 192.0.2.7",
            "--dir in --pol ipsec --mode tunnel --tunnel-src 2001:db8::/32 --tunnel-dst 2001:db8::7",
            "--dir in --pol ipsec --mode transport --tunnel-src 192.0.2.0/24",
            "--dir in --pol ipsec --strict --proto esp --next --proto ah",
            "--dir in --pol ipsec --strict --proto esp --next",
            "--dir in --pol ipsec --strict --next --proto esp",
            "--dir in --pol ipsec --strict --reqid 1 --next --reqid 2 --next --reqid 3 --next --reqid 4",
            f"--dir in --pol ipsec --strict --reqid 1 {' '.join(f'--next --reqid {number}' for number in range(2, 6))}",
            "--dir in --pol none --strict --reqid 1",
            "--dir in --pol ipsec --strict ! --reqid 5 ! --spi 0x7 ! --proto esp ! --mode tunnel",
            "--dir in --pol ipsec --strict --reqid 1 --spi 0x1 --proto esp --mode tunnel --tunnel-src 192.0.2.0/24",
            "--dir in --pol none --proto esp",
            "--dir out --pol ipsec",
        ),
    ),
    Subject(
        "-m dst",
        {
            "--dst-len": numbers(U32),
            "--dst-opts": ("1", "149:92,12:12", "5,6", "256", "1:256", "x", '""', "1,"),
            "--dst-not-strict": NONE,
        },
    ),
    Subject(
        "-m hbh",
        {
            "--hbh-len": numbers(U32),
            "--hbh-opts": ("1", "149:92,12:12", "5,6", "256", "1:256", "x", '""', "1,"),
            "--hbh-not-strict": NONE,
        },
    ),
    Subject(
        "-m ipv6header",
        {
            "--header": (
                *(
                    "hop-by-hop",
                    "hop,dst",
                    "dst,hop",
                    "none",
                    "route",
                    "frag",
                    "auth",
                    "esp",
                    "proto",
                    "ipv6-nonxt",
                    "0",
                    "60",
                ),
                *("dest", "ipv6-opts", "ipv6-frag", "prot", "ah", "nosuch", '""', "hop,", "255", "43,44"),
            ),
            "--soft": NONE,
        },
        needs=("--header",),
    ),
    Subject(
        "-m rt",
        {
            "--rt-type": numbers(U32),
            "--rt-segsleft": ranges(U32),
            "--rt-len": numbers(U32),
            "--rt-0-res": NONE,
            "--rt-0-addrs": ("2001:db8::1", "2001:db8::1,2001:db8::2", "x", "192.0.2.1", '""', "2001:db8::1,"),
            "--rt-0-not-strict": NONE,
        },
        more=(
            "--rt-type 0 --rt-segsleft 1:23 --rt-len 42 --rt-0-res",
            "--rt-type 0 --rt-0-addrs 2001:db8::1 --rt-0-not-strict",
            "--rt-type 0 --rt-0-addrs 2001:db8::1",
            "--rt-type 0 --rt-0-not-strict",
            "--rt-type 1 --rt-0-res",
        ),
    ),
    Subject(
        "-m srh",
        {
            "--srh-next-hdr": (*numbers(255), "tcp", "ipv6-icmp"),
            **{
                f"--srh-{what}-{how}": numbers(255)[:5]
                for what in ("hdr-len", "segs-left", "last-entry")
                for how in ("eq", "gt", "lt")
            },
            "--srh-tag": numbers(65535),
            **{
                f"--srh-{what}": ("2001:db8::/64", "2001:db8::1", "::/0", "x", "192.0.2.1")
                for what in ("psid", "nsid", "lsid")
            },
        },
    ),
    Subject(
        "-m osf",
        {"--genre": ("Linux", "nosuch", '""', '"a b"', "x" * 32), "--ttl": numbers(2), "--log": numbers(2)},
        before="-p tcp",
        needs=("--genre",),
    ),
    _m(
        "bpf",
        bytecode=(
            '"4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0"',
            '"1,6 0 0 1"',
            '""',
            "x",
            '"2,6 0 0 1"',
            '"1,6 0 0 1,"',
            '"1, 6 0 0 1"',
        ),
    ),
    Subject("-m nfacct", {"--nfacct-name": ("nosuch", '""', "x" * 32)}),
    Subject(
        "-m rateest",
        {
            "--rateest": ("nosuch", '""'),
            "--rateest-delta": NONE,
            "--rateest-bps": ("5kbit", "8bit", ""),
            "--rateest-pps": ("5", "0"),
            **_flags("rateest-lt", "rateest-gt", "rateest-eq"),
        },
        needs=("--rateest", "--rateest-lt", "--rateest-bps"),
    ),
)
MATCHES = (*TRANSPORT, *_PACKET, *_CONNECTION, *_RATE, *_ORIGIN, *_OTHERS)

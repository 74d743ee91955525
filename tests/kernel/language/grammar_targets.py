"""Every target of the rule language, with values to try."""

from __future__ import annotations

from tests.kernel.language.grammar_matches import TOS
from tests.kernel.language.subject import Subject
from tests.kernel.language.values import ADDRESSES, INTERFACES, MARKS, NETWORKS, NONE, Values, numbers, texts

U32 = 2**32 - 1
_CHANGES: Values = (*MARKS, "0xff/0x0f", "0x0f/0xff")
_BITS: Values = ("5", "0xff", "0", "4294967295", "4294967296", "-1", "x", "5/7", "010", '""')
_MASKS: Values = ("0xff", "255", "0", "0xffffffff", "4294967296", "x", "-1", '""', "010")
_NAT: Values = (
    *(
        "192.0.2.7",
        "192.0.2.7-192.0.2.9",
        "192.0.2.7:80",
        "192.0.2.7:80-90",
        "192.0.2.7-192.0.2.9:80-90",
        ":80",
        ":80-90",
    ),
    *("192.0.2.7:http", "192.0.2.7:ftp-data", "192.0.2.7:0", "192.0.2.7:65535", "192.0.2.7:65536", "192.0.2.7:90-80"),
    *("192.0.2.9-192.0.2.7", "192.0.2.7/24", "192.0.2.7:", "192.0.2", "192.0.2.7-", "192.0.2.7:80-", "192.0.2.7:-80"),
    *("192.0.2.7:80-90/1000", "192.0.2.7:80-90/0", "192.0.2.7:80-90/http", "192.0.2.7:80-90/65535", "192.0.2.7:80/90"),
    *("192.0.2.7:080", "0.0.0.0", "x", '""', ":", "192.0.2.7:80:90", "192.0.2.7:1-65535", "192.0.2.7:0-80", ":http"),
    *(
        "192.0.2.7:80-90/65536",
        "192.0.2.7:80-80",
        "192.0.2.7-192.0.2.7",
        "192.0.2.7:0x50",
        "192.0.2.7:http-https",
        "192.0.2.7:80-443",
    ),
    *("2001:db8::7", "[2001:db8::7]", "[2001:db8::7]:80", "[2001:db8::7]:80-90", "2001:db8::7-2001:db8::9", "[::]:80"),
    *(
        "[2001:db8::7-2001:db8::9]:80-90",
        "[2001:db8::7]:http",
        "[2001:db8::7]:",
        "[2001:db8::7",
        "2001:db8::9-2001:db8::7",
    ),
    *("[2001:db8::7]:80-90/1000", "[2001:db8::7]-[2001:db8::9]:80", "2001:db8::7:80", "[2001:DB8:0::7]", "[]:80", "::"),
    *("[2001:db8::7]:80-90/0", "[2001:db8::7]:0", "[2001:db8::7]:65536", "[2001:db8::7]:90-80", "2001:db8::/64"),
)
_DASHED: Values = (
    *(
        "80",
        "1024-31000",
        "80-443",
        "http",
        "ftp-data",
        "http-https",
        "0",
        "65535",
        "65536",
        "90-80",
        "80-",
        "-80",
        "80:90",
        "0-80",
    ),
    *("80-80", "80,90", "x", '""', "080", "0x50", "80-90/5", "80-90/0", "80-90/http", "1-65535", "80-90-100", "-1"),
)
_RANDOM = {"--random": NONE, "--random-fully": NONE, "--persistent": NONE}


def _flags(*names: str) -> dict[str, Values]:
    return {f"--{name}": NONE for name in names}


_MARK_WAYS = {
    "--set-xmark": _CHANGES,
    "--set-mark": _CHANGES,
    "--or-mark": _BITS,
    "--and-mark": _BITS,
    "--xor-mark": _BITS,
}
_FILTER = (
    Subject(
        "-j LOG",
        {
            "--log-prefix": texts(29),
            "--log-level": (
                *(
                    "info",
                    "4",
                    "debug",
                    "warning",
                    "warn",
                    "error",
                    "err",
                    "emerg",
                    "panic",
                    "alert",
                    "crit",
                    "notice",
                    "0",
                ),
                *("7", "8", "INFO", "-1", "nosuch", '""', "0x5", "05", "inf", "d"),
            ),
            **_flags("log-tcp-sequence", "log-tcp-options", "log-ip-options", "log-uid", "log-macdecode"),
        },
    ),
    Subject(
        "-j REJECT",
        {
            "--reject-with": (
                *(
                    "icmp-port-unreachable",
                    "port-unreach",
                    "icmp-net-unreachable",
                    "net-unreach",
                    "icmp-host-unreachable",
                ),
                *("host-unreach", "icmp-proto-unreachable", "proto-unreach", "icmp-net-prohibited", "net-prohib"),
                *(
                    "icmp-host-prohibited",
                    "host-prohib",
                    "icmp-admin-prohibited",
                    "admin-prohib",
                    "tcp-reset",
                    "tcp-rst",
                ),
                *("icmp6-port-unreachable", "icmp6-no-route", "no-route", "icmp6-adm-prohibited", "adm-prohibited"),
                *("icmp6-addr-unreachable", "addr-unreach", "icmp6-policy-fail", "policy-fail", "icmp6-reject-route"),
                *(
                    "reject-route",
                    "ICMP-NET-UNREACHABLE",
                    "icmp",
                    "icmp-n",
                    "echo-reply",
                    "nosuch",
                    '""',
                    "port",
                    "tcp",
                ),
            )
        },
        before="-p tcp",
        more=("", "--reject-with icmp-net-unr", "--reject-with icmp6-no"),
    ),
    Subject("-j REJECT", {"--reject-with": ("tcp-reset", "icmp-port-unreachable", "icmp6-no-route")}, before="-p udp"),
    Subject(
        "-j NFLOG",
        {
            "--nflog-prefix": (*texts(63), "x" * 65, "x" * 127),
            "--nflog-group": numbers(65535),
            "--nflog-range": numbers(U32),
            "--nflog-size": numbers(U32),
            "--nflog-threshold": (*numbers(65535), "1", "2"),
        },
    ),
    Subject(
        "-j NFQUEUE",
        {
            "--queue-num": numbers(65535),
            "--queue-balance": (
                *(
                    "0:3",
                    "4",
                    "4:4",
                    "4:3",
                    ":",
                    ":4",
                    "4:",
                    "0:65534",
                    "0:65535",
                    "0:65536",
                    "-1:4",
                    "x",
                    '""',
                    "1:2:3",
                ),
                *("0x1:0x3", "01:03"),
            ),
            **_flags("queue-bypass", "queue-cpu-fanout"),
        },
    ),
    Subject("-j AUDIT", {"--type": ("accept", "drop", "reject", "ACCEPT", "nosuch", '""')}),
    Subject(
        "-j SET",
        {
            **{
                f"--{what}-set": ("known src", "known src,dst", "nosuch src", "nosuch", "x" * 32 + " src")
                for what in ("add", "del", "map")
            },
            "--exist": NONE,
            "--timeout": numbers(U32),
        },
        needs=("--add-set",),
    ),
    Subject(
        "-j SYNPROXY",
        {
            "--sack-perm": NONE,
            "--timestamp": NONE,
            "--wscale": numbers(14),
            "--mss": numbers(65535),
            "--ecn": NONE,
        },
        before="-p tcp",
    ),
    Subject(
        "-j TEE",
        {"--gateway": ADDRESSES, "--oif": INTERFACES},
        needs=("--gateway",),
        table="mangle",
        chain="PREROUTING",
    ),
    Subject("-j TRACE", table="raw", chain="PREROUTING"),
)
_NATS = (
    Subject(
        "-j DNAT",
        {"--to-destination": _NAT, **_RANDOM},
        "-p tcp",
        ("--to-destination",),
        table="nat",
        chain="PREROUTING",
    ),
    Subject("-j SNAT", {"--to-source": _NAT, **_RANDOM}, "-p tcp", ("--to-source",), table="nat", chain="POSTROUTING"),
    Subject("-j MASQUERADE", {"--to-ports": _DASHED, **_RANDOM}, "-p tcp", table="nat", chain="POSTROUTING"),
    Subject("-j REDIRECT", {"--to-ports": _DASHED, **_RANDOM}, "-p tcp", table="nat", chain="PREROUTING"),
    Subject("-j DNAT", {"--to-destination": _NAT[:8]}, table="nat", chain="PREROUTING"),
    Subject("-j MASQUERADE", {"--to-ports": _DASHED[:2]}, table="nat", chain="POSTROUTING"),
    Subject("-j NETMAP", {"--to": NETWORKS}, needs=("--to",), table="nat", chain="PREROUTING"),
)
_MANGLE = (
    Subject("-j MARK", _MARK_WAYS, table="mangle", chain="PREROUTING"),
    Subject(
        "-j CONNMARK",
        {
            **_MARK_WAYS,
            **_flags("save-mark", "restore-mark"),
            **{f"--{name}": _MASKS for name in ("nfmask", "ctmask", "mask")},
        },
        table="mangle",
        chain="PREROUTING",
        more=(
            "--save-mark --nfmask 0xff --ctmask 0xf0",
            "--save-mark --mask 0xff",
            "--restore-mark --nfmask 0xff",
            "--restore-mark --mask 0xff --nfmask 0xff",
            "--set-mark 5 --mask 0xff",
            "--set-xmark 5/7 --nfmask 0xff",
            "--and-mark 0xff --mask 0xff",
            *(
                f"--{way}-mark --{name} {value}"
                for way in ("save", "restore")
                for name in ("nfmask", "ctmask", "mask")
                for value in _MASKS
            ),
        ),
    ),
    *(
        Subject(
            f"-j {name}",
            {f"--{name.lower()}-{how}": numbers(255) for how in ("set", "inc", "dec")},
            table="mangle",
            chain="PREROUTING",
        )
        for name in ("TTL", "HL")
    ),
    Subject(
        "-j DSCP",
        {
            "--set-dscp": ("0x2e", "46", "0", "63", "64", "-1", "x", '""', "056"),
            "--set-dscp-class": ("EF", "ef", "BE", "CS1", "CS7", "AF11", "AF43", "AF44", "CS8", "x", '""'),
        },
        table="mangle",
        chain="PREROUTING",
    ),
    Subject(
        "-j TOS",
        {"--set-tos": TOS, **{f"--{how}-tos": _BITS for how in ("and", "or", "xor")}},
        table="mangle",
        chain="PREROUTING",
    ),
    Subject(
        "-j TPROXY",
        {"--on-port": (*numbers(65535), "http"), "--on-ip": ADDRESSES, "--tproxy-mark": _CHANGES},
        "-p tcp",
        ("--on-port",),
        table="mangle",
        chain="PREROUTING",
    ),
    Subject(
        "-j TCPMSS",
        {"--set-mss": numbers(65535), "--clamp-mss-to-pmtu": NONE},
        "-p tcp --tcp-flags SYN,RST SYN",
        table="mangle",
        chain="FORWARD",
    ),
    Subject(
        "-j TCPMSS", {"--set-mss": ("1400",), "--clamp-mss-to-pmtu": NONE}, "-p tcp", table="mangle", chain="FORWARD"
    ),
    Subject("-j TCPMSS", {"--set-mss": ("1400",)}, "-p tcp --syn", chain="FORWARD"),
    Subject(
        "-j TCPOPTSTRIP",
        {
            "--strip-options": (
                *(
                    "5",
                    "mss",
                    "wscale,mss",
                    "mss,wscale",
                    "sack-permitted",
                    "sack",
                    "timestamp",
                    "md5",
                    "2,8",
                    "0",
                    "1",
                    "255",
                ),
                *("256", "nosuch", '""', "mss,", "MSS", "2,2", "0x8", "010"),
            )
        },
        "-p tcp",
        table="mangle",
        chain="PREROUTING",
    ),
    Subject(
        "-j CLASSIFY",
        {
            "--set-class": (
                *(
                    "1:2",
                    "ffff:ffff",
                    "FFFF:1",
                    "0:0",
                    "10000:0",
                    "1:10000",
                    "1",
                    "1:",
                    ":1",
                    "x:y",
                    '""',
                    "1:2:3",
                    "0x1:0x2",
                ),
                *("-1:2", "1 :2"),
            )
        },
        table="mangle",
        chain="POSTROUTING",
    ),
    Subject("-j CHECKSUM", {"--checksum-fill": NONE}, table="mangle", chain="POSTROUTING"),
    Subject("-j ECN", {"--ecn-tcp-remove": NONE}, "-p tcp", table="mangle", chain="PREROUTING"),
    Subject(
        "-j HMARK",
        {
            "--hmark-tuple": (
                "src,dst",
                "ct,src,dst,sport,dport",
                "spi",
                "src,nosuch",
                '""',
                "src,spi,sport",
                "ct",
                "proto",
            ),
            "--hmark-mod": numbers(U32, 1),
            "--hmark-rnd": ("0xfeedcafe", "5", "0", "x", "4294967296"),
            "--hmark-offset": numbers(U32),
            "--hmark-src-prefix": (*numbers(32), "128", "129", "24"),
            "--hmark-dst-prefix": (*numbers(32), "128", "24"),
            **{f"--hmark-{end}-mask": ("0xffff", "5", "0x10000", "x") for end in ("sport", "dport")},
            "--hmark-spi-mask": ("0xffffffff", "5", "x"),
            "--hmark-proto-mask": ("0xff", "5", "0x100", "0xffff", "x"),
            "--hmark-sport": ("0xffff", "80"),
            "--hmark-dport": ("0xffff", "80"),
            "--hmark-spi": ("0xff", "80"),
        },
        needs=("--hmark-tuple", "--hmark-mod", "--hmark-rnd"),
        table="mangle",
        chain="PREROUTING",
    ),
)
_OTHERS = (
    Subject("-j NOTRACK", table="raw", chain="PREROUTING"),
    Subject(
        "-j CT",
        {
            "--notrack": NONE,
            "--helper": ("ftp", "nosuch", '""', "x" * 15, "x" * 16),
            "--timeout": ("nosuch", '""', "x" * 31, "x" * 32),
            "--ctevents": (
                *(
                    "new",
                    "new,related",
                    "related,new",
                    "destroy",
                    "reply,assured,protoinfo,helper,mark",
                    "natseqinfo",
                    "secmark",
                ),
                *("NEW", "nosuch", '""', "new,", "new,new"),
            ),
            "--expevents": ("new", "NEW", "destroy", '""'),
            **{f"--zone{end}": (*numbers(65535), "mark", "MARK") for end in ("", "-orig", "-reply")},
        },
        "-p tcp",
        table="raw",
        chain="PREROUTING",
    ),
    Subject(
        "-j IDLETIMER",
        {
            "--timeout": numbers(U32, 1),
            "--label": ("NAME", '""', "x" * 27, "x" * 28, '"a b"', "a/b"),
            "--alarm": NONE,
        },
        needs=("--timeout", "--label"),
    ),
    Subject(
        "-j RATEEST",
        {
            "--rateest-name": ("NAME", '""', "x" * 15, "x" * 16, '"a b"'),
            "--rateest-interval": ("250ms", "0.5s", "1s", "125ms", "3s", "x", "250", "1000us"),
            "--rateest-ewmalog": ("500ms", "1s", "2s", "x", "0.25s", "20s"),
        },
        needs=("--rateest-name", "--rateest-interval", "--rateest-ewmalog"),
    ),
    Subject(
        "-j SECMARK", {"--selctx": ("system_u:object_r:nosuch_t:s0", '""', "x" * 255, "x" * 256)}, table="security"
    ),
    Subject("-j CONNSECMARK", _flags("save", "restore"), table="security"),
    Subject(
        "-j LED",
        {"--led-trigger-id": ("one", '""', "x" * 27), "--led-delay": ("42", "inf", "x"), "--led-always-blink": NONE},
        needs=("--led-trigger-id",),
    ),
    *(
        Subject(
            f"-j {name}",
            {
                f"--{end}-pfx": (
                    "2001:db8::/64",
                    "2001:db8:1::/48",
                    "2001:db8::7",
                    "192.0.2.0/24",
                    "x",
                    "2001:db8::/65",
                    "::/0",
                    "2001:db8::7/64",
                )
                for end in ("src", "dst")
            },
            needs=("--src-pfx", "--dst-pfx"),
            table="mangle",
            chain=chain,
        )
        for name, chain in (("SNPT", "POSTROUTING"), ("DNPT", "PREROUTING"))
    ),
    Subject("-j ULOG", {"--ulog-nlgroup": ("1",)}),
    Subject(
        "-j CLUSTERIP",
        {
            "--new": NONE,
            "--hashmode": ("sourceip",),
            "--clustermac": ("01:00:5e:00:00:01",),
            "--total-nodes": ("2",),
            "--local-node": ("1",),
        },
        "-d 192.0.2.9",
        needs=("--hashmode", "--clustermac", "--total-nodes", "--local-node"),
    ),
)
TARGETS = (*_FILTER, *_NATS, *_MANGLE, *_OTHERS)

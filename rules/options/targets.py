"""The target extensions of iptables (man 8 iptables-extensions), options in the order iptables-save prints them."""

from __future__ import annotations

import re

from rules.errors import ExpectedError
from rules.model import Option
from rules.options import kinds as k
from rules.options import normalise as n
from rules.options.extensions import Extension, Kind, Options, OptionSpec, Quoting
from rules.options.tables import GOING_OUT, IPV4, U32, opt
from rules.options.target_rare import RARE
from rules.options.translation import read_nat_range
from rules.values.addresses import any_host
from rules.values.family import Family
from rules.values.icmp import default_reject
from rules.values.ports import read_number, read_port
from rules.values.typed import KeywordList, MarkChange

_LEVELS = {
    "emerg": 0,
    "panic": 0,
    "alert": 1,
    "crit": 2,
    "error": 3,
    "err": 3,
    "warning": 4,
    "notice": 5,
    "info": 6,
    "debug": 7,
}
_EVENTS = (*("new", "related", "destroy", "reply", "assured", "protoinfo", "helper", "mark", "natseqinfo", "secmark"),)
_TCP_OPTIONS = {"mss": 2, "wscale": 3, "sack-permitted": 4, "sack": 5, "timestamp": 8, "md5": 19}


def _read_level(word: str) -> int:
    if word.lower() in _LEVELS:
        return _LEVELS[word.lower()]
    try:
        return read_number(word, 7)
    except ExpectedError:
        raise ExpectedError(
            f"a level from 0 to 7 or one of {', '.join(_LEVELS)}", f'"{word}" is not a log level'
        ) from None


def _read_class(word: str) -> str:
    major, colon, minor = word.partition(":")
    if not colon or not all(re.fullmatch(r"(0[xX])?[0-9A-Fa-f]{1,4}", part) for part in (major, minor)):
        raise ExpectedError("MAJOR:MINOR in hex, each up to ffff", f'"{word}" is not a class')
    return f"{int(major, 16):04x}:{int(minor, 16):04x}"


def _read_tcp_options(word: str) -> KeywordList:
    numbers = {_TCP_OPTIONS[item] if item in _TCP_OPTIONS else read_number(item, 255) for item in word.split(",")}
    if numbers & {0, 1}:
        raise ExpectedError("TCP options from 2 to 255", "options 0 and 1 are no options, but padding")
    return KeywordList(tuple(str(number) for number in sorted(numbers)))


def _read_change(word: str) -> MarkChange:
    value, slash, mask = word.partition("/")
    return MarkChange(read_number(value, U32), read_number(mask, U32) if slash else U32)


def _read_zone(word: str) -> str:
    return word if word == "mark" else str(read_number(word, 65535))


def _zones(options: Options, _family: Family) -> Options:
    """The same zone for both directions is one zone; zone 0 is the same as none."""
    for name in ("zone", "zone-orig", "zone-reply"):
        if name in options and options[name].value == "0":
            del options[name]
    if {"zone-orig", "zone-reply"} <= options.keys() and options["zone-orig"].value == options["zone-reply"].value:
        options["zone"] = Option("zone", options.pop("zone-orig").value)
        del options["zone-reply"]
    return options


def _read_source(word: str, family: Family) -> str:
    found = read_nat_range(word, family)
    if "/" in found:
        raise ExpectedError("ports first-last", "only DNAT shifts ports: the kernel forgets the one behind /")
    return found


def _hex(word: str) -> str:
    return f"{read_number(word, U32):#x}"


_CHANGE = k.plain("value[/mask]", _read_change)
_MASK = k.plain("a mask", _hex)
_TOS = k.plain("a TOS value", n.read_tos)
_NAT = Kind("an address, a range, ports", lambda words, family: read_nat_range(words[0], family), numerals=True)
_SOURCE = Kind("an address, a range, ports", lambda words, family: _read_source(words[0], family), numerals=True)
_DASHED = k.plain("a port or ports first-last", n.read_ports_dashed, numerals=True)


def _marks(*more: OptionSpec) -> tuple[OptionSpec, ...]:
    """Spellings of ``--set-xmark``, the only one that is printed."""
    return (
        opt("set-xmark", _CHANGE),
        opt("set-mark", k.MARK),
        *(opt(f"{how}-mark", k.plain("a number", n.read_bits)) for how in ("or", "and", "xor")),
        *more,
    )


def _hops(name: str, family: Family) -> Extension:
    low = name.lower()
    names = tuple(f"{low}-{how}" for how in ("set", "dec", "inc"))
    options = tuple(opt(option, k.number(255, 0 if option.endswith("-set") else 1)) for option in names)
    return Extension(name, options, families=(family,), tables=("mangle",), one_of=(names,))


_NAT_FLAGS = (opt("random"), opt("random-fully"), opt("persistent"))
_MARK_SETTERS = ("set-xmark",)
_FILTER = (
    Extension(
        "LOG",
        (
            opt("log-prefix", k.text(29, least=1)),
            opt("log-level", k.plain("a log level", _read_level), default=4),
            *(opt(f"log-{what}") for what in ("tcp-sequence", "tcp-options", "ip-options", "uid", "macdecode")),
        ),
    ),
    Extension(
        "REJECT",
        (OptionSpec("reject-with", k.REJECT_TYPE, implied=default_reject),),
        tables=("filter",),
    ),
    Extension(
        "NFLOG",
        (
            opt("nflog-prefix", k.text(63, least=1)),
            opt("nflog-group", k.number(65535), default=0),
            opt("nflog-range", k.number(U32), default=0),
            opt("nflog-size", k.number(U32)),
            opt("nflog-threshold", k.number(65535), default=0),
        ),
        at_most=(("nflog-range", "nflog-size"),),
    ),
    Extension(
        "NFQUEUE",
        (
            opt("queue-num", k.number(65535)),
            opt("queue-balance", k.plain("queues first:last", n.read_balance)),
            opt("queue-bypass"),
            opt("queue-cpu-fanout"),
        ),
        at_most=(("queue-num", "queue-balance"),),
        normalise=n.nfqueue,
        check=n.check_queue,
    ),
    Extension("AUDIT", (opt("type", k.keyword(("accept", "drop", "reject"))),), one_of=(("type",),)),
    Extension(
        "SET",
        (
            opt("add-set", k.SET),
            opt("exist"),
            opt("timeout", k.number(U32 // 1000)),
            opt("del-set", k.SET),
            opt("map-set", k.SET),
        ),
        any_of=("add-set", "del-set", "map-set"),
        at_most=(("add-set", "map-set"), ("del-set", "map-set")),
    ),
    Extension(
        "SYNPROXY",
        (
            opt("sack-perm"),
            opt("timestamp"),
            opt("wscale", k.number(14)),
            opt("mss", k.number(65535)),
            opt("ecn"),
        ),
        protocols=(6,),
        hooks=("INPUT", "FORWARD"),
    ),
    Extension("TEE", (opt("gateway", k.plain_gateway()), opt("oif", k.INTERFACE)), one_of=(("gateway",),)),
    Extension("TRACE"),
)
_RECEIVED = ("PREROUTING", "OUTPUT")
_NAT_TARGETS = (
    Extension(
        "DNAT",
        (opt("to-destination", _NAT), opt("random"), opt("persistent")),
        tables=("nat",),
        one_of=(("to-destination",),),
        hooks=_RECEIVED,
    ),
    Extension(
        "SNAT",
        (opt("to-source", _SOURCE), *_NAT_FLAGS),
        tables=("nat",),
        one_of=(("to-source",),),
        hooks=("INPUT", "POSTROUTING"),
    ),
    Extension(
        "MASQUERADE",
        (opt("to-ports", _DASHED), opt("random"), opt("random-fully")),
        tables=("nat",),
        hooks=("POSTROUTING",),
    ),
    Extension("REDIRECT", (opt("to-ports", _DASHED), opt("random")), tables=("nat",), hooks=_RECEIVED),
    Extension("NETMAP", (opt("to", k.PLAIN_NETWORK),), tables=("nat",), one_of=(("to",),)),
)
_MANGLE = (
    Extension("MARK", _marks(), one_of=(_MARK_SETTERS,), normalise=n.mark_target),
    Extension(
        "CONNMARK",
        _marks(
            opt("save-mark"),
            opt("restore-mark"),
            opt("nfmask", _MASK),
            opt("ctmask", _MASK),
            opt("mask", _MASK),
        ),
        one_of=((*_MARK_SETTERS, "save-mark", "restore-mark"),),
        check=n.check_mark,
        normalise=n.mark_target,
    ),
    _hops("TTL", Family.IPV4),
    _hops("HL", Family.IPV6),
    Extension(
        "DSCP",
        (
            opt("set-dscp", k.plain("a DSCP value", n.read_dscp)),
            OptionSpec(
                "set-dscp-class",
                k.plain("a DSCP class", n.read_dscp_class),
                rewrite=lambda option: Option("set-dscp", option.value),
            ),
        ),
        tables=("mangle",),
        one_of=(("set-dscp",),),
    ),
    Extension(
        "TOS",
        (
            opt("set-tos", _TOS),
            *(
                OptionSpec(
                    f"{how}-tos", k.plain("a TOS value", read), rewrite=lambda option: Option("set-tos", option.value)
                )
                for how, read in n.TOS_CHANGES.items()
            ),
        ),
        tables=("mangle",),
        one_of=(("set-tos",),),
    ),
    Extension(
        "TPROXY",
        (
            opt("on-port", k.plain("a port", read_port, numerals=True)),
            OptionSpec("on-ip", k.ADDRESS, implied=any_host),
            OptionSpec("tproxy-mark", _CHANGE, implied=lambda _family: MarkChange(0, 0)),
        ),
        tables=("mangle",),
        protocols=(6, 17),
        one_of=(("on-port",),),
        hooks=("PREROUTING",),
    ),
    Extension(
        "TCPMSS",
        (opt("set-mss", k.number(65495)), opt("clamp-mss-to-pmtu")),
        protocols=(6,),
        one_of=(("set-mss", "clamp-mss-to-pmtu"),),
        option_hooks=(("clamp-mss-to-pmtu", GOING_OUT),),
    ),
    Extension(
        "TCPOPTSTRIP",
        (opt("strip-options", k.plain("TCP options", _read_tcp_options)),),
        protocols=(6,),
        tables=("mangle",),
    ),
    Extension(
        "CLASSIFY",
        (opt("set-class", k.plain("a class", _read_class)),),
        one_of=(("set-class",),),
        hooks=GOING_OUT,
    ),
    Extension("CHECKSUM", (opt("checksum-fill"),), tables=("mangle",), one_of=(("checksum-fill",),)),
    Extension(
        "ECN",
        (opt("ecn-tcp-remove"),),
        families=IPV4,
        protocols=(6,),
        tables=("mangle",),
        one_of=(("ecn-tcp-remove",),),
    ),
)
_RAW = (
    Extension("NOTRACK", tables=("raw",)),
    Extension(
        "CT",
        (
            opt("notrack"),
            opt("helper", k.text(15, Quoting.SPACED, least=1)),
            opt("timeout", k.text(31, Quoting.SPACED, least=1)),
            opt("ctevents", k.keywords(_EVENTS)),
            opt("expevents", k.keywords(("new",))),
            opt("zone-orig", k.plain("a zone", _read_zone)),
            opt("zone-reply", k.plain("a zone", _read_zone)),
            opt("zone", k.plain("a zone", _read_zone)),
        ),
        tables=("raw",),
        at_most=(("zone", "zone-orig"), ("zone", "zone-reply"), ("notrack", "timeout")),
        normalise=_zones,
    ),
)

# Extensions whose options are kept as written.
_OPAQUE = """
CLUSTERIP ULOG
ACCOUNT CHAOS DELUDE DHCPMAC DNETMAP ECHO IPMARK LOGMARK NFACCT PROTO RAWDNAT RAWSNAT STEAL SYSRQ TARPIT
"""

TARGETS: dict[str, Extension] = {
    extension.name: extension
    for extension in (
        *_FILTER,
        *_NAT_TARGETS,
        *_MANGLE,
        *_RAW,
        *RARE,
        *(Extension(name, None) for name in _OPAQUE.split()),
    )
}

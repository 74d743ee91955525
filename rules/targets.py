"""The target extensions of iptables (man 8 iptables-extensions), options in the order iptables-save prints them."""

from __future__ import annotations

from rules import kinds as k
from rules import normalise as n
from rules.addresses import any_host
from rules.errors import ExpectedError
from rules.extensions import Extension, Kind, OptionSpec
from rules.family import Family
from rules.icmp import default_reject
from rules.model import Option
from rules.nat import read_nat_range
from rules.ports import read_number
from rules.values import MarkChange, Value, Words

_U32 = 0xFFFFFFFF
_IPV4, _IPV6 = (Family.IPV4,), (Family.IPV6,)
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
    try:
        if not colon:
            raise ValueError(word)
        return f"{int(major, 16):04x}:{int(minor, 16):04x}"
    except ValueError:
        raise ExpectedError("MAJOR:MINOR in hex", f'"{word}" is not a class') from None


def _read_tcp_options(word: str) -> Words:
    numbers = {_TCP_OPTIONS[item] if item in _TCP_OPTIONS else read_number(item, 255) for item in word.split(",")}
    return Words(tuple(str(number) for number in sorted(numbers)))


def _read_change(word: str) -> MarkChange:
    value, slash, mask = word.partition("/")
    return MarkChange(read_number(value, _U32), read_number(mask, _U32) if slash else _U32)


def _hex(word: str) -> str:
    return f"{read_number(word, _U32):#x}"


_CHANGE = k.plain("value[/mask]", _read_change)
_MASK = k.plain("a mask", _hex)
_TOS = k.plain("a TOS value", n.read_tos)
_NAT = Kind("an address, a range, ports", lambda words, family: read_nat_range(words[0], family))
_DASHED = k.plain("a port or ports first-last", n.read_ports_dashed)


def _o(name: str, kind: Kind = k.FLAG, *aliases: str) -> OptionSpec:
    return OptionSpec(name, kind, aliases=aliases)


def _default(name: str, kind: Kind, value: Value, *aliases: str) -> OptionSpec:
    return OptionSpec(name, kind, aliases=aliases, default=lambda _family: value)


def _marks(*more: OptionSpec) -> tuple[OptionSpec, ...]:
    """Spellings of ``--set-xmark``, which alone is printed."""
    return (
        _o("set-xmark", _CHANGE),
        _o("set-mark", k.MARK),
        *(_o(f"{how}-mark", k.plain("a number", n.read_bits)) for how in ("or", "and", "xor")),
        *more,
    )


def _hops(name: str, family: Family) -> Extension:
    low = name.lower()
    names = tuple(f"{low}-{how}" for how in ("set", "dec", "inc"))
    options = tuple(_o(option, k.number(255)) for option in names)
    return Extension(name, options, families=(family,), tables=("mangle",), one_of=(names,))


_NAT_FLAGS = (_o("random"), _o("random-fully"), _o("persistent"))
_MARK_SETTERS = ("set-xmark",)
_FILTER = (
    Extension(
        "LOG",
        (
            _o("log-prefix", k.text(29, least=1)),
            _default("log-level", k.plain("a log level", _read_level), 4),
            *(_o(f"log-{what}") for what in ("tcp-sequence", "tcp-options", "ip-options", "uid", "macdecode")),
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
            _o("nflog-prefix", k.text(63, least=1)),
            _default("nflog-group", k.number(65535), 0),
            _o("nflog-range", k.number(_U32)),
            _o("nflog-size", k.number(_U32)),
            _default("nflog-threshold", k.number(65535), 1),
        ),
    ),
    Extension(
        "NFQUEUE",
        (
            _o("queue-num", k.number(65535)),
            _o("queue-balance", k.number_range(65535)),
            _o("queue-bypass"),
            _o("queue-cpu-fanout"),
        ),
        at_most=(("queue-num", "queue-balance"),),
        normalise=n.nfqueue,
    ),
    Extension("AUDIT", (_o("type", k.keyword(("accept", "drop", "reject"))),), one_of=(("type",),)),
    Extension(
        "SET",
        (*(_o(f"{what}-set", k.PAIR) for what in ("add", "del", "map")), _o("exist"), _o("timeout", k.number(_U32))),
    ),
    Extension(
        "SYNPROXY",
        (_o("sack-perm"), _o("timestamp"), _o("wscale", k.number(14)), _o("mss", k.number(65535)), _o("ecn")),
        protocols=(6,),
    ),
    Extension("TEE", (_o("gateway", k.ADDRESS), _o("oif", k.INTERFACE)), one_of=(("gateway",),)),
    Extension("TRACE"),
)
_NAT_TARGETS = (
    Extension("DNAT", (_o("to-destination", _NAT), *_NAT_FLAGS), tables=("nat",), one_of=(("to-destination",),)),
    Extension("SNAT", (_o("to-source", _NAT), *_NAT_FLAGS), tables=("nat",), one_of=(("to-source",),)),
    Extension("MASQUERADE", (_o("to-ports", _DASHED), _o("random"), _o("random-fully")), tables=("nat",)),
    Extension("REDIRECT", (_o("to-ports", _DASHED), _o("random")), tables=("nat",)),
    Extension("NETMAP", (_o("to", k.NETWORK),), tables=("nat",), one_of=(("to",),)),
)
_MANGLE = (
    Extension("MARK", _marks(), one_of=(_MARK_SETTERS,), normalise=n.mark_target),
    Extension(
        "CONNMARK",
        _marks(_o("save-mark"), _o("restore-mark"), _o("nfmask", _MASK), _o("ctmask", _MASK), _o("mask", _MASK)),
        one_of=((*_MARK_SETTERS, "save-mark", "restore-mark"),),
        normalise=n.mark_target,
    ),
    _hops("TTL", Family.IPV4),
    _hops("HL", Family.IPV6),
    Extension(
        "DSCP",
        (
            _o("set-dscp", k.plain("a DSCP value", n.read_dscp)),
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
            _o("set-tos", _TOS),
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
            _o("on-port", k.number(65535)),
            OptionSpec("on-ip", k.ADDRESS, implied=any_host),
            OptionSpec("tproxy-mark", _CHANGE, implied=lambda _family: MarkChange(0, 0)),
        ),
        tables=("mangle",),
        protocols=(6, 17),
        one_of=(("on-port",),),
    ),
    Extension(
        "TCPMSS",
        (_o("set-mss", k.number(65535)), _o("clamp-mss-to-pmtu")),
        protocols=(6,),
        one_of=(("set-mss", "clamp-mss-to-pmtu"),),
    ),
    Extension("TCPOPTSTRIP", (_o("strip-options", k.plain("TCP options", _read_tcp_options)),), protocols=(6,)),
    Extension("CLASSIFY", (_o("set-class", k.plain("a class", _read_class)),), one_of=(("set-class",),)),
    Extension("CHECKSUM", (_o("checksum-fill"),), tables=("mangle",), one_of=(("checksum-fill",),)),
    Extension("ECN", (_o("ecn-tcp-remove"),), families=_IPV4, protocols=(6,), tables=("mangle",)),
)
_RAW = (
    Extension("NOTRACK", tables=("raw",)),
    Extension(
        "CT",
        (
            _o("notrack"),
            _o("helper", k.text(15)),
            _o("timeout", k.text(31)),
            _o("ctevents", k.WORD),
            _o("expevents", k.WORD),
            _o("zone-orig", k.WORD),
            _o("zone-reply", k.WORD),
            _o("zone", k.WORD),
        ),
        tables=("raw",),
    ),
)

# Extensions whose options are kept as written.
_OPAQUE = """
CLUSTERIP CONNSECMARK DNPT HMARK IDLETIMER LED RATEEST SECMARK SNPT ULOG
ACCOUNT CHAOS DELUDE DHCPMAC DNETMAP ECHO IPMARK LOGMARK NFACCT PROTO RAWDNAT RAWSNAT STEAL SYSRQ TARPIT
"""

TARGETS: dict[str, Extension] = {
    extension.name: extension
    for extension in (*_FILTER, *_NAT_TARGETS, *_MANGLE, *_RAW, *(Extension(name, None) for name in _OPAQUE.split()))
}

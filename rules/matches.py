"""The match extensions of iptables (man 8 iptables-extensions), options in the order iptables-save prints them."""

from __future__ import annotations

from collections.abc import Callable

from rules import kinds as k
from rules import normalise as n
from rules.addresses import full_mask
from rules.extensions import Extension, Kind, OptionSpec, Quoting
from rules.family import Family
from rules.model import Option
from rules.values import Pattern, Range, Rate, TcpFlags, Value

_PORT_PROTOCOLS = (6, 17, 33, 132, 136)
_STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED")
_ADDRESS_TYPES = tuple(n.ADDRESS_TYPES.split())
_IPV4, _IPV6 = (Family.IPV4,), (Family.IPV6,)
_U32 = 0xFFFFFFFF


def _o(
    name: str,
    kind: Kind = k.FLAG,
    *aliases: str,
    no: bool = False,
    default: Value | Callable[[Family], Value] = None,
    implied: Value | Callable[[Family], Value] = None,
) -> OptionSpec:
    """An option in a line; ``no``: it can be negated."""
    return OptionSpec(name, kind, no, aliases, _value(default), _value(implied))


def _value(given: Value | Callable[[Family], Value]) -> Callable[[Family], Value] | None:
    if given is None:
        return None
    return given if callable(given) else lambda _family: given


def _alias(name: str, kind: Kind, rewrite: Callable[[Option], Option], *aliases: str, no: bool = False) -> OptionSpec:
    """A spelling that the kernel prints as another option."""
    return OptionSpec(name, kind, no, aliases, rewrite=rewrite)


def _ports(*more: OptionSpec) -> tuple[OptionSpec, ...]:
    every = Range(0, 65535)
    return (
        _o("sport", k.PORTS, "source-port", no=True, default=every),
        _o("dport", k.PORTS, "destination-port", no=True, default=every),
        *more,
    )


_SYN = TcpFlags(("FIN", "SYN", "RST", "ACK"), ("SYN",))
_STRING_SPELLING = OptionSpec(
    "string",
    k.STRING,
    negatable=True,
    flag=lambda value: "string" if isinstance(value, Pattern) and value.printable else "hex-string",
)

TRANSPORT = (
    Extension(
        "tcp",
        _ports(
            _o("tcp-option", k.number(255), no=True),
            _o("tcp-flags", k.FLAGS, no=True, default=TcpFlags((), ())),
            _alias("syn", k.FLAG, lambda option: Option("tcp-flags", _SYN, option.negated), no=True),
        ),
        protocols=(6,),
        normalise=n.ports,
    ),
    Extension("udp", _ports(), protocols=(17,), normalise=n.ports),
    Extension("sctp", _ports(_o("chunk-types", k.PAIR, no=True)), protocols=(132,)),
    Extension(
        "dccp", _ports(_o("dccp-types", k.WORD, no=True), _o("dccp-option", k.number(255), no=True)), protocols=(33,)
    ),
    Extension(
        "multiport",
        (
            _o("sports", k.PORT_LIST, "source-ports", no=True),
            _o("dports", k.PORT_LIST, "destination-ports", no=True),
            _o("ports", k.PORT_LIST, "port", no=True),
        ),
        protocols=_PORT_PROTOCOLS,
        one_of=(("sports", "dports", "ports"),),
    ),
    Extension(
        "icmp",
        (_o("icmp-type", k.ICMP_TYPE, no=True),),
        families=_IPV4,
        protocols=(1,),
        one_of=(("icmp-type",),),
    ),
    Extension(
        "icmp6",
        (_o("icmpv6-type", k.ICMP_TYPE, no=True),),
        ("icmpv6",),
        families=_IPV6,
        protocols=(58,),
        one_of=(("icmpv6-type",),),
    ),
    Extension("esp", (_o("espspi", k.number_range(_U32), no=True, default=Range(0, _U32)),), protocols=(50,)),
    Extension(
        "ah",
        (_o("ahspi", k.number_range(_U32), no=True), _o("ahlen", k.number(_U32), no=True), _o("ahres")),
    ),
    Extension("tcpmss", (_o("mss", k.number_range(65535), no=True),), protocols=(6,), one_of=(("mss",),)),
)

CONNECTION = (
    Extension("state", (_o("state", k.keywords(_STATES), no=True),), one_of=(("state",),)),
    Extension(
        "conntrack",
        (
            _o("ctstate", k.keywords((*_STATES, "SNAT", "DNAT")), no=True),
            _o("ctproto", k.PROTOCOL_NUMBER, no=True),
            *(_o(f"ct{way}{end}", k.HOST, no=True) for way in ("orig", "repl") for end in ("src", "dst")),
            *(_o(f"ct{way}{end}port", k.PORTS, no=True) for way in ("orig", "repl") for end in ("src", "dst")),
            _o("ctstatus", k.keywords(("NONE", "EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED")), no=True),
            _o("ctexpire", k.number_range(_U32), no=True),
            _o("ctdir", k.keyword(("ORIGINAL", "REPLY"))),
        ),
    ),
    Extension("connmark", (_o("mark", k.MARK, no=True),), one_of=(("mark",),)),
    Extension(
        "connbytes",
        (
            _o("connbytes", k.plain("a range", n.read_connbytes), no=True),
            _o("connbytes-mode", k.keyword(("packets", "bytes", "avgpkt"))),
            _o("connbytes-dir", k.keyword(("original", "reply", "both"))),
        ),
        one_of=(("connbytes",), ("connbytes-mode",), ("connbytes-dir",)),
    ),
    Extension(
        "connlimit",
        (
            _o("connlimit-upto", k.number(_U32), no=True),
            _o("connlimit-above", k.number(_U32), no=True),
            _o("connlimit-mask", k.number(128), implied=lambda family: family.bits),
            _o("connlimit-saddr"),
            _o("connlimit-daddr"),
        ),
        one_of=(("connlimit-upto", "connlimit-above"),),
        normalise=n.connlimit,
    ),
    Extension("helper", (_o("helper", k.text(29), no=True),), one_of=(("helper",),)),
)

RATE = (
    Extension(
        "limit",
        (_o("limit", k.RATE, implied=Rate(3, "hour")), _o("limit-burst", k.number(10_000), default=5)),
    ),
    Extension(
        "hashlimit",
        (
            _o("hashlimit-upto", k.plain("a rate", n.read_hash_rate), "hashlimit", no=True),
            _o("hashlimit-above", k.plain("a rate", n.read_hash_rate), no=True),
            _o("hashlimit-burst", k.plain("a burst", n.read_burst)),
            _o("hashlimit-mode", k.keywords(("srcip", "srcport", "dstip", "dstport"))),
            _o("hashlimit-name", k.WORD),
            _o("hashlimit-htable-size", k.number(_U32), default=0),
            _o("hashlimit-htable-max", k.number(_U32), default=0),
            _o("hashlimit-htable-gcinterval", k.number(_U32), default=1000),
            _o("hashlimit-htable-expire", k.number(_U32)),
            _o("hashlimit-srcmask", k.number(128), default=lambda family: family.bits),
            _o("hashlimit-dstmask", k.number(128), default=lambda family: family.bits),
            _o("hashlimit-rate-match"),
            _o("hashlimit-rate-interval", k.number(_U32)),
        ),
        one_of=(("hashlimit-upto", "hashlimit-above"), ("hashlimit-name",)),
        normalise=n.hashlimit,
    ),
    Extension(
        "recent",
        (
            _o("set", no=True),
            _o("rcheck", no=True),
            _o("update", no=True),
            _o("remove", no=True),
            _o("seconds", k.number(_U32)),
            _o("reap"),
            _o("hitcount", k.number(65535)),
            _o("rttl"),
            _o("name", k.WORD, implied="DEFAULT"),
            _o("mask", k.WORD, implied=full_mask),
            _o("rsource"),
            _o("rdest"),
        ),
        one_of=(("set", "rcheck", "update", "remove"),),
        at_most=(("rsource", "rdest"),),
        normalise=n.recent,
    ),
    Extension(
        "statistic",
        (
            _o("mode", k.keyword(("random", "nth"))),
            _o("probability", k.plain("a number from 0 to 1", n.read_probability), no=True),
            _o("every", k.number(_U32), no=True),
            _o("packet", k.number(_U32)),
        ),
        one_of=(("mode",),),
        normalise=n.statistic,
    ),
    Extension("quota", (_o("quota", k.number(2**64 - 1), no=True),), one_of=(("quota",),)),
)

PACKET = (
    Extension(
        "addrtype",
        (
            _o("src-type", k.keywords(_ADDRESS_TYPES), no=True),
            _o("dst-type", k.keywords(_ADDRESS_TYPES), no=True),
            _o("limit-iface-in"),
            _o("limit-iface-out"),
        ),
        at_most=(("limit-iface-in", "limit-iface-out"),),
    ),
    Extension("iprange", (_o("src-range", k.ADDRESS_RANGE, no=True), _o("dst-range", k.ADDRESS_RANGE, no=True))),
    Extension("mark", (_o("mark", k.MARK, no=True),), one_of=(("mark",),)),
    Extension("mac", (_o("mac-source", k.MAC, no=True),), one_of=(("mac-source",),)),
    Extension(
        "pkttype",
        (_o("pkt-type", k.keyword(("unicast", "broadcast", "multicast"), {"host": "unicast"}), no=True),),
        one_of=(("pkt-type",),),
    ),
    Extension("length", (_o("length", k.number_range(65535), no=True),), one_of=(("length",),)),
    Extension(
        "ttl",
        (_o("ttl-eq", k.number(255), "ttl", no=True), _o("ttl-lt", k.number(255)), _o("ttl-gt", k.number(255))),
        families=_IPV4,
        one_of=(("ttl-eq", "ttl-lt", "ttl-gt"),),
    ),
    Extension(
        "hl",
        (_o("hl-eq", k.number(255), no=True), _o("hl-lt", k.number(255)), _o("hl-gt", k.number(255))),
        families=_IPV6,
        one_of=(("hl-eq", "hl-lt", "hl-gt"),),
    ),
    Extension(
        "dscp",
        (
            _o("dscp", k.plain("a DSCP value", n.read_dscp), no=True),
            _alias(
                "dscp-class",
                k.plain("a DSCP class", n.read_dscp_class),
                lambda option: Option("dscp", option.value, option.negated),
                no=True,
            ),
        ),
        one_of=(("dscp",),),
    ),
    Extension("tos", (_o("tos", k.plain("a TOS value", n.read_tos), no=True),), one_of=(("tos",),)),
    Extension("realm", (_o("realm", k.MARK, no=True),), families=_IPV4, one_of=(("realm",),)),
    Extension(
        "ecn",
        (
            _o("ecn-tcp-cwr", no=True),
            _o("ecn-tcp-ece", no=True),
            _o("ecn-ip-ect", k.number(3), no=True),
        ),
    ),
    Extension(
        "string",
        (
            _STRING_SPELLING,
            _alias("hex-string", k.HEX_STRING, lambda option: Option("string", option.value, option.negated), no=True),
            _o("algo", k.keyword(("bm", "kmp"))),
            _o("from", k.number(65535), default=0),
            _o("to", k.number(65535), default=65535),
            _o("icase"),
        ),
        one_of=(("string",), ("algo",)),
    ),
    Extension("u32", (_o("u32", k.plain("u32 tests", n.read_u32, Quoting.ALWAYS), no=True),), one_of=(("u32",),)),
    Extension(
        "frag",
        (
            _o("fragid", k.number_range(_U32), no=True),
            _o("fraglen", k.number(_U32), no=True),
            *(_o(name) for name in ("fragres", "fragfirst", "fragmore", "fraglast")),
        ),
        families=_IPV6,
    ),
    Extension("mh", (_o("mh-type", k.number_range(255), no=True),), families=_IPV6, protocols=(135,)),
    Extension("eui64", families=_IPV6),
)

ORIGIN = (
    Extension("comment", (_o("comment", k.text(255)),), one_of=(("comment",),)),
    Extension(
        "owner",
        (
            _o("uid-owner", k.plain("a user", n.read_owner), no=True),
            _o("gid-owner", k.plain("a group", n.read_owner), no=True),
            _o("socket-exists", k.FLAG, no=True),
            _o("suppl-groups"),
        ),
    ),
    Extension(
        "set",
        (
            _o("match-set", k.PAIR, "set", no=True),
            _o("return-nomatch"),
            _o("update-counters", no=True),
            _o("update-subcounters", no=True),
            *(
                _o(f"{what}-{how}", k.number(2**64 - 1), no=how == "eq")
                for what in ("packets", "bytes")
                for how in ("eq", "lt", "gt")
            ),
        ),
        one_of=(("match-set",),),
    ),
    Extension(
        "rpfilter",
        (_o("loose"), _o("validmark"), _o("accept-local"), _o("invert")),
        tables=("raw", "mangle"),
    ),
    Extension(
        "physdev",
        (
            _o("physdev-is-in", no=True),
            _o("physdev-in", k.INTERFACE, no=True),
            _o("physdev-is-out", no=True),
            _o("physdev-out", k.INTERFACE, no=True),
            _o("physdev-is-bridged", no=True),
        ),
    ),
    Extension("socket", (_o("transparent"), _o("nowildcard"), _o("restore-skmark"))),
    Extension("devgroup", (_o("src-group", k.MARK, no=True), _o("dst-group", k.MARK, no=True))),
    Extension("cpu", (_o("cpu", k.number(_U32), no=True),), one_of=(("cpu",),)),
    Extension(
        "time",
        (
            _o("timestart", k.plain("a time", n.read_time), default="00:00:00"),
            _o("timestop", k.plain("a time", n.read_time), default="23:59:59"),
            _o("monthdays", k.plain("days of the month", n.read_month_days), no=True),
            _o("weekdays", k.plain("days of the week", n.read_weekdays), no=True),
            _o("datestart", k.plain("a date", n.read_date), default="1970-01-01T00:00:00"),
            _o("datestop", k.plain("a date", n.read_date), default="2038-01-19T03:14:07"),
            _o("kerneltz"),
            _o("contiguous"),
        ),
        normalise=n.time,
    ),
)

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

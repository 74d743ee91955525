"""Matches on a packet's content (man 8 iptables-extensions), options in the order iptables-save prints them."""

from __future__ import annotations

from rules.model import Option
from rules.options import kinds as k
from rules.options import normalise as n
from rules.options.extensions import Extension, Kind, OptionSpec, Quoting
from rules.options.tables import COMING_IN, GOING_OUT, IPV4, IPV6, U32, opt, spelling
from rules.options.transport import DCCP_TYPES, read_chunks, read_mobility
from rules.values.typed import Pattern, Range, TcpFlags

_PORT_PROTOCOLS = (6, 17, 33, 132, 136)
_PACKET_TYPES = {"host": "unicast", "bcast": "broadcast", "mcast": "multicast"}
_ADDRESS_TYPES = tuple(n.ADDRESS_TYPES.split())


def _ports(*more: OptionSpec) -> tuple[OptionSpec, ...]:
    every = Range(0, 65535)
    return (
        opt("sport", k.PORTS, "source-port", no=True, default=every),
        opt("dport", k.PORTS, "destination-port", no=True, default=every),
        *more,
    )


def _plain_ports(*more: OptionSpec) -> tuple[OptionSpec, ...]:
    """Ports for which iptables-save also prints the full range."""
    return (
        opt("sport", k.PORTS, "source-port", no=True),
        opt("dport", k.PORTS, "destination-port", no=True),
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
            opt("tcp-option", k.number(255, 1), no=True),
            opt("tcp-flags", k.FLAGS, no=True, default=TcpFlags((), ())),
            spelling("syn", k.FLAG, lambda option: Option("tcp-flags", _SYN, option.negated), no=True),
        ),
        protocols=(6,),
        normalise=n.ports,
    ),
    Extension("udp", _ports(), protocols=(17,), normalise=n.ports),
    Extension("sctp", _ports(opt("chunk-types", Kind("chunk types", read_chunks, arity=2), no=True)), protocols=(132,)),
    Extension(
        "dccp",
        _plain_ports(opt("dccp-types", k.keywords(DCCP_TYPES), no=True), opt("dccp-option", k.number(255, 1), no=True)),
        protocols=(33,),
    ),
    Extension(
        "multiport",
        (
            opt("sports", k.PORT_LIST, "source-ports", no=True),
            opt("dports", k.PORT_LIST, "destination-ports", no=True),
            opt("ports", k.PORT_LIST, "port", no=True),
        ),
        protocols=_PORT_PROTOCOLS,
        one_of=(("sports", "dports", "ports"),),
    ),
    Extension(
        "icmp",
        (opt("icmp-type", k.ICMP_TYPE, no=True),),
        families=IPV4,
        protocols=(1,),
        one_of=(("icmp-type",),),
    ),
    Extension(
        "icmp6",
        (opt("icmpv6-type", k.ICMP_TYPE, no=True),),
        ("icmpv6",),
        families=IPV6,
        protocols=(58,),
        one_of=(("icmpv6-type",),),
    ),
    Extension("esp", (opt("espspi", k.number_range(U32), no=True, default=Range(0, U32)),), protocols=(50,)),
    Extension(
        "ah",
        (
            opt("ahspi", k.number_range(U32), no=True, default=Range(0, U32)),
            opt("ahlen", k.number(U32), no=True, default=0),
            opt("ahres"),
        ),
    ),
    Extension("tcpmss", (opt("mss", k.number_range(65535), no=True),), protocols=(6,), one_of=(("mss",),)),
)

PACKET = (
    Extension(
        "addrtype",
        (
            opt("src-type", k.keywords(_ADDRESS_TYPES), no=True),
            opt("dst-type", k.keywords(_ADDRESS_TYPES), no=True),
            opt("limit-iface-in"),
            opt("limit-iface-out"),
        ),
        any_of=("src-type", "dst-type"),
        at_most=(("limit-iface-in", "limit-iface-out"),),
        option_hooks=(("limit-iface-in", COMING_IN), ("limit-iface-out", GOING_OUT)),
    ),
    Extension(
        "iprange",
        (opt("src-range", k.ADDRESS_RANGE, no=True), opt("dst-range", k.ADDRESS_RANGE, no=True)),
        any_of=("src-range", "dst-range"),
    ),
    Extension("mark", (opt("mark", k.MARK, no=True),), one_of=(("mark",),)),
    Extension("mac", (opt("mac-source", k.MAC, no=True),), one_of=(("mac-source",),), hooks=COMING_IN),
    Extension(
        "pkttype",
        (opt("pkt-type", k.keyword(("unicast", "broadcast", "multicast", "otherhost"), _PACKET_TYPES), no=True),),
        one_of=(("pkt-type",),),
    ),
    Extension("length", (opt("length", k.number_range(65535), no=True),), one_of=(("length",),)),
    Extension(
        "ttl",
        (
            opt("ttl-eq", k.number(255), "ttl", no=True),
            opt("ttl-lt", k.number(255)),
            opt("ttl-gt", k.number(255)),
        ),
        families=IPV4,
        one_of=(("ttl-eq", "ttl-lt", "ttl-gt"),),
    ),
    Extension(
        "hl",
        (opt("hl-eq", k.number(255), no=True), opt("hl-lt", k.number(255)), opt("hl-gt", k.number(255))),
        families=IPV6,
        one_of=(("hl-eq", "hl-lt", "hl-gt"),),
    ),
    Extension(
        "dscp",
        (
            opt("dscp", k.plain("a DSCP value", n.read_dscp), no=True),
            spelling(
                "dscp-class",
                k.plain("a DSCP class", n.read_dscp_class),
                lambda option: Option("dscp", option.value, option.negated),
                no=True,
            ),
        ),
        one_of=(("dscp",),),
    ),
    Extension("tos", (opt("tos", k.plain("a TOS value", n.read_tos), no=True),), one_of=(("tos",),)),
    Extension(
        "realm",
        (opt("realm", k.named_mark("cosmos"), no=True),),
        families=IPV4,
        one_of=(("realm",),),
        hooks=("INPUT", *GOING_OUT),
    ),
    Extension(
        "ecn",
        (
            opt("ecn-tcp-ece", no=True),
            opt("ecn-tcp-cwr", no=True),
            opt("ecn-ip-ect", k.number(3), no=True),
        ),
        any_of=("ecn-tcp-ece", "ecn-tcp-cwr", "ecn-ip-ect"),
    ),
    Extension(
        "string",
        (
            _STRING_SPELLING,
            spelling(
                "hex-string", k.HEX_STRING, lambda option: Option("string", option.value, option.negated), no=True
            ),
            opt("algo", k.keyword(("bm", "kmp"))),
            opt("from", k.number(65535), default=0),
            opt("to", k.number(65535), default=65535),
            opt("icase"),
        ),
        one_of=(("string",), ("algo",)),
        check=n.check_string,
    ),
    Extension("u32", (opt("u32", k.plain("u32 tests", n.read_u32, Quoting.ALWAYS), no=True),), one_of=(("u32",),)),
    Extension(
        "frag",
        (
            opt("fragid", k.number_range(U32), no=True, default=Range(0, U32)),
            opt("fraglen", k.number(U32), no=True),
            *(opt(name) for name in ("fragres", "fragfirst", "fragmore", "fraglast")),
        ),
        families=IPV6,
        at_most=(("fragmore", "fraglast"),),
    ),
    Extension(
        "mh",
        (opt("mh-type", k.plain("a type or a range", read_mobility), no=True, default=Range(0, 255)),),
        families=IPV6,
        protocols=(135,),
    ),
    Extension("eui64", families=IPV6, hooks=COMING_IN),
)

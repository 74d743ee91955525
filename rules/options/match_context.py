"""Matches on what is known about a packet: connection, rate, origin (man 8 iptables-extensions), in saved order."""

from __future__ import annotations

from rules.options import kinds as k
from rules.options import normalise as n
from rules.options.extensions import Extension
from rules.options.tables import COMING_IN, GOING_OUT, SENT_HERE, U32, opt
from rules.values.addresses import full_mask
from rules.values.typed import Rate

_STATES = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED")

CONNECTION = (
    Extension("state", (opt("state", k.keywords(_STATES), no=True),), one_of=(("state",),)),
    Extension(
        "conntrack",
        (
            opt("ctstate", k.keywords((*_STATES, "SNAT", "DNAT")), no=True),
            opt("ctproto", k.PROTOCOL_NUMBER, no=True),
            *(opt(f"ct{way}{end}", k.HOST, no=True) for way in ("orig", "repl") for end in ("src", "dst")),
            *(opt(f"ct{way}{end}port", k.PORTS, no=True) for way in ("orig", "repl") for end in ("src", "dst")),
            opt("ctstatus", k.keywords(("NONE", "EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED")), no=True),
            opt("ctexpire", k.number_range(U32), no=True),
            opt("ctdir", k.keyword(("ORIGINAL", "REPLY"))),
        ),
    ),
    Extension("connmark", (opt("mark", k.MARK, no=True),), one_of=(("mark",),)),
    Extension(
        "connbytes",
        (
            opt("connbytes", k.plain("a range", n.read_connbytes), no=True),
            opt("connbytes-mode", k.keyword(("packets", "bytes", "avgpkt"))),
            opt("connbytes-dir", k.keyword(("original", "reply", "both"))),
        ),
        one_of=(("connbytes",), ("connbytes-mode",), ("connbytes-dir",)),
    ),
    Extension(
        "connlimit",
        (
            opt("connlimit-upto", k.number(U32), no=True),
            opt("connlimit-above", k.number(U32), no=True),
            opt("connlimit-mask", k.number(128), implied=lambda family: family.bits),
            opt("connlimit-saddr"),
            opt("connlimit-daddr"),
        ),
        one_of=(("connlimit-upto", "connlimit-above"),),
        normalise=n.connlimit,
    ),
    Extension("helper", (opt("helper", k.text(29), no=True),), one_of=(("helper",),)),
)

RATE = (
    Extension(
        "limit",
        (opt("limit", k.RATE, implied=Rate(3, "hour")), opt("limit-burst", k.number(10_000), default=5)),
    ),
    Extension(
        "hashlimit",
        (
            opt("hashlimit-upto", k.plain("a rate", n.read_hash_rate), "hashlimit", no=True),
            opt("hashlimit-above", k.plain("a rate", n.read_hash_rate), no=True),
            opt("hashlimit-burst", k.plain("a burst", n.read_burst)),
            opt("hashlimit-mode", k.keywords(("srcip", "srcport", "dstip", "dstport"))),
            opt("hashlimit-name", k.NAME),
            opt("hashlimit-htable-size", k.number(U32), default=0),
            opt("hashlimit-htable-max", k.number(U32), default=0),
            opt("hashlimit-htable-gcinterval", k.number(U32), default=1000),
            opt("hashlimit-htable-expire", k.number(U32)),
            opt("hashlimit-srcmask", k.number(128), default=lambda family: family.bits),
            opt("hashlimit-dstmask", k.number(128), default=lambda family: family.bits),
            opt("hashlimit-rate-match"),
            opt("hashlimit-rate-interval", k.number(U32)),
        ),
        one_of=(("hashlimit-upto", "hashlimit-above"), ("hashlimit-name",)),
        normalise=n.hashlimit,
    ),
    Extension(
        "recent",
        (
            opt("set", no=True),
            opt("rcheck", no=True),
            opt("update", no=True),
            opt("remove", no=True),
            opt("seconds", k.number(U32)),
            opt("reap"),
            opt("hitcount", k.number(65535)),
            opt("rttl"),
            opt("name", k.NAME, implied="DEFAULT"),
            opt("mask", k.WORD, implied=full_mask),
            opt("rsource"),
            opt("rdest"),
        ),
        one_of=(("set", "rcheck", "update", "remove"),),
        at_most=(("rsource", "rdest"),),
        normalise=n.recent,
    ),
    Extension(
        "statistic",
        (
            opt("mode", k.keyword(("random", "nth"))),
            opt("probability", k.plain("a number from 0 to 1", n.read_probability), no=True),
            opt("every", k.number(U32), no=True),
            opt("packet", k.number(U32)),
        ),
        one_of=(("mode",),),
        normalise=n.statistic,
    ),
    Extension("quota", (opt("quota", k.number(2**64 - 1), no=True),), one_of=(("quota",),)),
)

ORIGIN = (
    Extension("comment", (opt("comment", k.text(255)),), one_of=(("comment",),)),
    Extension(
        "owner",
        (
            opt("uid-owner", k.plain("a user", n.read_owner), no=True),
            opt("gid-owner", k.plain("a group", n.read_owner), no=True),
            opt("socket-exists", k.FLAG, no=True),
            opt("suppl-groups"),
        ),
        hooks=SENT_HERE,
    ),
    Extension(
        "set",
        (
            opt("match-set", k.PAIR, "set", no=True),
            opt("return-nomatch"),
            opt("update-counters", no=True),
            opt("update-subcounters", no=True),
            *(
                opt(f"{what}-{how}", k.number(2**64 - 1), no=how == "eq")
                for what in ("packets", "bytes")
                for how in ("eq", "lt", "gt")
            ),
        ),
        one_of=(("match-set",),),
    ),
    Extension(
        "rpfilter",
        (opt("loose"), opt("validmark"), opt("accept-local"), opt("invert")),
        tables=("raw", "mangle"),
        hooks=("PREROUTING",),
    ),
    Extension(
        "physdev",
        (
            opt("physdev-is-in", no=True),
            opt("physdev-in", k.INTERFACE, no=True),
            opt("physdev-is-out", no=True),
            opt("physdev-out", k.INTERFACE, no=True),
            opt("physdev-is-bridged", no=True),
        ),
    ),
    Extension(
        "socket",
        (opt("transparent"), opt("nowildcard"), opt("restore-skmark")),
        hooks=("PREROUTING", "INPUT"),
    ),
    Extension(
        "devgroup",
        (opt("src-group", k.MARK, no=True), opt("dst-group", k.MARK, no=True)),
        option_hooks=(("src-group", COMING_IN), ("dst-group", GOING_OUT)),
    ),
    Extension("cpu", (opt("cpu", k.number(U32), no=True),), one_of=(("cpu",),)),
    Extension(
        "time",
        (
            opt("timestart", k.plain("a time", n.read_time), default="00:00:00"),
            opt("timestop", k.plain("a time", n.read_time), default="23:59:59"),
            opt("monthdays", k.plain("days of the month", n.read_month_days), no=True),
            opt("weekdays", k.plain("days of the week", n.read_weekdays), no=True),
            opt("datestart", k.plain("a date", n.read_date), default="1970-01-01T00:00:00"),
            opt("datestop", k.plain("a date", n.read_date), default="2038-01-19T03:14:07"),
            opt("kerneltz"),
            opt("contiguous"),
        ),
        normalise=n.time,
    ),
)

"""Matches on a packet's context: connection, rate, origin (man 8 iptables-extensions), in saved order."""

from __future__ import annotations

from rules.options import context as c
from rules.options import kinds as k
from rules.options import rates as r
from rules.options.extensions import Extension, Kind
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
            opt("ctstatus", k.plain("a list of states", c.read_status), no=True),
            opt("ctexpire", k.number_range(U32), no=True),
            opt("ctdir", k.keyword(("ORIGINAL", "REPLY"))),
        ),
        any_of=(
            *("ctstate", "ctproto", "ctstatus", "ctexpire", "ctdir"),
            *(f"ct{way}{end}{port}" for way in ("orig", "repl") for end in ("src", "dst") for port in ("", "port")),
        ),
    ),
    Extension("connmark", (opt("mark", k.MARK, no=True),), one_of=(("mark",),)),
    Extension(
        "connbytes",
        (
            opt("connbytes", k.plain("a range", c.read_connbytes), no=True),
            opt("connbytes-mode", k.keyword(("packets", "bytes", "avgpkt"))),
            opt("connbytes-dir", k.keyword(("original", "reply", "both"))),
        ),
        one_of=(("connbytes",), ("connbytes-mode",), ("connbytes-dir",)),
        check=c.check_connbytes,
    ),
    Extension(
        "connlimit",
        (
            opt("connlimit-upto", k.number(U32), no=True),
            opt("connlimit-above", k.number(U32), no=True),
            opt("connlimit-mask", k.prefix(), implied=lambda family: family.bits),
            opt("connlimit-saddr"),
            opt("connlimit-daddr"),
        ),
        one_of=(("connlimit-upto", "connlimit-above"),),
        at_most=(("connlimit-saddr", "connlimit-daddr"),),
        normalise=c.connlimit,
    ),
    Extension("helper", (opt("helper", k.text(29), no=True),), one_of=(("helper",),)),
)

RATE = (
    Extension(
        "limit",
        (opt("limit", k.RATE, implied=Rate(3, "hour")), opt("limit-burst", k.number(10_000, 1), default=5)),
    ),
    Extension(
        "hashlimit",
        (
            opt("hashlimit-upto", k.plain("a rate", r.read_hash_rate), "hashlimit", no=True),
            opt("hashlimit-above", k.plain("a rate", r.read_hash_rate), no=True),
            opt("hashlimit-burst", k.plain("a burst", r.read_burst)),
            opt("hashlimit-mode", k.keywords(("srcip", "srcport", "dstip", "dstport"))),
            opt("hashlimit-name", k.NAME),
            opt("hashlimit-htable-size", k.plain("a number", r.read_buckets), default=0),
            opt("hashlimit-htable-max", k.plain("a number", r.read_buckets), default=0),
            opt("hashlimit-htable-gcinterval", k.number(U32, 1), default=1000),
            opt("hashlimit-htable-expire", k.number(U32, 1)),
            opt("hashlimit-srcmask", k.prefix(), default=lambda family: family.bits),
            opt("hashlimit-dstmask", k.prefix(), default=lambda family: family.bits),
            opt("hashlimit-rate-match"),
            opt("hashlimit-rate-interval", k.number(U32, 1)),
        ),
        one_of=(("hashlimit-upto", "hashlimit-above"), ("hashlimit-name",)),
        normalise=r.hashlimit,
        check=r.check_hashlimit,
    ),
    Extension(
        "recent",
        (
            opt("set", no=True),
            opt("rcheck", no=True),
            opt("update", no=True),
            opt("remove", no=True),
            opt("seconds", k.number(2**31 - 1, 1)),
            opt("reap"),
            opt("hitcount", k.number(65535), default=0),
            opt("rttl"),
            opt("name", k.NAME, implied="DEFAULT"),
            opt("mask", Kind("a netmask", c.read_address_mask), implied=full_mask),
            opt("rsource"),
            opt("rdest"),
        ),
        one_of=(("set", "rcheck", "update", "remove"),),
        at_most=(("rsource", "rdest"),),
        normalise=c.recent,
        check=c.check_recent,
    ),
    Extension(
        "statistic",
        (
            opt("mode", k.keyword(("random", "nth"))),
            opt("probability", k.plain("a number from 0 to 1", c.read_probability), no=True),
            opt("every", k.number(U32, 1), no=True),
            opt("packet", k.number(U32)),
        ),
        one_of=(("mode",),),
        normalise=c.statistic,
        check=c.check_statistic,
    ),
    Extension("quota", (opt("quota", k.number(2**64 - 1), no=True),), one_of=(("quota",),)),
)

ORIGIN = (
    Extension("comment", (opt("comment", k.text(255)),), one_of=(("comment",),)),
    Extension(
        "owner",
        (
            opt("socket-exists", k.FLAG, no=True),
            opt("uid-owner", k.plain("a user", c.read_owner), no=True),
            opt("gid-owner", k.plain("a group", c.read_owner), no=True),
            opt("suppl-groups"),
        ),
        any_of=("uid-owner", "gid-owner", "socket-exists"),
        check=c.check_owner,
        hooks=SENT_HERE,
    ),
    Extension(
        "set",
        (
            opt("match-set", k.SET, "set", no=True),
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
        at_most=tuple(tuple(f"{what}-{how}" for how in ("eq", "lt", "gt")) for what in ("packets", "bytes")),
        normalise=c.match_set,
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
        any_of=("physdev-is-in", "physdev-in", "physdev-is-out", "physdev-out", "physdev-is-bridged"),
    ),
    Extension(
        "socket",
        (opt("transparent"), opt("nowildcard"), opt("restore-skmark")),
        hooks=("PREROUTING", "INPUT"),
    ),
    Extension(
        "devgroup",
        (opt("src-group", k.named_mark("default"), no=True), opt("dst-group", k.named_mark("default"), no=True)),
        any_of=("src-group", "dst-group"),
        option_hooks=(("src-group", COMING_IN), ("dst-group", GOING_OUT)),
    ),
    Extension("cpu", (opt("cpu", k.number(U32), no=True),), one_of=(("cpu",),)),
    Extension(
        "time",
        (
            opt("timestart", k.plain("a time", c.read_time)),
            opt("timestop", k.plain("a time", c.read_time)),
            opt("monthdays", k.plain("days of the month", c.read_month_days), no=True),
            opt("weekdays", k.plain("days of the week", c.read_weekdays), no=True),
            opt("datestart", k.plain("a date", c.read_date), default="1970-01-01T00:00:00"),
            opt("datestop", k.plain("a date", c.read_date), implied="2038-01-19T03:14:07"),
            opt("kerneltz", k.FLAG, "localtz"),
            opt("contiguous"),
            opt("utc"),
        ),
        normalise=c.time,
        check=c.check_time,
    ),
)

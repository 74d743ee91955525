"""Rarely used matches (man 8 iptables-extensions), options in the order iptables-save prints them."""

from __future__ import annotations

import re

from rules.errors import ExpectedError
from rules.model import Option
from rules.options import kinds as k
from rules.options.extensions import Extension, Kind, Options, OptionSpec, Quoting
from rules.options.policy import read_policy
from rules.options.tables import COMING_IN, GOING_OUT, IPV4, IPV6, SENT_HERE, U32, opt
from rules.values.addresses import read_address
from rules.values.family import Family
from rules.values.ports import is_number, read_number, read_range
from rules.values.typed import Range, format_address

_HEADERS = ("hop-by-hop", "ipv6-opts", "ipv6-route", "ipv6-frag", "ah", "esp", "ipv6-nonxt", "protocol")
_HEADER_NAMES = dict(
    zip(("hop", "dst", "route", "frag", "auth", "esp", "none", "prot"), _HEADERS, strict=True),
    **dict(zip(("0", "60", "43", "44", "51", "50", "59", "255"), _HEADERS, strict=True)),
)
_NODES = 32


def _read_options(word: str) -> str:
    """Header option types, each with or without its length: ``149:92,12``."""
    found = []
    for item in word.split(","):
        kind, colon, size = item.partition(":")
        found.append(str(read_number(kind, 255)) + (f":{read_number(size, 255)}" if colon else ""))
    return ",".join(found)


def _read_addresses(word: str, family: Family) -> str:
    return ",".join(format_address(family, read_address(item, family)) for item in word.split(","))


def _read_label(word: str) -> str:
    if is_number(word[:1]):
        return str(read_number(word, 127))
    if not word or word.startswith("-"):
        raise ExpectedError("a number from 0 to 127, or a name of connlabel.conf", f'"{word}" is no label')
    return word


def _read_bytecode(word: str) -> str:
    """A count and that many instructions of four numbers, separated by commas."""
    count, *code = word.split(",")
    code = code[:-1] if code and not code[-1].strip() else code
    numbers = [re.fullmatch(r"\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*", each, re.ASCII) for each in code]
    if not is_number(count) or int(count) != len(code) or not code or not all(numbers):
        raise ExpectedError('a count and instructions, as "1,6 0 0 1"', f'"{word}" is no BPF program')
    return ",".join([str(len(code)), *(" ".join(each.groups()) for each in numbers if each is not None)])


def _node_mask(option: Option) -> Option:
    value = option.value if isinstance(option.value, int) else 1
    return Option("cluster-local-nodemask", f"{1 << value - 1:#010x}", option.negated)


def _read_some(word: str) -> Range:
    found = read_range(word, U32)
    if found == Range(0, U32):
        raise ExpectedError("a narrower range", "iptables-save prints nothing for all numbers, which is 0 when read")
    return found


def _read_hex(word: str) -> str:
    return f"{read_number(word, U32):#010x}"


def _read_node(word: str) -> int:
    number = read_number(word, _NODES)
    if number == 0:
        raise ExpectedError(f"a number from 1 to {_NODES}", "nodes are counted from 1")
    return number


def _check_cluster(options: Options, _family: Family) -> tuple[str, str] | None:
    nodes, mask = options["cluster-total-nodes"].value, options["cluster-local-nodemask"].value
    if isinstance(nodes, int) and isinstance(mask, str) and not 0 < int(mask, 16) < (1 << nodes) - 1:
        return f"of {nodes} nodes, these are none, more, or all", "some of --cluster-total-nodes"
    return None


def _check_route(options: Options, _family: Family) -> tuple[str, str] | None:
    kind = options.get("rt-type")
    if {"rt-0-res", "rt-0-addrs"} & options.keys() and (kind is None or kind.value != 0 or kind.negated):
        return "--rt-0-res and --rt-0-addrs are of type 0", "--rt-type 0"
    if "rt-0-not-strict" in options and "rt-0-addrs" not in options:
        return "--rt-0-not-strict needs --rt-0-addrs", "--rt-0-addrs"
    return None


def _segments() -> tuple[OptionSpec, ...]:
    return tuple(
        opt(f"srh-{what}-{how}", k.number(255), no=True)
        for what in ("hdr-len", "segs-left", "last-entry")
        for how in ("eq", "gt", "lt")
    )


_BYTECODE = k.plain("a BPF program", _read_bytecode, Quoting.ALWAYS)
_HEADER = k.keywords(_HEADERS, _HEADER_NAMES)
HEADERS = (
    *(
        Extension(
            name,
            (opt(f"{name}-len", k.number(U32), no=True), opt(f"{name}-opts", k.plain("options", _read_options))),
            families=IPV6,
        )
        for name in ("dst", "hbh")
    ),
    Extension("ipv6header", (opt("header", _HEADER, no=True), opt("soft")), families=IPV6, one_of=(("header",),)),
    Extension(
        "rt",
        (
            opt("rt-type", k.number(U32), no=True),
            opt("rt-segsleft", k.number_range(U32), no=True, default=Range(0, U32)),
            opt("rt-len", k.number(U32), no=True),
            opt("rt-0-res"),
            opt("rt-0-addrs", Kind("addresses", lambda words, family: _read_addresses(words[0], family))),
            opt("rt-0-not-strict"),
        ),
        families=IPV6,
        check=_check_route,
    ),
    Extension(
        "srh",
        (
            opt("srh-next-hdr", k.number(255), no=True),
            *_segments(),
            opt("srh-tag", k.number(65535), no=True),
            *(opt(f"srh-{what}", k.PLAIN_NETWORK, no=True) for what in ("psid", "nsid", "lsid")),
        ),
        families=IPV6,
    ),
    Extension(
        "ipcomp",
        (opt("ipcompspi", k.plain("a number or range", _read_some), no=True, implied=Range(0, 0)), opt("compres")),
        protocols=(108,),
    ),
)
OTHERS = (
    Extension(
        "cgroup",
        (opt("path", k.text(511, Quoting.ALWAYS), no=True), opt("cgroup", k.number(U32), no=True)),
        hooks=("INPUT", *SENT_HERE),
        one_of=(("path", "cgroup"),),
    ),
    Extension(
        "osf",
        (
            opt("genre", k.text(31, Quoting.SPACED, least=1), no=True),
            opt("ttl", k.number(2)),
            opt("log", k.number(2)),
        ),
        families=IPV4,
        protocols=(6,),
        hooks=COMING_IN,
        one_of=(("genre",),),
    ),
    Extension(
        "connlabel",
        (opt("label", k.plain("a label", _read_label, Quoting.ALWAYS), no=True), opt("set")),
        one_of=(("label",),),
    ),
    Extension(
        "cluster",
        (
            opt("cluster-local-nodemask", k.plain("a mask", _read_hex), no=True),
            opt("cluster-total-nodes", k.plain("a number of nodes", _read_node)),
            opt("cluster-hash-seed", k.plain("a number", _read_hex)),
            OptionSpec("cluster-local-node", k.plain("a node", _read_node), True, rewrite=_node_mask),
        ),
        one_of=(("cluster-total-nodes",), ("cluster-local-nodemask",), ("cluster-hash-seed",)),
        check=_check_cluster,
    ),
    Extension(
        "bpf",
        (opt("bytecode", _BYTECODE), opt("object-pinned", k.text(511, Quoting.SPACED, least=1))),
        one_of=(("bytecode", "object-pinned"),),
    ),
    Extension("nfacct", (opt("nfacct-name", k.text(31, Quoting.SPACED, least=1)),), one_of=(("nfacct-name",),)),
    Extension("policy", None, option_hooks=(("dir in", COMING_IN), ("dir out", GOING_OUT)), read_words=read_policy),
)

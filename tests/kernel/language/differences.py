"""The known differences between our answers and those of iptables, with reasons."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.kernel.language.cases import Case
from tests.kernel.language.compare import ALIKE, Verdict


@dataclass(frozen=True)
class Difference:
    """Rules that contain ``pattern``, if their result is ``kind``."""

    kind: Verdict
    reason: str
    pattern: str


_MUCH, _LITTLE, _ONE = Verdict.TOO_MUCH, Verdict.TOO_LITTLE, Verdict.ONE_BACKEND
# The first entry that matches a difference gives its reason.
DIFFERENCES = (
    Difference(
        Verdict.SPELLING,
        "a spelling of older versions or of people (`--dport ! 80`, keywords in any case), sent in today's",
        "",
    ),
    # Accepted here, refused by iptables on the recording machine.
    Difference(_MUCH, "a host name, which is looked up on the host", r"-[sd] (x|0xc0000207)$"),
    Difference(_MUCH, "not supported by the kernel that was asked", r"-j (LED|ULOG|CLUSTERIP)"),
    Difference(
        _MUCH,
        "names something that the host must have: a set, counter, estimator, control group, user, label or helper",
        r"(-set|-set=) ?!? ?(nosuch|x{31} )|-m (nfacct|rateest)|--path|-owner|connlabel.*--label x|-j (CT|SECMARK)",
    ),
    Difference(_MUCH, "more credit than the kernel can count, which depends on its clock", "hashlimit.* 1/day$"),
    # Refused here, accepted by iptables.
    Difference(
        _LITTLE,
        "a number that begins with 0, octal to iptables and decimal to people",
        r"(?<![0-9a-fA-FxX:.])0[0-9]+(?![0-9]*:00:00|[-T])",
    ),
    Difference(_LITTLE, "a number with a plus sign, or with something after it", r"[ =](\+5|5x|5\.0|8:)$"),
    Difference(_LITTLE, "a hexadecimal port or protocol number", r"0x(16|50|6)\b"),
    Difference(_LITTLE, "a range that runs backwards, so it is empty", r"\b(7:3|90-80)\b|\.9-192|::9-2001"),
    Difference(
        _LITTLE,
        "a number that is too large, of which iptables keeps a part",
        r"\b(65536|256|10000|2038-01-19T03:14:08|4294967295|15|33|64|128|129|1gb|10kb|8)\b",
    ),
    Difference(
        _LITTLE, "a text that is too long, of which iptables keeps a part", r"x{16,}|\u00e9{10}|sixteen-letters-"
    ),
    Difference(_LITTLE, "an empty word, or a list that ends with a comma", r'""|,( |$)'),
    Difference(_LITTLE, "a quote that is not closed", r'"x$'),
    Difference(
        _LITTLE,
        "an address of the other family, or one that iptables and people read differently",
        r"::ffff:|0xc0000207|\b192\.0\.2(?![.0-9])|[ =]10(\.1)?(/\d+)?$|[ =]0/0|0\.0\.0\.0/0|::/0|::9/0|\.9/0",
    ),
    Difference(_LITTLE, "matches nothing or everything, contrary to what it says", r"! "),
    Difference(_LITTLE, "a mask with gaps, which iptables prints differently", r"255\.0\.255|ffff:0:ffff"),
    Difference(_LITTLE, "an interface name that no interface can have, often a slip (`-i=eth0`)", r'"a b"|-[io]=?eth0'),
    Difference(
        _LITTLE,
        "an abbreviated word, which a later version may take for another",
        r"\b(EST|icmp|icmp-n|rando|jum|got)\b",
    ),
    Difference(_LITTLE, "an alias of a protocol that few systems know", r"\b(ip|mptcp|MARK)\b"),
    Difference(_LITTLE, "an option given twice, or one that excludes another", r"(--[a-z-]+) .*\1|-rsource|-clamp"),
    Difference(
        _LITTLE,
        "a day, time, class or mask in a form that people do not use",
        r"-m (time|mac|recent|connlimit)|CLASSIFY",
    ),
    Difference(_LITTLE, "a unit that iptables takes for another", r"(512KB|512kb|100b|4294967295b)"),
    Difference(
        _LITTLE,
        "iptables-save prints a rule with another meaning",
        r"ipcompspi|NONE SYN|hex-string|8/\d:\d|80-90/|-j CT",
    ),
    Difference(_LITTLE, "a chain that calls itself, which loops", r"^-j other$"),
    Difference(_LITTLE, "not a probability", r"nan|0x1"),
    # Accepted by one backend of iptables.
    Difference(_ONE, "QUEUE is not in iptables-nft", "QUEUE"),
    Difference(_ONE, "TRACE needs a logger in iptables-legacy", "TRACE"),
    Difference(_ONE, "iptables-legacy wants `--syn` with TCPMSS", "TCPMSS"),
    Difference(_ONE, "iptables-legacy can count less credit", "-m limit"),
    Difference(_ONE, "iptables-legacy wants `-p` for a match, even where it is negated", "! -p"),
    Difference(_ONE, "nothing matches it", "! -[sdio]"),
    # Accepted by both, with different text.
    Difference(Verdict.READ, "a name that needs quotes is printed without them", r'"|-x|it\'s'),
    Difference(Verdict.READ, "host bits that the mask clears are dropped", "conntrack"),
    Difference(Verdict.READ, "a match given twice is kept once", r"-m (tcp|udp).*-m \1"),
    Difference(Verdict.READ, "all ports are left out", "sctp|dccp"),
    Difference(Verdict.TEXT, "`--nflog-range`, which never did anything, is not kept by nf_tables", "nflog-rang"),
    Difference(Verdict.TEXT, "a name, which the host looks up", r"0xc0000207|daemon"),
    Difference(Verdict.TEXT, "iptables-save does not print the first moment", "--datestop 1970"),
)


def reason_of(case: Case, kind: Verdict) -> str | None:
    """The reason for a difference; empty if it needs none, None if it is not listed."""
    if kind in ALIKE:
        return ""
    found = (one.reason for one in DIFFERENCES if one.kind is kind and re.search(one.pattern, case.rule))
    return next(found, None)

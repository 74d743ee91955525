"""Names of ICMP and ICMPv6 types, and of REJECT's answers, as in the iptables extensions."""

from __future__ import annotations

from rules.errors import ExpectedError, did_you_mean
from rules.values.family import Family
from rules.values.ports import is_number, read_number
from rules.values.typed import IcmpType

_ICMP = """
echo-reply:0 pong:0 destination-unreachable:3 network-unreachable:3/0 host-unreachable:3/1
protocol-unreachable:3/2 port-unreachable:3/3 fragmentation-needed:3/4 source-route-failed:3/5
network-unknown:3/6 host-unknown:3/7 network-prohibited:3/9 host-prohibited:3/10
tos-network-unreachable:3/11 tos-host-unreachable:3/12 communication-prohibited:3/13
host-precedence-violation:3/14 precedence-cutoff:3/15 source-quench:4 redirect:5 network-redirect:5/0
host-redirect:5/1 tos-network-redirect:5/2 tos-host-redirect:5/3 echo-request:8 ping:8
router-advertisement:9 router-solicitation:10 time-exceeded:11 ttl-exceeded:11
ttl-zero-during-transit:11/0 ttl-zero-during-reassembly:11/1 parameter-problem:12 ip-header-bad:12/0
required-option-missing:12/1 timestamp-request:13 timestamp-reply:14 address-mask-request:17
address-mask-reply:18
"""

_ICMPV6 = """
destination-unreachable:1 no-route:1/0 communication-prohibited:1/1 beyond-scope:1/2
address-unreachable:1/3 port-unreachable:1/4 failed-policy:1/5 reject-route:1/6 packet-too-big:2
time-exceeded:3 ttl-exceeded:3 ttl-zero-during-transit:3/0 ttl-zero-during-reassembly:3/1
parameter-problem:4 bad-header:4/0 unknown-header-type:4/1 unknown-option:4/2 echo-request:128 ping:128
echo-reply:129 pong:129 router-solicitation:133 router-advertisement:134 neighbour-solicitation:135
neighbor-solicitation:135 neighbour-advertisement:136 neighbor-advertisement:136 redirect:137
"""

_REJECT_IPV4 = {
    "net-unreach": "icmp-net-unreachable",
    "host-unreach": "icmp-host-unreachable",
    "proto-unreach": "icmp-proto-unreachable",
    "port-unreach": "icmp-port-unreachable",
    "net-prohib": "icmp-net-prohibited",
    "host-prohib": "icmp-host-prohibited",
    "tcp-rst": "tcp-reset",
    "admin-prohib": "icmp-admin-prohibited",
}
_REJECT_IPV6 = {
    "no-route": "icmp6-no-route",
    "adm-prohibited": "icmp6-adm-prohibited",
    "addr-unreach": "icmp6-addr-unreachable",
    "port-unreach": "icmp6-port-unreachable",
    "tcp-rst": "tcp-reset",
    "policy-fail": "icmp6-policy-fail",
    "reject-route": "icmp6-reject-route",
}
TCP_RESET = "tcp-reset"


def _table(text: str) -> dict[str, IcmpType]:
    found = {}
    for entry in text.split():
        name, _, numbers = entry.partition(":")
        kind, slash, code = numbers.partition("/")
        found[name] = IcmpType(int(kind), int(code) if slash else None)
    return found


_TYPES = {Family.IPV4: {"any": IcmpType(None), **_table(_ICMP)}, Family.IPV6: _table(_ICMPV6)}


def read_icmp_type(text: str, family: Family) -> IcmpType:
    """A type by name (or an unambiguous prefix of it), by number or as ``type/code``; ICMP's 255 is any type."""
    names = _TYPES[family]
    if is_number(text[:1]):
        kind_text, slash, code_text = text.partition("/")
        kind = read_number(kind_text, 255)
        code = read_number(code_text, 255) if slash else None
        return IcmpType(None) if family is Family.IPV4 and kind == 255 else IcmpType(kind, code)
    lowered = text.lower()
    found = {names[name] for name in ([lowered] if lowered in names else [n for n in names if n.startswith(lowered)])}
    if len(found) == 1:
        return found.pop()
    label = "ICMP" if family is Family.IPV4 else "ICMPv6"
    raise ExpectedError(f"an {label} type: a name, a number or type/code", _icmp_reason(text, family, label))


def _icmp_reason(text: str, family: Family, label: str) -> str:
    other = Family.IPV6 if family is Family.IPV4 else Family.IPV4
    if text.lower() in _TYPES[other]:
        return f'"{text}" is not an {label} type, only the other family has it'
    return f'"{text}" is not an {label} type{did_you_mean(text, _TYPES[family])}'


def read_reject(text: str, family: Family) -> str:
    """REJECT's answer, by its full name or iptables' alias, in the spelling of iptables-save."""
    own, other = (_REJECT_IPV4, _REJECT_IPV6) if family is Family.IPV4 else (_REJECT_IPV6, _REJECT_IPV4)
    lowered = text.lower()
    spelled = {**own, **{name: name for name in own.values()}}
    if lowered in spelled:
        return spelled[lowered]
    near = [name for name in spelled if name.startswith(lowered)]
    if len({spelled[name] for name in near}) == 1 and lowered:
        return spelled[near[0]]
    wrong = lowered in other or lowered in other.values()
    why = f"is not for {family.label}" if wrong else f"is not a reject type{did_you_mean(text, own.values())}"
    raise ExpectedError(f"one of {', '.join(own.values())}", f'"{text}" {why}')


def default_reject(family: Family) -> str:
    """REJECT's answer if the rule does not specify one."""
    return "icmp-port-unreachable" if family is Family.IPV4 else "icmp6-port-unreachable"


def type_name(kind: int, code: int | None, family: Family) -> str:
    """The first name of a type, or of one of its codes; numbers if there is none."""
    names = {value: name for name, value in reversed(_TYPES[family].items()) if value.type is not None}
    whole = names.get(IcmpType(kind), str(kind))
    return whole if code is None else names.get(IcmpType(kind, code), f"{whole}/{code}")

"""Shared by the policies on rulesets: cached analyses, sets of packets, messages about doubts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

from pulumi_policy import Policy

from policies.base import KEPT, RULESET, Check, Props, resource_policy
from policies.settings import PolicySettings, Setting, texts
from rules.analysis.outside import outside
from rules.analysis.reach import sources_of
from rules.analysis.reachability import Analysis, PacketSet, TooIntricateError, analyse
from rules.language.parse import parse
from rules.packets.packet import Field, interface, state_number, states, tops
from rules.values.family import Family
from rules.values.intervals import Intervals, complement, normal, numbers
from rules.values.protocols import TCP

WAIVED_MATCHES = texts(
    "waivedMatches",
    "Matches that Stockade does not understand and that you have checked yourself, as iptables-save prints them.",
)
JUDGES: dict[str, tuple[Check, PolicySettings]] = {}
"""The policies on rulesets in this run, with their settings, for rulesets that are seen only on a host."""
RulesCheck = Callable[[Analysis, PolicySettings], Iterable[str]]


def ruleset_policy(
    name: str,
    description: str,
    check: RulesCheck,
    *settings: Setting,
    families: Sequence[Family] = tuple(Family),
    on_host: Callable[[PolicySettings, str], PolicySettings] = lambda settings, host: settings,
    advisory: bool = False,
) -> Policy:
    """A policy on every ruleset of these families. Equal rulesets are checked once, however many hosts have them.

    ``on_host``: the settings for a host, if they differ between hosts.
    """

    @lru_cache(maxsize=256)
    def judged(text: str, family: Family, _settings: str) -> tuple[str, ...]:
        try:
            return tuple(check(analysed(text, family), chosen[_settings]))
        except TooIntricateError as error:
            return (f"cannot tell: {error}. Let fewer rules name several fields at once, or put them into ipsets.",)

    chosen: dict[str, PolicySettings] = {}

    def validate(props: Props, given: PolicySettings) -> Iterable[str]:
        family = Family(props["family"])
        if family not in families:
            return ()
        if not advisory:
            JUDGES[name] = (validate, given)
        mine = on_host(given, props["host"])
        chosen[repr(mine)] = mine
        return judged(props["rules"], family, repr(mine))

    def take(given: PolicySettings) -> None:
        JUDGES[name] = (validate, given)

    looked_at = None if advisory else (KEPT, take)
    return resource_policy(name, description, RULESET, validate, *settings, advisory=advisory, looked_at=looked_at)


@lru_cache(maxsize=64)
def analysed(text: str, family: Family) -> Analysis:
    """The analysis of a ruleset's text. Raises what `rules.language.parse` raises."""
    return analyse(parse(text, family))


def packets(analysis: Analysis, fields: Mapping[Field, Intervals]) -> PacketSet:
    """The packets with these values of fields, and any values of the others."""
    box = {int(field): intervals for field, intervals in sorted(fields.items())}
    return PacketSet(analysis.family, analysis.store, analysis.store.box(box, analysis.store.all, analysis.store.none))


def from_outside(analysis: Analysis, chain: str = "INPUT") -> PacketSet:
    """The unsolicited first packets that others can send."""
    return PacketSet(analysis.family, analysis.store, outside(analysis.compiler, chain, analysis.ruleset))


def not_loopback(analysis: Analysis, field: Field) -> Intervals:
    """All interfaces but lo."""
    return complement(normal([interface("lo"), interface("")]), tops(analysis.family)[field])


def arriving(analysis: Analysis, state: str, fields: Mapping[Field, Intervals], *, reply: bool = False) -> PacketSet:
    """Unfragmented packets of one state that arrive on an interface other than lo."""
    own = {
        Field.IN: not_loopback(analysis, Field.IN),
        Field.OUT: (interface(""),),
        Field.STATE: numbers([state_number(state, reply=reply)]),
        Field.FRAGMENT: ((0, 0),),
    }
    return packets(analysis, {**own, **fields})


def answers(analysis: Analysis) -> PacketSet:
    """Packets on TCP connections that others opened, leaving by an interface other than lo."""
    fields: dict[Field, Intervals] = {
        Field.PROTOCOL: ((TCP, TCP),),
        Field.IN: (interface(""),),
        Field.OUT: not_loopback(analysis, Field.OUT),
        Field.STATE: numbers([state_number("ESTABLISHED", reply=True)]),
        Field.FRAGMENT: ((0, 0),),
    }
    return packets(analysis, fields)


def sends(analysis: Analysis) -> bool:
    """Whether OUTPUT lets anything out to others: a family that is rejected completely needs no replies."""
    chain = analysis.table.chain("OUTPUT")
    if chain is None:
        return True
    new = numbers(number for number in states(("NEW",)))
    asked = packets(analysis, {Field.OUT: not_loopback(analysis, Field.OUT), Field.STATE: new})
    return bool(analysis.accepted("OUTPUT").upper & asked)


def sources(found: PacketSet) -> Intervals:
    """The sources that have any packet in a set."""
    store = found.store
    some = store.map(found.node, lambda node: store.leaf(node != store.none), store.start[Field.SOURCE + 1])
    kinds = {
        below
        for _, _, services in store.spans(some, Field.PROTOCOL)
        for _, _, below in store.spans(services, Field.SERVICE)
    }
    return sources_of(store, store.union(sorted(kinds)))


def doubts(analysis: Analysis, settings: PolicySettings) -> tuple[str, ...]:
    """The unknown matches that are not waived, each with its rule."""
    waived = settings.texts(WAIVED_MATCHES.name)
    return tuple(str(unknown) for unknown in analysis.unknown_matches() if unknown.text not in waived)


def in_doubt(question: str, analysis: Analysis, settings: PolicySettings) -> Iterable[str]:
    """Report that something cannot be determined and how to fix that; nothing if all doubts are waived."""
    found = doubts(analysis, settings)
    if found:
        texts_ = ", ".join(f'"{text.partition(": ")[2]}"' for text in found)
        yield (
            f"cannot tell {question}: it depends on {'; '.join(found)}. Write the rule with matches that Stockade "
            f"knows, or check it yourself and add {texts_.replace(', ', ' and ')} to waivedMatches."
        )

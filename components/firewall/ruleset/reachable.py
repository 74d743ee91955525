"""What a host exposes through all of its tables, and the path of a packet through them. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from components.firewall.ruleset.settings import EXPLAINED
from rules.analysis.reachability import Analysis
from rules.language.parse import parse_saved
from rules.model import Ruleset as Rules
from rules.path.answers import PathAnswers
from rules.path.described import Described, followed, trace_lines
from rules.path.layers import Layer, layers
from rules.path.network import HostNetwork, read_network
from rules.path.nftables.listing import read_listing
from rules.path.sets import Members, read_sets
from rules.path.trace import Tracer
from rules.values.family import Family


def beyond(own: Rules, found: Rules, sections: Mapping[str, str], family: Family) -> tuple[str, ...]:
    """What all rules found on a host expose beyond our own, one line each. Raises `TooIntricateError`."""
    answers = PathAnswers(family, layers(found), network_of(sections, family))
    ours = Analysis(own.only([*{"filter", *(table.name for table in own.tables)}]), compiler=answers.compiler)
    return tuple(map(str, answers.lines(ours)))


def reachable(sections: Mapping[str, str], family: Family) -> tuple[str, ...]:
    """What a host exposes, one line each, whoever wrote the rules."""
    if sum(1 for _ in parse_saved(sections["saved"], family).rules()) > EXPLAINED:
        return (f"not worked out for more than {EXPLAINED} rules",)
    tables, sets, doubts = filtering(sections, family)
    answers = PathAnswers(family, tables, network_of(sections, family), sets)
    lines = map(str, (*answers.lines(), *answers.forwarded()))
    return (*lines, *(f"possibly less than that: {doubt} may deny more" for doubt in doubts))


def filtering(sections: Mapping[str, str], family: Family) -> tuple[tuple[Layer, ...], dict[str, Members], list[str]]:
    """All tables that packets traverse on a host, the sets they refer to, and a description of what cannot be
    followed."""
    found = layers(parse_saved(sections["saved"], family))
    other = layers(parse_saved(sections.get("other", ""), family), "other ")
    sets = read_sets(sections.get("ipset", ""))
    if not sections.get("nft", "").strip():
        return (*found, *other), sets, []
    listing = read_listing(sections["nft"], family)
    return (*found, *other, *listing.layers), {**sets, **listing.sets}, list(listing.doubts)


def way(sections: Mapping[str, str], asked: Described) -> tuple[str, ...]:
    """The path of one packet through a host's tables, in lines."""
    family = asked.packet.family
    tables, sets, _ = filtering(sections, family)
    return tuple(trace_lines(followed(Tracer(family, tables, network_of(sections, family), sets), asked), family))


def network_of(sections: Mapping[str, str], family: Family) -> HostNetwork:
    """The host's addresses and routes."""
    parts = (sections.get(name, "") for name in ("addresses", "routes", "forwards"))
    return read_network(family, *parts)

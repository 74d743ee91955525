"""Input about a host's firewall: iptables dumps, an nftables listing, sets, addresses and routes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from policies.firewall.rule_text import read
from rules.model import Ruleset
from rules.path.layers import Layer, layers
from rules.path.network import HostNetwork, read_network
from rules.path.nftables.listing import read_listing
from rules.path.sets import Members, read_sets
from rules.values.family import Family

_LISTING = re.compile(r'\s*\{\s*"nftables"\s*:')
_JSON_ADDRESSES = re.compile(r'\s*\[.*"addr_info"', re.DOTALL)
_JSON_ROUTES = re.compile(r'\s*\[.*"dst"', re.DOTALL)
_PLAIN_ADDRESSES = re.compile(r"^\d+:\s+\S+.*(?:mtu|\sinet6?\s)", re.MULTILINE)
_PLAIN_ROUTES = re.compile(r"\s*(?:default|[0-9a-f.:]+(?:/\d+)?) (?:via|dev) ")
_SETS = re.compile(r"\s*create \S+ \S+:")


@dataclass
class Given:
    """``rulesets``: the first one of each family is explained; the others are further filters.

    ``doubts``: other firewalls that cannot be analysed, in words.
    """

    rulesets: dict[Family, list[Ruleset]] = field(default_factory=dict)
    listings: list[str] = field(default_factory=list)
    sets: dict[str, Members] = field(default_factory=dict)
    addresses: str = ""
    routes: dict[Family, str] = field(default_factory=dict)
    forwards: dict[Family, str] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)

    def add(self, text: str, family: Family | None = None) -> None:
        """Detect what a text is and add it. Raises :class:`ValueError` if it is none of these."""
        if _LISTING.match(text):
            read_listing(text, Family.IPV4)
            self.listings.append(text)
        elif _JSON_ADDRESSES.match(text) or _PLAIN_ADDRESSES.search(text):
            self.addresses = text
        elif _JSON_ROUTES.match(text) or _PLAIN_ROUTES.match(text):
            self.routes[_family_of_routes(text)] = text
        elif _SETS.match(text):
            self.sets |= read_sets(text)
        else:
            for ruleset in read(text, family):
                self.rulesets.setdefault(ruleset.family, []).append(ruleset)

    def families(self) -> list[Family]:
        """The families for which any filter is known."""
        found = [one for one in Family if one in self.rulesets]
        return found or (list(Family) if self.listings else [])

    def ruleset(self, family: Family) -> Ruleset:
        """The rules of a family to explain."""
        return self.rulesets.get(family, [Ruleset(family)])[0]

    def network(self, family: Family) -> HostNetwork | None:
        """The host's addresses and routes, if given."""
        if not self.addresses:
            return None
        return read_network(family, self.addresses, self.routes.get(family, ""), self.forwards.get(family, ""))

    def beside(self, family: Family) -> tuple[tuple[Layer, ...], dict[str, Members], list[str]]:
        """All tables that packets of a family traverse, the sets they refer to, and what is not followed."""
        found: list[Layer] = []
        sets, doubts = dict(self.sets), list(self.doubts)
        for number, ruleset in enumerate(self.rulesets.get(family, ())):
            found += layers(ruleset, "" if number == 0 else "other " if number == 1 else f"other {number} ")
        for text in self.listings:
            listing = read_listing(text, family, beside=family in self.rulesets)
            found += listing.layers
            sets |= listing.sets
            doubts += listing.doubts
        return tuple(found), sets, doubts


def taken(texts: Iterable[str], family: Family | None = None) -> Given:
    """Everything in several texts."""
    given = Given()
    for text in texts:
        given.add(text, family)
    return given


def _family_of_routes(text: str) -> Family:
    """A default route does not show its family, but its gateway does."""
    words = re.findall(r"[0-9a-fA-F]*:[0-9a-fA-F:]+", re.sub(r'"\w+"\s*:', " ", text))
    return Family.IPV6 if any(word.count(":") > 1 for word in words) else Family.IPV4

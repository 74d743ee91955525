"""Whether a rule matches one packet on its path: yes, no, or unknown."""

from __future__ import annotations

from collections.abc import Mapping

from rules.model import Match, Option, Rule
from rules.packets.packet import Field, interface
from rules.packets.predicates import Box, is_rate, match_boxes
from rules.path.carried import Carried
from rules.path.ends import ENDS
from rules.path.network import LOCAL, HostNetwork
from rules.path.sets import Members
from rules.values.family import Family
from rules.values.intervals import common, complement, contains, masked
from rules.values.typed import HostAddress, KeywordList, Masked, Pair, Range

# Values of `--ctstatus` that a connection has only from its second packet on.
_LATER = frozenset(("SEEN_REPLY", "ASSURED", "CONFIRMED"))


class Conditions:
    """Tests packets with what is known of the host."""

    def __init__(self, family: Family, network: HostNetwork, sets: Mapping[str, Members]) -> None:
        self._family = family
        self._network = network
        self._sets = sets
        self._boxes: dict[Match, tuple[list[Box], bool]] = {}

    def fits(self, rule: Rule, packet: Carried) -> bool | None:
        """Whether a rule matches; None if that is unknown, or depends on the time."""
        answer: bool | None = True
        for match in rule.matches:
            found = self._match(match, packet)
            if found is False:
                return False
            answer = answer if found else None
        return answer

    def _match(self, match: Match, packet: Carried) -> bool | None:
        if match.name == "comment":
            return True
        if match.opaque or is_rate(match):
            return None
        if match.name == "conntrack":
            return self._conntrack(match, packet)
        if match.name == "mark":
            return _mark(match, packet.mark)
        if match.name == "connmark":
            return packet.tracked and _mark(match, packet.kept)
        if match.name == "set":
            return self._set(match, packet)
        if match.name == "helper" and packet.first:
            return match.negated  # only expected connections have one
        if match.name == "addrtype" and self._family is Family.IPV6:
            return self._address_type(match, packet)
        boxes, complete = self._read(match)
        found = _boxes(boxes, packet)
        return found if complete or found is False else None

    def _read(self, match: Match) -> tuple[list[Box], bool]:
        found = self._boxes.get(match)
        if found is None:
            found = self._boxes[match] = match_boxes(match, self._family)
        return found

    def _conntrack(self, match: Match, packet: Carried) -> bool | None:
        boxes, _ = self._read(match)
        answer = _boxes(boxes, packet)
        if answer is False or not packet.tracked:
            return answer
        for option in match.options:
            if option.name in ("ctstate", "ctdir"):
                continue
            found = _of_connection(option, packet)
            if found is not None and option.negated:
                found = not found
            if found is False:
                return False
            answer = answer if found else None
        return answer

    def _set(self, match: Match, packet: Carried) -> bool | None:
        asked = match.option("match-set")
        if asked is None or not isinstance(asked.value, Pair) or len(match.options) > 1:
            return None
        members = self._sets.get(asked.value.first)
        found = members.holds(asked.value.second, packet.point, self._family) if members is not None else None
        return found if found is None or not asked.negated else not found

    def _address_type(self, match: Match, packet: Carried) -> bool | None:
        """In IPv6, an address has several types at once; only whether it is the host's own is known."""
        answer: bool | None = True
        for option in match.options:
            field = {"src-type": Field.SOURCE, "dst-type": Field.DESTINATION}.get(option.name)
            local = isinstance(option.value, KeywordList) and option.value.words == ("LOCAL",)
            if field is None or not local or not self._network.known or field in packet.open:
                answer = None
            elif (self._network.kind(packet[field]) == LOCAL) == option.negated:
                return False
        return answer


_FROM_OUTSIDE = complement((interface("lo"),), (1 << 128) - 1)


def _boxes(boxes: list[Box], packet: Carried) -> bool | None:
    """Whether a packet is in any of the boxes.

    Its input interface may be unknown, but is never lo.
    """
    answer: bool | None = False
    for box in boxes:
        fits: bool | None = True
        for field, intervals in box.items():
            if field not in packet.open:
                found: bool | None = contains(intervals, packet.point[field])
            elif field == Field.IN:
                here = common(intervals, _FROM_OUTSIDE)
                found = None if here else False
                found = True if here == _FROM_OUTSIDE else found
            else:
                found = None
            if found is False:
                fits = False
                break
            fits = fits if found else None
        if fits:
            return True
        answer = answer if fits is False else None
    return answer


def _mark(match: Match, mark: int) -> bool | None:
    option = match.option("mark")
    if option is None or not isinstance(option.value, Masked):
        return None
    return (mark & option.value.mask == option.value.value) != option.negated


def _of_connection(option: Option, packet: Carried) -> bool | None:
    """What an option of conntrack, without its negation, yields for a first packet."""
    value = option.value
    if not packet.first:
        return None
    if option.name == "ctproto":
        return packet[Field.PROTOCOL] == value
    if option.name == "ctstatus" and isinstance(value, KeywordList):
        return False if set(value.words) <= {*_LATER, "NONE", "EXPECTED"} else None
    if option.name not in ENDS:
        return None
    field, before = ENDS[option.name]
    if field in packet.open and not before:
        return None
    found = (packet.came if before else packet.point)[field]
    if isinstance(value, HostAddress):
        network = value.network
        pieces = masked(network.address, network.mask, network.family.bits, 4096)
        return None if pieces is None else contains(pieces, found)
    if isinstance(value, Range) and (packet.has_ports or option.name == "ctorigdstport"):
        return found in value
    return None

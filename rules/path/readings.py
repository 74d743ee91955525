"""What matches mean for first packets if more is known than the table tells: marks, sets, a connection's endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

from rules.model import Match, Option
from rules.packets.packet import Field, tops, tracked
from rules.packets.predicates import Box, match_boxes
from rules.path.ends import ENDS
from rules.path.marks import Marks
from rules.path.network import LOCAL
from rules.path.sets import Members
from rules.values.family import Family
from rules.values.intervals import Intervals, common, complement, contains, masked, numbers
from rules.values.typed import HostAddress, KeywordList, Masked, Pair, Range

MARK = len(Field)
"""The field after those of packets: the index of the packet's mark."""

_TRACKED = numbers(number for number in range(40) if tracked(number))
_MANGLED = ("ttl", "hl", "tos", "dscp")
Reading = tuple[list[Box], bool]


class Readings:
    """Reads matches as boxes over the original packets, for :func:`rules.packets.predicates.predicate`.

    ``mangled``: whether any rule changes hop limits or TOS. ``became``: the fields that have changed by now, with their
    values; boxes then describe the original packets. ``hops``: how often the hop limit has been decremented by now.
    """

    def __init__(self, family: Family, marks: Marks, sets: Mapping[str, Members], *, mangled: bool) -> None:
        self.became: Mapping[int, int] = {}
        self.hops = 0
        self._family = family
        self._marks = marks
        self._sets = sets
        self._mangled = mangled

    def __call__(self, match: Match, family: Family) -> Reading | None:
        """The boxes of a match, and whether they describe it completely."""
        if match.name == "conntrack" and not match.opaque:
            return self._conntrack(match)
        boxes, complete = self._read(match) or match_boxes(match, family)
        return self._came(boxes), complete

    def _read(self, match: Match) -> Reading | None:
        if match.opaque:
            return None
        if match.name == "mark":
            fitting = self._marks.fitting(match)
            return None if fitting is None else ([{MARK: fitting}] if fitting else [], True)
        if match.name == "connmark":
            return self._connmark(match)
        if match.name == "helper":
            return [{}] if match.negated else [], True  # expected connections have no first packet of their own
        if match.name == "set":
            return self._set(match)
        if match.name in _MANGLED and self._mangled:
            return [{}], False
        if match.name == "addrtype" and self._family is Family.IPV6:
            return self._local(match)
        return None

    def _connmark(self, match: Match) -> Reading | None:
        option = match.option("mark")
        if self._marks.kept or option is None or not isinstance(option.value, Masked):
            return None
        fits = (option.value.value == 0) != option.negated
        return [{int(Field.STATE): _TRACKED}] if fits else [], True

    def _set(self, match: Match) -> Reading | None:
        asked = match.option("match-set")
        if asked is None or not isinstance(asked.value, Pair) or len(match.options) > 1:
            return None
        members = self._sets.get(asked.value.first)
        found = members.box(asked.value.second, self._family) if members is not None else None
        if found is None:
            return None
        field, inside = found
        inside = complement(inside, tops(self._family)[field]) if asked.negated else inside
        return [{field: inside}] if inside else [], True

    def _local(self, match: Match) -> Reading | None:
        box: Box = {}
        for option in match.options:
            field = {"src-type": Field.SOURCE_TYPE, "dst-type": Field.DESTINATION_TYPE}.get(option.name)
            if field is None or not isinstance(option.value, KeywordList) or option.value.words != ("LOCAL",):
                return None
            local: Intervals = ((LOCAL, LOCAL),)
            box[int(field)] = complement(local, tops(self._family)[field]) if option.negated else local
        return [box], True

    def _conntrack(self, match: Match) -> Reading:
        """Without a connection, only ``--ctstate`` counts."""
        found, _ = match_boxes(match, self._family)
        boxes = self._came(found)
        more = [option for option in match.options if option.name not in ("ctstate", "ctdir")]
        complete, rest = True, [{int(Field.STATE): _TRACKED}]
        for option in more:
            read = self._of_connection(option)
            if read is None:
                complete = False
            else:
                rest = [both for one, other in product(rest, read) if (both := _both(one, other)) is not None]
        if not more:
            return boxes, True
        untracked: Box = {int(Field.STATE): complement(_TRACKED, 39)}
        return [both for box in boxes for one in (untracked, *rest) if (both := _both(box, one)) is not None], complete

    def _of_connection(self, option: Option) -> list[Box] | None:
        value = option.value
        if option.name == "ctproto" and isinstance(value, int):
            return [_box(Field.PROTOCOL, ((value, value),), self._family, negated=option.negated)]
        if option.name == "ctstatus" and isinstance(value, KeywordList):
            return [{}] if option.negated else []  # a first packet has none of them
        if option.name not in ENDS:
            return None
        field, before = ENDS[option.name]
        if isinstance(value, HostAddress):
            network = value.network
            wanted = masked(network.address, network.mask, network.family.bits, 4096)
        else:
            wanted = ((value.first, value.last),) if isinstance(value, Range) else None
        if wanted is None:
            return None
        box = _box(field, wanted, self._family, negated=option.negated)
        found = [box] if before else self._came([box])
        if isinstance(value, Range) and option.name != "ctorigdstport":
            # For ICMP, these are the identifier, which the sender chooses, or the type and code.
            return None
        return found

    def _hopped(self, box: Box) -> Box:
        if Field.HOPS not in box:
            return box
        moved = ((first + self.hops, last + self.hops) for first, last in box[Field.HOPS])
        return {**box, int(Field.HOPS): common(tuple(moved), ((0, 255),))}

    def _came(self, boxes: list[Box]) -> list[Box]:
        """Boxes over current packets as boxes over original packets."""
        if self.hops:
            boxes = [self._hopped(box) for box in boxes]
        if not self.became:
            return boxes
        fitting = (
            box
            for box in boxes
            if all(contains(box[field], value) for field, value in self.became.items() if field in box)
        )
        return [{field: wanted for field, wanted in box.items() if field not in self.became} for box in fitting]


def asks_before(match: Match) -> bool:
    """Whether a match tests the destination before translation."""
    return match.name == "conntrack" and any(option.name in ("ctorigdst", "ctorigdstport") for option in match.options)


def _box(field: Field, wanted: Intervals, family: Family, *, negated: bool) -> Box:
    return {int(field): complement(wanted, tops(family)[field]) if negated else wanted}


def _both(one: Box, other: Box) -> Box | None:
    box = dict(one)
    for field, intervals in other.items():
        box[field] = common(box[field], intervals) if field in box else intervals
        if not box[field]:
            return None
    return box

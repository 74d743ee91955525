"""Whether a host can use an address family at all: whether it can open a connection to others."""

from __future__ import annotations

from functools import lru_cache

from rules.analysis.reachability import PacketSet, TooIntricateError, analyse
from rules.model import Ruleset
from rules.packets.packet import Field, interface, state_number, tops
from rules.values.intervals import Intervals, complement, normal
from rules.values.protocols import TCP


@lru_cache(maxsize=64)  # pure; most hosts of a stack have the same rules
def connects_out(ruleset: Ruleset) -> bool:
    """Whether the first packet of any TCP connection can leave, and the reply to it can come in.

    Also True if that is too expensive to compute.
    """
    if not any(_denies(ruleset, chain) for chain in ("INPUT", "OUTPUT")):
        return True
    analysis = analyse(ruleset)
    away = complement(normal([interface("lo"), interface("")]), tops(ruleset.family)[Field.IN])
    none = (interface(""),)
    ways: tuple[tuple[str, dict[Field, Intervals], int], ...] = (
        ("OUTPUT", {Field.IN: none, Field.OUT: away}, state_number("NEW")),
        ("INPUT", {Field.IN: away, Field.OUT: none}, state_number("ESTABLISHED", reply=True)),
    )
    try:
        for chain, where, state in ways:
            if analysis.table.chain(chain) is None:
                continue
            fields = {Field.PROTOCOL: ((TCP, TCP),), **where, Field.STATE: ((state, state),), Field.FRAGMENT: ((0, 0),)}
            store = analysis.store
            box = store.box(dict(sorted(fields.items())), store.all, store.none)
            if not analysis.accepted(chain).upper & PacketSet(ruleset.family, store, box):
                return False
    except TooIntricateError:
        pass
    return True


def _denies(ruleset: Ruleset, name: str) -> bool:
    """Whether a chain may deny anything; most OUTPUT chains do not and need no analysis."""
    chain = ruleset.chain("filter", name)
    return chain is not None and (bool(chain.rules) or chain.policy == "DROP")

"""Shorthands for the option tables in ``match_*.py`` and ``targets.py``."""

from __future__ import annotations

from collections.abc import Callable

from rules.model import Option
from rules.options.extensions import Kind, OptionSpec
from rules.options.kinds import FLAG
from rules.values.family import Family
from rules.values.typed import Value

IPV4, IPV6 = (Family.IPV4,), (Family.IPV6,)
U32 = 0xFFFFFFFF
# The chains in which a packet has an input interface, or an output interface (the hook masks of xt_*.c).
COMING_IN = ("PREROUTING", "INPUT", "FORWARD")
GOING_OUT = ("FORWARD", "OUTPUT", "POSTROUTING")
SENT_HERE = ("OUTPUT", "POSTROUTING")


def opt(
    name: str,
    kind: Kind = FLAG,
    *aliases: str,
    no: bool = False,
    default: Value | Callable[[Family], Value] = None,
    implied: Value | Callable[[Family], Value] = None,
) -> OptionSpec:
    """An option on one line; ``no``: it can be negated."""
    return OptionSpec(name, kind, no, aliases, _value(default), _value(implied))


def _value(given: Value | Callable[[Family], Value]) -> Callable[[Family], Value] | None:
    if given is None:
        return None
    return given if callable(given) else lambda _family: given


def spelling(name: str, kind: Kind, rewrite: Callable[[Option], Option], *aliases: str, no: bool = False) -> OptionSpec:
    """A spelling that the kernel prints as another option."""
    return OptionSpec(name, kind, no, aliases, rewrite=rewrite)

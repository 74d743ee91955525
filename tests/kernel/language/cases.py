"""A rule to compare."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """A rule, without ``-A CHAIN``, and its table and chain."""

    table: str
    chain: str
    rule: str

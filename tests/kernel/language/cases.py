"""A rule to judge."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """A rule, without ``-A CHAIN``, and where it is."""

    table: str
    chain: str
    rule: str

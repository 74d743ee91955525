"""How the fields of a packet are laid out in diagrams: as one digit or several."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layout:
    """A field: its highest value, and the number of bits below each of its digits, 0 for the last.

    In the bits below its first digit, the highest value is all ones. The first digit is as wide as necessary.
    """

    top: int
    shifts: tuple[int, ...] = (0,)


def digit_tops(field: Layout) -> tuple[int, ...]:
    """The highest value of each digit of a field."""
    above = (None, *field.shifts)
    return tuple(
        field.top >> shift if higher is None else (1 << (higher - shift)) - 1
        for higher, shift in zip(above, field.shifts, strict=False)
    )

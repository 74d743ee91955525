"""What non-terminating targets change: marks, hop limit, TOS, connection tracking."""

from __future__ import annotations

from rules.model import Target
from rules.packets.packet import Field
from rules.path.carried import Carried
from rules.values.typed import MarkChange


def changed(packet: Carried, target: Target) -> tuple[Carried, str]:
    """The packet after a rule with such a target, and what was done, in words; empty if nothing was."""
    name = target.name
    if name == "MARK":
        change = _set_mark(target)
        if change is not None:
            mark = _applied(packet.mark, change)
            return _marked(packet, mark=mark), f"marked {mark:#x}"
    if name == "CONNMARK":
        return _connmark(packet, target)
    if name == "NOTRACK" or (name == "CT" and target.option("notrack") is not None):
        return packet.untracked(), "not tracked"
    if name in ("TTL", "HL"):
        return _hops(packet, target)
    if name in ("TOS", "DSCP"):
        return _tos(packet, target)
    return packet, ""


def _marked(packet: Carried, *, mark: int | None = None, kept: int | None = None) -> Carried:
    return Carried(
        packet.point,
        packet.came,
        packet.mark if mark is None else mark,
        packet.kept if kept is None else kept,
        packet.open,
        packet.steps,
    )


def _set_mark(target: Target) -> MarkChange | None:
    option = target.option("set-xmark")
    return option.value if option is not None and isinstance(option.value, MarkChange) else None


def _applied(mark: int, change: MarkChange) -> int:
    return (mark & ~change.mask) ^ change.value


def _connmark(packet: Carried, target: Target) -> tuple[Carried, str]:
    if not packet.tracked:
        return packet, ""
    change = _set_mark(target)
    if change is not None:
        kept = _applied(packet.kept, change)
        return _marked(packet, kept=kept), f"connection marked {kept:#x}"
    masks = (target.option(name) for name in ("nfmask", "ctmask"))  # in canonical form, there are always both
    nfmask, ctmask = (int(str(one.value), 16) for one in masks if one is not None)
    if target.option("save-mark") is not None:
        kept = _applied(packet.kept, MarkChange(packet.mark & nfmask, ctmask))
        return _marked(packet, kept=kept), f"connection marked {kept:#x}"
    if target.option("restore-mark") is not None:
        mark = _applied(packet.mark, MarkChange(packet.kept & ctmask, nfmask))
        return _marked(packet, mark=mark), f"marked {mark:#x}"
    return packet, ""


def _hops(packet: Carried, target: Target) -> tuple[Carried, str]:
    now = packet[Field.HOPS]
    for option in target.options:
        if isinstance(option.value, int):
            how = option.name.rpartition("-")[2]
            new = {"set": option.value, "dec": max(now - option.value, 0), "inc": min(now + option.value, 255)}[how]
            return packet.having((Field.HOPS, new)), f"hop limit {new}"
    return packet, ""


def _tos(packet: Carried, target: Target) -> tuple[Carried, str]:
    now = packet[Field.TOS]
    for option in target.options:
        if option.name == "set-dscp":
            new = now & 3 | int(str(option.value), 16) << 2
        elif option.name == "set-tos":
            value, mask = (int(part, 16) for part in str(option.value).split("/"))
            new = now & ~mask & 255 ^ value
        else:
            continue
        return packet.having((Field.TOS, new)), f"TOS {new:#04x}"
    return packet, ""

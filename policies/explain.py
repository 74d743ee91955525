"""What a ruleset lets in: ``stockade explain [FILE ...] [--packet PACKET]``, without Pulumi or a host.

Reads the output of ``iptables-save`` or ``ip6tables-save``, or rules as people write them, from files or stdin. In text
with both families, one after the other, the comments that those programs write tell them apart. More files describe
more of the host: ``nft -j list ruleset``, ``ipset save``, ``ip -j addr``, ``ip -j route``, a second dump from the other
iptables variant.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from hosts.text.masking import printable
from hosts.text.rawtext import to_bytes, to_text
from policies.given import Given
from policies.picture import picture
from rules.analysis.reachability import Analysis, Dead, Placed, TooIntricateError, analyse
from rules.errors import ExpectedError
from rules.language.render import render_rule
from rules.path.answers import PathAnswers
from rules.path.described import followed, packet_text, read_packet, trace_lines, unknown_network
from rules.path.trace import Tracer
from rules.values.family import Family

T = TypeVar("T")
_CHAINS = ("INPUT", "FORWARD")


@dataclass
class Explained:
    """The answers about one ruleset; ``path``: about all tables, if more than a filter table is given."""

    analysis: Analysis
    path: PathAnswers | None = None
    doubts: tuple[str, ...] = ()
    """Other firewalls that cannot be analysed."""

    @property
    def family(self) -> Family:
        """The family of the ruleset."""
        return self.analysis.family

    untold: dict[str, str] = field(default_factory=dict)
    """Why there is no answer, by built-in chain that is too intricate."""

    def default_deny(self, chain: str) -> bool | str:
        """The value for JSON: true, false or "unknown"."""
        found = self._asked(chain, lambda: self._default_deny(chain))
        return "unknown" if found is None else found

    def _default_deny(self, chain: str) -> bool | None:
        if self.path is None or chain != "INPUT":
            return self.analysis.default_deny(chain)
        return self.path.default_deny()

    def exposure(self, chain: str = "INPUT") -> tuple[str, ...]:
        """The services that can be reached, or what is forwarded; empty if that cannot be determined."""
        return self._asked(chain, lambda: self._exposure(chain)) or ()

    def _exposure(self, chain: str) -> tuple[str, ...]:
        if self.path is None:
            return self.analysis.exposure(chain)
        if chain == "INPUT":
            return tuple(map(str, self.path.lines()))
        return (*self.analysis.exposure(chain), *map(str, self.path.forwarded()))

    @cached_property
    def dead(self) -> tuple[Dead, ...]:
        """The rules that never match, as far as that can be determined."""
        return self.analysis.shadowed(self.untold)

    @cached_property
    def redundant(self) -> tuple[Placed, ...]:
        """The redundant rules, as far as that can be determined."""
        return self.analysis.redundant(self.untold)

    def _asked(self, chain: str, ask: Callable[[], T]) -> T | None:
        try:
            return ask()
        except TooIntricateError as error:
            self.untold[chain] = str(error)
            return None


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Exit status: 0, or 2 if the text cannot be parsed."""
    given = parser().parse_args(arguments)
    name = ""
    try:
        found = Given()
        for name in given.files or ["-"]:
            found.add(_given(name), given.family)
        name = ""
        output = _answered(found, given)
    except (OSError, ValueError) as error:
        where = {"": "", "-": "stdin: "}.get(name, f"{name}: ")
        print(printable(f"{where}{error}"), file=sys.stderr)
        return 2
    print(output if given.json else printable(to_bytes(output).decode("utf-8", "surrogateescape")))
    return 0


def parser() -> argparse.ArgumentParser:
    """The parser for all options."""
    top = argparse.ArgumentParser(prog="stockade explain", description=(__doc__ or "").split("\n")[0])
    top.add_argument("files", nargs="*", metavar="FILE", help="what is known of the host; stdin when missing or -")
    top.add_argument(
        "--packet", action="append", default=[], metavar="PACKET", help="show the way of one: tcp A:PORT > B:PORT"
    )
    top.add_argument("--json", action="store_true", help="answer in JSON")
    top.add_argument("--svg", metavar="FILE", type=Path, help="draw sources by services into FILE")
    family = top.add_mutually_exclusive_group()
    family.add_argument("-4", "--ipv4", dest="family", action="store_const", const=Family.IPV4, help="read as IPv4")
    family.add_argument("-6", "--ipv6", dest="family", action="store_const", const=Family.IPV6, help="read as IPv6")
    return top


def _answered(found: Given, asked: argparse.Namespace) -> str:
    if asked.packet:
        return "\n\n".join(way(found, text) for text in asked.packet)
    explained = [_explained(found, family) for family in found.families()]
    if not explained:
        raise ValueError("there are no rules among what is given: add what iptables-save or ip6tables-save prints")
    if asked.svg is not None:
        asked.svg.write_text(picture([one.analysis for one in explained]))
    return as_json(explained) if asked.json else as_text(explained)


def _explained(found: Given, family: Family) -> Explained:
    layers, sets, doubts = found.beside(family)
    network = found.network(family)
    more = any(
        layer.name != "filter" and any(chain.rules or chain.policy == "DROP" for chain in layer.table.chains)
        for layer in layers
    )
    known = more or network is not None or bool(sets)
    path = PathAnswers(family, layers, network, sets) if known else None
    return Explained(analyse(found.ruleset(family)), path, tuple(doubts))


def way(found: Given, text: str) -> str:
    """The path of one packet through everything given, in lines."""
    try:
        asked = read_packet(text)
    except ExpectedError as error:
        wrong = f"{error.reason}; " if error.reason else ""
        raise ValueError(f'--packet "{text}": {wrong}expected {error.expected}') from None
    family = asked.packet.family
    network = found.network(family)
    layers, sets, doubts = found.beside(family)
    tracer = Tracer(family, layers, network, sets)
    lines = [
        packet_text(tracer.begun(asked.packet, asked.unknown), family),
        *trace_lines(followed(tracer, asked), family),
    ]
    if note := unknown_network(network):
        lines.append(f"({note})")
    if not layers:
        lines.append(f"(no {family.label} rules are given)")
    lines += [f"({doubt} may decide otherwise)" for doubt in doubts]
    return "\n".join((lines[0], *(f"  {line}" for line in lines[1:])))


def _given(name: str) -> str:
    """The text of a file or of stdin; invalid UTF-8 is preserved (`hosts/text/rawtext.py`)."""
    if name != "-":
        return to_text(Path(name).read_bytes())
    stream = getattr(sys.stdin, "buffer", None)
    return to_text(stream.read()) if stream is not None else sys.stdin.read()


def as_json(explained: Sequence[Explained]) -> str:
    """The answers in JSON: ``default_deny`` by chain and family, the rest as lists over both families."""
    return json.dumps(
        {
            "default_deny": {
                chain: {str(one.family): one.default_deny(chain) for one in explained} for chain in _CHAINS
            },
            "exposure": [line for one in explained for line in one.exposure()],
            "forwarded": [line for one in explained for line in one.exposure("FORWARD")],
            "dead_rules": [_dead(one.family, dead) for one in explained for dead in one.dead],
            "redundant_rules": [_rule(one.family, placed) for one in explained for placed in one.redundant],
            "unknown_matches": [
                {**_rule(one.family, unknown.placed), "match": unknown.text}
                for one in explained
                for unknown in one.analysis.unknown_matches()
            ],
            "not_followed": [doubt for one in explained for doubt in one.doubts],
            "not_worked_out": [
                {"family": str(one.family), "chain": chain, "reason": reason}
                for one in explained
                for chain, reason in one.untold.items()
            ],
        },
        indent=2,
    )


def _rule(family: Family, placed: Placed) -> dict[str, object]:
    place = placed.place
    return {
        "family": str(family),
        "chain": place.chain,
        "number": place.number,
        "rule": render_rule(placed.rule, family),
    }


def _dead(family: Family, dead: Dead) -> dict[str, object]:
    shadows = [_rule(family, placed) for placed in dead.shadowed_by]
    return {**_rule(family, dead.placed), "shadowed_by": shadows, "reason": dead.reason}


def as_text(explained: Sequence[Explained]) -> str:
    """The answers for people."""
    return "\n\n".join("\n".join(_lines(one)) for one in explained)


def _lines(one: Explained) -> list[str]:
    words = {True: "yes", False: "NO", "unknown": "cannot tell, because of unknown matches"}
    lines = [one.family.label]
    said = {chain: words[one.default_deny(chain)] for chain in _CHAINS}
    exposed = {chain: one.exposure(chain) for chain in _CHAINS}
    unclear = {chain: f"not worked out: {reason}" for chain, reason in one.untold.items()}
    lines += [f"  default-deny {chain}: {unclear.get(chain, said[chain])}" for chain in _CHAINS]
    lines += _section("reachable", exposed["INPUT"], unclear.get("INPUT", "nothing"))
    lines += _section("forwarded", exposed["FORWARD"], unclear.get("FORWARD", "nothing"))
    lines += _section("rules that never match", [_dead_text(one.family, dead) for dead in one.dead])
    lines += _section("redundant rules", [_rule_text(one.family, placed) for placed in one.redundant])
    if one.doubts:
        lines += _section("other firewalls, not followed", one.doubts)
    if one.untold:
        lines += _section("rules of which that is not worked out", list(one.untold.values()))
    lines += _section("unknown matches", [str(unknown) for unknown in one.analysis.unknown_matches()])
    return lines


def _section(title: str, lines: Sequence[str], none: str = "none") -> list[str]:
    return [f"  {title}: {none}"] if not lines else [f"  {title}:", *(f"    {line}" for line in lines)]


def _rule_text(family: Family, placed: Placed) -> str:
    return f"{placed.place}: {render_rule(placed.rule, family)}"


def _dead_text(family: Family, dead: Dead) -> str:
    shadows = ", ".join(str(placed.place) for placed in dead.shadowed_by)
    return f"{_rule_text(family, dead.placed)} ({f'shadowed by {shadows}' if shadows else dead.reason})"


if __name__ == "__main__":
    sys.exit(main())

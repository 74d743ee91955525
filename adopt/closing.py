"""Closes a firewall as the guide does, and opens nothing that was closed: pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any

from components.firewall.settings import FirewallSettings
from rules.analysis.doors import networks
from rules.analysis.reachability import Analysis, TooIntricateError
from rules.language.parse import parse
from rules.language.render import render
from rules.model import Ruleset
from rules.presets.guide import Service, web
from rules.values.family import Family
from rules.values.protocols import TCP, UDP

_LISTENS = re.compile(r"(tcp|udp) (\S+):(\d+)(?: (\S+)(?: \(package (\S+)\))?)?")
_OWN_ADDRESS = frozenset({68, 546})
"""Ports of DHCP clients, which the preset accepts or the kernel handles itself."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,40}")
_ONE_PORT = re.compile(r"(tcp|udp)/(\d+) from .*")
_NUMBERS = {"tcp": TCP, "udp": UDP}
_NOTHING = {str(family): {"rules": "*filter\nCOMMIT\n"} for family in Family}


class Gate(Enum):
    """What the rules of a family let in."""

    SHUT = auto()
    """What they name."""
    OPEN = auto()
    """Everything: there are none."""
    LOOSE = auto()
    """Everything but what they name."""
    UNCLEAR = auto()
    """It depends on rules that cannot be judged."""


@dataclass(frozen=True, order=True)
class Listener:
    """A port that can be reached over the network, unless the firewall denies it."""

    protocol: str
    port: int
    program: str
    families: tuple[Family, ...]

    def __str__(self) -> str:
        return f"{self.protocol} {self.port}{f' ({self.program})' if self.program else ''}"


@dataclass
class Closed:
    """The settings that close a firewall. `reasons`: why each line is there; `changed`: the families that change."""

    settings: dict[str, Any]
    reasons: list[str] = field(default_factory=list)
    changed: list[Family] = field(default_factory=list)


def listeners(lines: Sequence[str], without: Collection[str] = ()) -> list[Listener]:
    """Return what listens, of lines such as `tcp 0.0.0.0:22 sshd (package openssh-server)`.

    `without`: packages that will be removed.
    """
    found: dict[tuple[str, int, str], set[Family]] = {}
    for line in lines:
        match = _LISTENS.match(line)
        if match and int(match[3]) not in _OWN_ADDRESS and match[5] not in without:
            known = found.setdefault((match[1], int(match[3]), match[4] or ""), set())
            known |= {*Family} if match[2] == "*" else {Family.IPV6 if "[" in match[2] else Family.IPV4}
    return sorted(Listener(*key, tuple(one for one in Family if one in known)) for key, known in found.items())


def closed(
    there: Mapping[str, Any] | None, serving: Sequence[Listener], ssh: Sequence[int], forwards: Collection[Family]
) -> Closed:
    """Return the settings that deny what `there` neither names nor needs for a listener that it lets others reach.

    `there`: the settings of the rules in force; None if there are none. `ssh`: the ports of sshd, the first to be named
    first. `forwards`: families in which the host forwards packets.
    """
    current = _Current(FirewallSettings.model_validate(there or _NOTHING), serving, [*ssh], forwards)
    out = Closed(dict(there or _NOTHING))
    for family in Family:
        current.close(family, out)
    if out.changed and not any(_typed(there or _NOTHING, family) for family in Family):
        if opened := [family for family in Family if str(family) not in out.settings]:
            out.settings = {**current.preset(opened[0]), **out.settings}
        for family in opened:
            current.keep_forwarding(family, out)
    return out


class _Current:
    """The rules in force, what listens, and how each family is closed."""

    def __init__(
        self, settings: FirewallSettings, serving: Sequence[Listener], ssh: list[int], forwards: Collection[Family]
    ) -> None:
        self.rules = {family: parse(settings.ruleset(family), family) for family in Family}
        self.judged = {family: Analysis(rules) for family, rules in self.rules.items()}
        self.gates = {family: self._gate(family) for family in Family}
        self.serving, self.ssh, self.forwards = serving, ssh, forwards

    def _gate(self, family: Family) -> Gate:
        rules = self.rules[family]
        if not any(chain.rules or chain.policy == "DROP" for table in rules.tables for chain in table.chains):
            return Gate.OPEN
        try:
            denies = self.judged[family].default_deny()
        except TooIntricateError:
            denies = None
        return {True: Gate.SHUT, False: Gate.LOOSE, None: Gate.UNCLEAR}[denies]

    def close(self, family: Family, out: Closed) -> None:
        gate = self.gates[family]
        if gate is Gate.UNCLEAR:
            out.reasons.append(f"TODO: {family}: whether its rules deny everything else cannot be decided: look")
            self._end_forwarding(family, out)
        elif gate is Gate.OPEN:
            out.settings.pop(str(family), None)
            out.changed.append(family)
            out.reasons += [reason for reason in [self._opened(family)] if reason not in out.reasons]
        elif gate is Gate.LOOSE:
            self._shut(family, out)
        else:
            self._end_forwarding(family, out)

    def _opened(self, family: Family) -> str:
        other = self._shut_other(family)
        if other is None:
            until = "until now everything could be reached; from now on, what listens today and nothing else"
            return until if self.gates[_other(family)] is Gate.OPEN else f"{family}: {until}"
        allowed = f"from now on, what {other} lets anyone reach"
        shut = [str(one) for one in self._listening(family) if not self._for_anyone(one, other)]
        closing = f": no longer {', '.join(shut)}" if shut else ""
        return f"{family}: until now everything could be reached; {allowed}{closing}"

    def _shut(self, family: Family, out: Closed) -> None:
        """Let the rules stay, and end with the guide's: whatever they say of a packet still holds."""
        settings = self.preset(family)
        services = tuple(Service(**{**one, "ports": tuple(one["ports"])}) for one in settings.get("services", ()))
        guides = web(family, http=settings["preset"] == "web", ssh_port=settings.get("sshPort", 22), extra=services)
        rules = _joined(self.rules[family], guides, forward=self._may_end_forwarding(family))
        if not self._denies(rules, "INPUT"):
            out.reasons.append(
                f"TODO: {family}: a rule accepts more than a service: name what is needed, and deny the rest"
            )
            self._end_forwarding(family, out)
            return
        out.settings[str(family)] = {"rules": render(rules)}
        out.changed.append(family)
        out.reasons.append(
            f"{family}: until now what no rule denied could be reached; the rules stay, and what listens today and "
            "nothing else is added"
        )
        self._say_forwarding(family, out, rules)

    def _end_forwarding(self, family: Family, out: Closed) -> None:
        """Deny forwarding, if nothing is forwarded anyway."""
        if self._denies(self.rules[family], "FORWARD") or not self._may_end_forwarding(family):
            self._say_forwarding(family, out, self.rules[family])
            return
        guides = web(family)
        rules = _joined(self.rules[family], guides, only_forward=True)
        out.settings[str(family)] = {"rules": render(rules)}
        out.changed.append(family)
        out.reasons.append(f"{family}: the host forwards nothing, so nothing is to be forwarded")

    def _may_end_forwarding(self, family: Family) -> bool:
        chain = self.rules[family].chain("filter", "FORWARD")
        return family not in self.forwards and not (chain and chain.rules)

    def _say_forwarding(self, family: Family, out: Closed, rules: Ruleset) -> None:
        if not self._denies(rules, "FORWARD"):
            out.reasons.append(f"TODO: {family}: FORWARD lets everything through: accept what is needed, deny the rest")

    def keep_forwarding(self, family: Family, out: Closed) -> None:
        """Let a router without rules route as before, which the preset would end."""
        if family in self.forwards:
            out.settings[str(family)] = {"commands": ["-I FORWARD -j ACCEPT"]}
            out.reasons.append(f"TODO: {family}: the host forwards packets, all of them: accept what is needed instead")

    @staticmethod
    def _denies(rules: Ruleset, chain: str) -> bool:
        try:
            return Analysis(rules).default_deny(chain) is not False
        except TooIntricateError:
            return True

    def preset(self, family: Family) -> dict[str, Any]:
        """Return the guide's preset with a service for each listener that a family may go on to offer."""
        other = self._shut_other(family)
        families = [one for one in Family if self.gates[one] is self.gates[family]]
        offered = [
            one
            for one in self.serving
            if {*one.families} & {*families} and (other is None or self._for_anyone(one, other))
        ]
        tcp = {one.port for one in offered if one.protocol == "tcp"}
        return dict(self._preset(offered, family, tcp))

    def _preset(self, offered: Sequence[Listener], family: Family, tcp: Collection[int]) -> Iterator[tuple[str, Any]]:
        has_web = {80, 443} <= {*tcp}
        ssh = self.ssh[0] if self.ssh else 22
        yield "preset", "web" if has_web else "ssh"
        if ssh != 22:
            yield "sshPort", ssh
        if sources := self._ssh_sources(family, ssh):
            yield "sshSources", sources
        taken = {("tcp", port) for port in (ssh, *((80, 443) if has_web else ()))}
        services = []
        for one in offered:
            if (one.protocol, one.port) in taken:
                continue
            taken.add((one.protocol, one.port))
            named = {"name": one.program} if _NAME.fullmatch(one.program) else {}
            services.append({**named, "ports": [one.port], **({} if one.protocol == "tcp" else {"protocol": "udp"})})
        if services:
            yield "services", services

    def _ssh_sources(self, family: Family, port: int) -> list[str]:
        """Return who may connect to sshd, if the other family restricts that."""
        other = self._shut_other(family)
        if other is None:
            return []
        found = networks(self.judged[other].sources(TCP, port), other)
        return [] if found == ["-"] else found

    def _shut_other(self, family: Family) -> Family | None:
        other = _other(family)
        return other if self.gates[other] is Gate.SHUT else None

    def _listening(self, family: Family) -> list[Listener]:
        return [one for one in self.serving if family in one.families]

    def _for_anyone(self, one: Listener, family: Family) -> bool:
        return networks(self.judged[family].sources(_NUMBERS[one.protocol], one.port), family) == ["-"]


def unlike_listeners(settings: Mapping[str, Any], serving: Sequence[Listener]) -> list[str]:
    """Return what is open although nobody listens there, and what listens although nobody can reach it."""
    made = FirewallSettings.model_validate(settings)
    try:
        judged = {family: Analysis(parse(made.ruleset(family), family)) for family in Family}
        return [*_idle(judged, serving), *_unreachable(judged, serving)]
    except TooIntricateError:
        return []


def _idle(judged: Mapping[Family, Analysis], serving: Sequence[Listener]) -> Iterator[str]:
    listening = {(one.protocol, one.port) for one in serving}
    named = (match for one in judged.values() for line in one.exposure() if (match := _ONE_PORT.fullmatch(line)))
    idle = {(match[1], int(match[2])) for match in named} - listening
    for protocol, port in sorted(idle):
        if port not in _OWN_ADDRESS:
            yield f"{protocol} {port} is open, and nobody listens there: remove it if it is not needed"


def _unreachable(judged: Mapping[Family, Analysis], serving: Sequence[Listener]) -> Iterator[str]:
    for one in serving:
        if not any(judged[family].sources(_NUMBERS[one.protocol], one.port) for family in one.families):
            yield f"{one} listens, and nobody can reach it: end it, or let it listen on the loopback alone"


def _joined(rules: Ruleset, guides: Ruleset, *, forward: bool = True, only_forward: bool = False) -> Ruleset:
    """Return rules followed by the guide's, chain by chain."""
    table = rules.table("filter")
    if table is None:
        return rules.with_table(guides.tables[0])
    for chain in guides.tables[0].chains:
        if (chain.name == "FORWARD" and not forward) or (only_forward and chain.name != "FORWARD"):
            continue
        there = table.chain(chain.name)
        table = table.with_chain(replace(there, rules=(*there.rules, *chain.rules)) if there else chain)
    return rules.with_table(table)


def _typed(settings: Mapping[str, Any], family: Family) -> bool:
    return str(family) not in settings


def _other(family: Family) -> Family:
    return Family.IPV6 if family is Family.IPV4 else Family.IPV4

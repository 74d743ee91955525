"""Inputs and facts of a ruleset, and what is derived from them. Pure."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import Field, field_validator, model_validator

from components.core.chapter import ChapterInputs, Model, worked_out
from components.firewall.controllers.others import checked, exposure_notes, in_the_way
from hosts.guard.guarded import LIMIT
from hosts.system.files import FileState
from rules.analysis.reachability import TooIntricateError, exposure
from rules.errors import RuleSyntaxError
from rules.language.naming import resolve
from rules.language.parse import parse, parse_saved
from rules.language.render import render
from rules.language.sets import read, write
from rules.model import Ruleset as Rules
from rules.plan.foreign import DEFAULT_PRESERVE, own_rules
from rules.values.family import Family

BOOT_HEADER = "# Written by Stockade: edit the stack config instead, changes here are overwritten.\n"
EXPLAINED = 10_000
"""Maximum number of rules for which the exposure is computed; that takes seconds at this size."""


class RulesetInputs(ChapterInputs):
    """Inputs of `Ruleset`.

    `family`: `ipv4` or `ipv6`. `rules`: the ruleset, in any spelling that `rules.language.parse` accepts; stored in
    canonical form. `exposure`: who can reach what through these rules, line by line; computed, a given value is
    ignored. `persistent`: load the rules at boot. `take_over`: stop other firewalls: ufw, firewalld, nftables.service,
    nftables tables, the rules of the other iptables; delete restores them. `beside`: nftables tables (`inet blocklist`,
    or a pattern) and `iptables-legacy` or `iptables-nft` that stay in force beside the rules. `preserve`: interfaces
    (`docker0`, `br-*`) whose FORWARD, nat and mangle rules other programs manage. Default: those of Docker, libvirt,
    Kubernetes and LXC. `confirm_within`: seconds after which the host rolls back a change that nobody confirmed.
    `accept_lockout`: try rules that would let nobody log in; they are rolled back unless somebody does. `ssh_ports`:
    more ports on which sshd may listen, besides those of the logins. If the rules cannot be loaded at boot, the host is
    closed except for what they accept on all these ports. `sets`: the sets that the rules match, as
    `rules.language.sets` writes them.
    """

    family: Family
    rules: str
    exposure: str = worked_out("")
    persistent: bool = True
    take_over: bool = False
    beside: tuple[str, ...] = ()
    preserve: tuple[str, ...] | None = None
    confirm_within: int = Field(LIMIT, ge=5, le=600)
    accept_lockout: bool = False
    ssh_ports: tuple[int, ...] = ()
    sets: str = ""

    @model_validator(mode="before")
    @classmethod
    def _canonical(cls, values: Any) -> Any:
        """Normalize all spellings of a ruleset to one text. Raises what `rules.language.parse` raises."""
        if isinstance(values, dict) and values.get("family") in set(Family) and isinstance(values.get("rules"), str):
            beside = tuple(values.get("beside") or ())
            return {**values, **_normal(values["rules"], Family(values["family"]), beside)}
        return values

    @field_validator("beside")
    @classmethod
    def _nameable(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        return checked(patterns)

    @field_validator("sets")
    @classmethod
    def _canonical_sets(cls, text: str) -> str:
        return write(read(text))

    @property
    def declared(self) -> Rules:
        """The rules as data. What a host showed is not held to the form in which people declare them."""
        try:
            return parse(self.rules, self.family)
        except RuleSyntaxError:
            return parse_saved(self.rules, self.family)

    @property
    def preserved(self) -> tuple[str, ...]:
        """The interfaces whose rules belong to others."""
        return DEFAULT_PRESERVE if self.preserve is None else self.preserve

    def boot_text(self, wanted: Rules) -> str:
        """Return the boot file's content: only our rules, with addresses for names, because at boot there is no DNS
        yet."""
        return BOOT_HEADER + render(wanted) if self.persistent else ""


class RulesetFacts(Model):
    """What was observed on the host.

    `saved`: the built-in chains of all tables and the declared chains, as iptables-save prints them, without counters.
    Jumps to others' chains are included, because they count in rule numbers. `boot`: the file loaded at boot.
    `boot_unit`: the state of the unit that loads it (`enabled`). `look`: whether the rules are checked at boot.
    `closed`: why the host was closed at boot. `controller`: other firewalls, line by line (controllers/find.sh).
    `other`: the rules of iptables-legacy where iptables is nf_tables, or the reverse. `cause`: what is known about what
    removed Stockade's rules. `addresses`: addresses of the names in the rules. `client`: the address that the observing
    run connected from. `port`: the TCP port that the observing run connected to. `sets`: the declared sets, as
    `rules.language.sets.printed` returns them. `published`: what rules of others (Docker's) expose in addition, line by
    line, with those rules.
    """

    saved: str = ""
    published: tuple[str, ...] = ()
    boot: FileState = FileState("", False)
    boot_unit: str = ""
    look: bool = False
    closed: str = ""
    sets: str = ""
    controller: str = ""
    other: str = ""
    cause: str = ""
    addresses: dict[str, tuple[str, ...]] = {}
    client: str = ""
    port: int = 0


def own_part(inputs: RulesetInputs, seen: RulesetFacts) -> Rules:
    """Return the part of the observed rules that is ours."""
    return own_rules(parse_saved(seen.saved, inputs.family), inputs.declared, inputs.preserved)


def resolved(inputs: RulesetInputs, seen: RulesetFacts) -> Rules:
    """Return the declared rules with addresses for names. Raises ValueError if one was not looked up."""
    return resolve(inputs.declared, seen.addresses)


def addressed(inputs: RulesetInputs, seen: RulesetFacts) -> Rules:
    """Return the rules with addresses for names, or as declared if these were not looked up yet."""
    try:
        return resolved(inputs, seen)
    except ValueError:
        return inputs.declared


def obstacles_of(inputs: RulesetInputs, seen: RulesetFacts) -> tuple[str, ...]:
    """Other firewalls that are not declared in `beside`."""
    return in_the_way(seen.controller, seen.other, inputs.family, inputs.beside)


@lru_cache(maxsize=64)  # pure; called whenever the state is read
def _normal(text: str, family: Family, beside: tuple[str, ...]) -> Mapping[str, str]:
    return with_exposure(parse(text, family), beside)


def with_exposure(rules: Rules, beside: tuple[str, ...]) -> dict[str, str]:
    """Return the canonical text of rules and their exposure: the diff shows both."""
    count = sum(len(chain.rules) for table in rules.tables for chain in table.chains)
    try:
        lines = exposure(rules) if count <= EXPLAINED else (f"not worked out for more than {EXPLAINED} rules",)
    except TooIntricateError as error:
        lines = (f"not worked out: {error}",)
    return {"rules": render(rules), "exposure": "\n".join((*lines, *exposure_notes(beside)))}

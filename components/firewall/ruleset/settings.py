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

    `family`: `ipv4` or `ipv6`. `rules`: the ruleset, in any spelling that `rules.language.parse` reads; kept in
    canonical form. `exposure`: who can reach what through these rules, a line each; worked out, whatever is given.
    `persistent`: load the rules at boot. `take_over`: stop who else filters: ufw, firewalld, nftables.service, tables
    of nftables, the other iptables (delete starts it again). `beside`: tables of nftables (`inet blocklist`, patterns)
    and `iptables-legacy` or `iptables-nft`, which are left in force beside the rules. `preserve`: interfaces
    (`docker0`, `br-*`) whose FORWARD, nat and mangle rules belong to someone else; None: those of Docker, libvirt and
    the like. `confirm_within`: seconds until a change that nobody confirmed is taken back. `accept_lockout`: try rules
    through which nobody could log in; they are taken back all the same unless somebody does. `ssh_ports`: where sshd
    may listen beside the ports of the logins; should loading the rules at boot fail, the host is closed but for what
    the rules let in there. `sets`: the sets that the rules look at, as `rules.language.sets` writes them.
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
        """The rules as data."""
        return parse(self.rules, self.family)

    @property
    def preserved(self) -> tuple[str, ...]:
        """The interfaces whose rules belong to others."""
        return DEFAULT_PRESERVE if self.preserve is None else self.preserve

    def boot_text(self, wanted: Rules) -> str:
        """Return the boot file's content: only our rules, with addresses for names, because at boot there is no DNS
        yet."""
        return BOOT_HEADER + render(wanted) if self.persistent else ""


class RulesetFacts(Model):
    """What a host shows.

    `saved`: the built-in chains of all tables and the declared chains, as iptables-save prints them, without counters;
    the jumps to others' chains are among the rules, as they count for rule numbers. `boot`: the file loaded at boot;
    `boot_unit`: whether it is (`enabled`); `look`: whether somebody looks then. `closed`: why the host was closed when
    it was booted. `controller`: who else filters, a line each (controllers/find.sh). `other`: what
    iptables-legacy has where iptables is nf_tables, or the other way round. `cause`: what is known of who emptied our
    rules. `addresses`: of the names in the rules. `client`, `port`: whence and where the run came in that looked.
    `sets`: the declared ones, as `rules.language.sets.printed` gives them. `published`: what others' rules (Docker's)
    let others reach beyond ours, a line each, with the rules that do it.
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

"""The rules that are already on a host, as inputs: what an import makes of them. Pure."""

import re

from components.failure import Failure
from components.firewall.controllers.others import in_words, native_refusal, natives
from components.firewall.ruleset.settings import RulesetFacts, RulesetInputs, obstacles_of, own_part, with_exposure
from rules.errors import RuleSyntaxError
from rules.language.parse import parse, parse_saved
from rules.language.render import render
from rules.language.sets import lacking
from rules.model import BUILTIN_CHAINS, Chain, Ruleset, Table
from rules.plan.foreign import own_rules

_OF_PROGRAMS = re.compile(
    r"(f2b|fail2ban|DOCKER|LIBVIRT_|KUBE|CNI-|cali-|cilium|CILIUM|NETAVARK|FLANNEL|WEAVE|LXC|ufw6?-|crowdsec|CROWDSEC"
    r"|sshguard|ts-|STOCKADE|stockade).*",
)
"""Chains that other programs fill, or that close a host at boot. Any other chain is taken for the administrator's."""


class Managed(Failure):
    """Another program manages the rules. `why`: how that is known."""

    def __init__(self, where: str, host: str, why: str) -> None:
        """Say what to do about it in an import."""
        self.why = why
        super().__init__(
            f"{where}: cannot be imported: {why}; import `{host}/firewall kept` instead to leave it in charge, or "
            "declare the rules with `takeOver: true`"
        )


def of_a_program(chain: str) -> bool:
    """Return whether a chain, by its name, is filled by another program."""
    return _OF_PROGRAMS.fullmatch(chain) is not None


def existing(inputs: RulesetInputs, seen: RulesetFacts, saved: str) -> RulesetInputs:
    """Return the inputs that describe the rules in force. `saved`: what iptables-save printed.

    Raises Failure if another program manages them, or if they cannot be declared.
    """
    where = f"{inputs.host}: firewall {inputs.family}"
    beside = tuple(f"{line.split()[1]} {' '.join(line.split()[2:])}" for line in _lines(seen, inputs, "table "))
    beside += tuple(f"iptables-{line.split()[1]}" for line in _lines(seen, inputs, "other "))
    found = inputs.model_copy(update={"beside": tuple(sorted({*inputs.beside, *beside}))})
    if written := natives(seen.controller):
        raise Failure(f"{where}: cannot be imported: {native_refusal(written)}")
    managers = obstacles_of(found, seen)
    if managers:
        raise Managed(where, inputs.host, in_words(managers[0]))
    try:
        rules = render(_own(parse_saved(saved, inputs.family), inputs))
        found = found.model_copy(update=with_exposure(parse(rules, inputs.family), found.beside))
    except RuleSyntaxError as error:
        raise Failure(f"{where}: cannot be imported: a rule cannot be declared: {error}") from None
    return found.model_copy(update={"persistent": _loaded_at_boot(found, seen)})


def _lines(seen: RulesetFacts, inputs: RulesetInputs, kind: str) -> list[str]:
    return [line for line in obstacles_of(inputs, seen) if line.startswith(kind)]


def _own(current: Ruleset, inputs: RulesetInputs) -> Ruleset:
    """Return the rules without those of other programs, and without tables in which nothing is left."""
    tables = []
    for table in current.tables or (Table("filter"),):
        chains = (Chain(name) for name in table.user_chains if not of_a_program(name))
        built_in = (Chain(name, "ACCEPT") for name in BUILTIN_CHAINS.get(table.name, ()))
        frame = Ruleset(inputs.family, (Table(table.name, (*built_in, *chains)),))
        own = own_rules(current, frame, inputs.preserved).tables[0]
        if table.name == "filter" or own.user_chains or any(one.rules or one.policy == "DROP" for one in own.chains):
            tables.append(own)
    found = Ruleset(inputs.family, tuple(tables))
    return found if found.table("filter") else found.with_table(Table("filter"))


def _loaded_at_boot(inputs: RulesetInputs, seen: RulesetFacts) -> bool:
    """Return whether the host loads the same rules at boot."""
    boot = seen.boot.unpacked()
    if not boot.exists or seen.boot_unit != "enabled" or lacking(inputs.declared, ()):
        return False
    try:
        at_boot = own_rules(parse_saved(boot.content, inputs.family), inputs.declared, inputs.preserved)
    except RuleSyntaxError:
        return False
    return render(at_boot) == render(own_part(inputs, seen))

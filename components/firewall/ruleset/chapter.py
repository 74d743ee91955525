"""The rules of one address family on one host: loaded atomically, and loaded again at boot.

Stockade owns the rules of the built-in chains in the declared tables, and the declared chains. Everything else
(fail2ban's and Docker's chains, the jumps to them) is left in place. An update is one `iptables-restore --noflush`
transaction with as few inserts, replacements and deletions as possible, so counters and open connections survive.

Source: the guide, "Configure a Firewall" and "Insert, Replace or Delete iptables Rules"; iptables-restore(8).
"""

from collections.abc import Mapping
from difflib import unified_diff
from typing import TYPE_CHECKING, Any

from components.core.chapter import STALE, Chapter, KnownState
from components.failure import Failure
from components.firewall.boot.closing import closing, with_closing_chains
from components.firewall.boot.installed import installed
from components.firewall.controllers.others import (
    KEPT_TABLES,
    PROGRAMS,
    brings_rules,
    exposure_drift,
    hidden_tables,
    in_words,
    native_refusal,
    natives,
    obstacle,
    plan_take_over,
    still_there,
)
from components.firewall.ruleset.existing import existing
from components.firewall.ruleset.published import published
from components.firewall.ruleset.settings import (
    RulesetFacts,
    RulesetInputs,
    addressed,
    obstacles_of,
    own_part,
    resolved,
    with_exposure,
)
from components.firewall.ruleset.way_in import LOCKOUT, refusal_of
from components.firewall.sets.values import SET_EXITS, sets_values
from hosts.errors import understanding
from hosts.guard.guarded import Guard
from hosts.scripts import script
from hosts.shell import Answer, Script
from hosts.ssh.connection import HostAccess
from hosts.system.distro import UNSUPPORTED_EXIT
from hosts.system.files import FILE_EXITS, file_state
from hosts.system.origin import Origin, entry
from rules.language.naming import moved_names, names, resolve
from rules.language.parse import parse_saved
from rules.language.render import render
from rules.language.sets import as_shown as sets_as_shown
from rules.language.sets import not_there, printed
from rules.model import Ruleset as Rules
from rules.model import Table
from rules.plan.drift import as_shown, visible, watched, watched_lines
from rules.plan.foreign import own_rules, spellings, with_filled_chains
from rules.plan.ownership import plan
from rules.values.family import Family

if TYPE_CHECKING:
    from hosts.host import Host

LOCK_WAIT = "10"
"""Seconds to wait for the xtables lock, as in `iptables-restore -w`."""
ABSENT = 69
REFUSED = 70
NO_LOADER = 71
UNSTARTED = 72
UNREADABLE = 85

EXITS = {
    **SET_EXITS,
    **FILE_EXITS,
    **UNSUPPORTED_EXIT,
    ABSENT: "iptables is not installed on the host. Install it first: a `Firewall` does, and so does a `Packages` "
    "resource on which the rules depend",
    NO_LOADER: "nothing on the host would load the rules at boot; nothing was changed. Install what does "
    "(iptables-persistent on Debian, iptables-services on Red Hat): a `Firewall` does, and so does a `Packages` "
    "resource on which the rules depend. Or declare `persistent: false`",
    UNSTARTED: "a service that stopped along with another firewall does not start again",
    REFUSED: "the host refused a rule; nothing was loaded",
    UNREADABLE: "iptables cannot print its own rules: another program, such as nft, has written something to its "
    "tables that it has no words for, and that cannot be removed from here. `nft -a list ruleset` shows it, with the "
    "package nftables; remove it there",
}
"""Exit statuses that the scripts in this directory reserve."""

TOOLS: dict[Family, dict[str, str]] = {
    Family.IPV4: {"ip_family": "ipv4", "tool": "iptables", "database": "ahostsv4", "nft_family": "ip"},
    Family.IPV6: {"ip_family": "ipv6", "tool": "ip6tables", "database": "ahostsv6", "nft_family": "ip6"},
}
"""What differs between the address families on a host; `database` is getent(1)'s."""

Seen = KnownState[RulesetInputs, RulesetFacts]


class RulesetChapter(Chapter[RulesetInputs, RulesetFacts]):
    """The firewall of one address family."""

    inputs = RulesetInputs
    facts = RulesetFacts
    replaced_by = frozenset({"host", "family"})
    importable = ("firewall FAMILY",)

    def title(self, inputs: RulesetInputs) -> str:
        return f"firewall {inputs.family}"

    def observe(self, inputs: RulesetInputs) -> Script:
        values = {**_tools(inputs.family), "names": " ".join(names(inputs.declared)), **sets_values(inputs.sets)}
        return Script("read the rules", _script("observe"), values, exits=EXITS)

    def parse(self, inputs: RulesetInputs, answer: Answer) -> RulesetFacts:
        part = answer.sections
        addresses: dict[str, tuple[str, ...]] = {}
        for line in part["names"].splitlines():
            name, address = line.replace("::ffff:", "").split()  # an IPv4 address in the IPv6 database
            addresses[name] = tuple(dict.fromkeys((*addresses.get(name, ()), address)))
        came = entry(part["entry"])
        return RulesetFacts(
            saved=visible(part["saved"], inputs.declared),
            published=published(part, inputs),
            boot=file_state(part, "boot").packed(),
            boot_unit=part["boot_unit"].strip(),
            look=bool(part.get("look", "").strip()),
            closed=part.get("closed", "").strip(),
            sets=printed(part.get("sets", "")),
            controller=part["controller"].strip(),
            other=visible(part.get("other", ""), Rules(inputs.family)),
            cause=part.get("cause", "").strip(),
            addresses=addresses,
            client=came.client if came else "",
            port=came.port if came else 0,
        )

    def stages(self, host: "Host", inputs: RulesetInputs, known: Seen) -> tuple[RulesetInputs, ...]:
        """Refuse, before anything starts, other firewalls on the host, and rules that would lock out the address that
        this run comes from."""
        look = self.observe(inputs)
        answer = host.read(look, resource=self.title(inputs))
        with understanding(host.name, self.title(inputs), look.step):
            seen = self.parse(inputs, answer)
        refused = self._refused(inputs, seen)
        if not refused and known.last is None and known.prior is None and (found := natives(seen.controller)):
            refused = native_refusal(found)
        if seen.client and not refused and not inputs.accept_lockout:
            locked = refusal_of(inputs.declared, Origin(seen.client, seen.port))
            refused = LOCKOUT.format(locked) if locked else ""
        if refused:
            raise Failure(f"{inputs.host}: {self.title(inputs)}: nothing was changed: {refused}")
        return (inputs,)

    def _refused(self, inputs: RulesetInputs, seen: RulesetFacts) -> str:
        obstacles = obstacles_of(inputs, seen)
        return obstacle(obstacles) if obstacles and not inputs.take_over else ""

    def apply(self, inputs: RulesetInputs, known: Seen) -> Script:
        before = known.before or RulesetFacts()
        if not set(names(inputs.declared)) <= set(before.addresses):
            if known.reobserved:
                raise Failure(f"{inputs.host}: {self.title(inputs)}: {_unknown_names(inputs, before)}")
            return Script("look up the names in the rules", f"exit {STALE}")
        refused = self._refused(inputs, before)
        if refused:
            if known.reobserved:
                raise Failure(f"{inputs.host}: {self.title(inputs)}: {refused}")
            return Script("look who else filters", f"exit {STALE}")
        wanted = resolved(inputs, before)
        take = plan_take_over(obstacles_of(inputs, before), before.other, inputs.family)
        values = {
            **self._change(inputs, known, before, wanted),
            "take": "\n".join(take.lines),
            "other_transaction": take.other,
            "other_back": take.other_back,
            "others_expected": before.controller,
            "boot_content": inputs.boot_text(wanted),
        }
        return Script("load the rules", _script("apply"), values, exits=EXITS)

    def restore(self, inputs: RulesetInputs, known: Seen) -> Script:
        prior, now = known.prior or RulesetFacts(), known.before or RulesetFacts()
        saved = parse_saved(prior.saved, inputs.family)
        declared = with_filled_chains(inputs.declared, saved)  # some may not be declared any more
        back = own_rules(saved, declared, inputs.preserved)
        if still_there(prior.controller, now.controller):  # it had not been taken over then
            back = own_rules(parse_saved(now.saved, inputs.family), declared, inputs.preserved)
        elif brings_rules(prior.controller, prior.saved):  # starting it again restores its rules
            back = Rules(inputs.family, tuple(Table(table.name) for table in declared.tables))
        return Script(
            "put the prior rules back", _script("restore"), self._change(inputs, known, now, back), exits=EXITS
        )

    def guard(self, inputs: RulesetInputs, known: Seen, access: HostAccess, *, restoring: bool = False) -> Guard:
        now = known.before or RulesetFacts()
        prior = known.prior or now
        ways = (connection.port for _, connection in access.logins())
        declared = [table.name for table in inputs.declared.tables]
        there = {table.name for table in parse_saved(prior.saved, inputs.family).tables}
        values = {
            **_tools(inputs.family),
            "lock_wait": LOCK_WAIT,
            "tables": " ".join(declared),
            "untouched": " ".join(table for table in declared if table not in there),
            "controller": prior.controller,
            "unit_back": prior.boot_unit,
            "boot_back": "yes" if known.last and known.last.persistent and not inputs.persistent else "",
            "persistent": "yes" if inputs.persistent else "",
            **closing(addressed(inputs, now), inputs.preserved, {*inputs.ssh_ports, *ways, now.port}),
            **sets_values(inputs.sets, [one.sets for one in known.possible]),
            **prior.boot.unpacked().values("prior"),
        }
        takes = inputs.take_over and bool(obstacles_of(inputs, known.before or RulesetFacts()))
        back = ["components/firewall/ruleset/back.sh"]
        if takes and not restoring:
            back.append("components/firewall/controllers/give_back.sh")
        commit = _script("restored") if restoring else installed() + _script("commit")
        save = script("components/firewall/ruleset/save.sh")
        return Guard(save, script(*back), commit, values, inputs.confirm_within)

    def differences(self, inputs: RulesetInputs, seen: RulesetFacts) -> str:
        if found := natives(seen.controller):
            return in_words(found[0])
        wanted, own = render(resolved(inputs, seen)), render(own_part(inputs, seen))
        if wanted != own:
            changes = unified_diff(wanted.splitlines(), own.splitlines(), "declared", "on the host", lineterm="", n=0)
            return "the rules differ:\n" + "\n".join(changes)
        if seen.closed:
            return f"it is still closed, as at boot: {seen.closed}"
        if missing := not_there(inputs.sets, seen.sets):
            return f"there is no set {missing}"
        return "" if self._loaded_at_boot(inputs, seen) else f"{seen.boot.path} does not contain the rules"

    def as_observed(self, inputs: RulesetInputs, known: Seen, seen: RulesetFacts) -> RulesetInputs:
        before = known.recorded or RulesetFacts()
        then, now = own_part(inputs, before), own_part(inputs, seen)
        hidden = hidden_tables(seen.controller)  # nobody knows what else changed there
        tables = zip(then.tables, now.tables, strict=True)
        now = Rules(inputs.family, tuple(old if old.name in hidden else new for old, new in tables))
        moved = moved_names(before.addresses, seen.addresses)
        changes: dict[str, Any] = {}
        if moved or render(then) != render(now):
            shown = as_shown(inputs.declared, before.addresses, then, now)
            changes |= with_exposure(resolve(shown, before.addresses, moved), inputs.beside)
        if seen.sets != before.sets:
            changes["sets"] = sets_as_shown(inputs.sets, before.sets, seen.sets)
        loaded = self._loaded_at_boot(inputs, before.model_copy(update=_boot_of(seen)))
        if inputs.persistent and not (loaded and seen.look >= before.look):
            changes["persistent"] = False
        obstacles = obstacles_of(inputs, seen)
        if obstacles:
            changes["take_over"] = not inputs.take_over
        if seen.closed:
            notes = [f"closed at boot: {seen.closed}", *exposure_drift(obstacles, "")]
        else:
            notes = [*exposure_drift(obstacles, seen.cause if "rules" in changes else "")]
        notes += [f"beyond what is declared: {line}" for line in seen.published if line not in before.published]
        notes += [f"not as declared: {in_words(line)}" for line in natives(seen.controller)]
        described = "\n".join((changes.get("exposure", inputs.exposure), *notes))
        if described != inputs.exposure:
            changes["exposure"] = described
        return inputs.model_copy(update=changes)

    def same_settings(self, one: RulesetFacts, other: RulesetFacts) -> bool:
        alike = {**_about_look(other), "saved": other.saved if _filled(one) == _filled(other) else one.saved}
        return one.model_copy(update=alike) == other

    def sought(self) -> Mapping[str, Any]:
        return {"rules": "*filter\nCOMMIT\n"}

    def existing(self, inputs: RulesetInputs, seen: RulesetFacts, answer: Answer) -> RulesetInputs:
        return existing(inputs, seen, answer.sections["saved"])

    def is_bare(self, inputs: RulesetInputs, seen: RulesetFacts) -> bool:
        return not self.already_configured(inputs, seen)

    def already_configured(self, inputs: RulesetInputs, seen: RulesetFacts) -> str:
        own = own_part(inputs, seen)
        count = sum(len(chain.rules) for table in own.tables for chain in table.chains)
        return f"the host has {count} rules of its own" if count else ""

    def _change(self, inputs: RulesetInputs, known: Seen, before: RulesetFacts, wanted: Rules) -> dict[str, str]:
        """Return the values that every change needs: the transaction, and the lines on which the plan is based."""
        current = parse_saved(before.saved, inputs.family)
        last = known.last.declared if known.last else inputs.declared
        spelled = {}
        if known.last and known.recorded:
            spelled = spellings(resolved(known.last, known.recorded), own_part(known.last, known.recorded))
        chains = watched(wanted, last)
        return {
            **_tools(inputs.family),
            **sets_values(inputs.sets, [one.sets for one in known.possible]),
            "lock_wait": LOCK_WAIT,
            "tables": " ".join(table.name for table in inputs.declared.tables),
            "watched": " ".join(chains),
            "expected": watched_lines(before.saved, chains),
            "transaction": plan(
                current, wanted, inputs.preserved, spelled, previous=with_closing_chains(last, current)
            ).transaction(),
        }

    @staticmethod
    def _loaded_at_boot(inputs: RulesetInputs, seen: RulesetFacts) -> bool:
        text = inputs.boot_text(resolved(inputs, seen))
        return not text or (seen.boot.unpacked().content == text and seen.boot_unit == "enabled")


def _script(name: str) -> str:
    return script(f"components/firewall/ruleset/{name}.sh")


def _tools(family: Family) -> dict[str, str]:
    return {**TOOLS[family], "programs": " ".join(PROGRAMS), "kept_tables": "\n".join(KEPT_TABLES)}


def _filled(seen: RulesetFacts) -> list[str]:
    """Return the tables that have an effect. An empty one, left behind by an observation or a change, accepts
    everything."""
    tables = seen.saved.split("COMMIT\n")
    return [table for table in tables if "\n-A " in table or " DROP" in table or " - " in table]


def _about_look(seen: RulesetFacts) -> dict[str, Any]:
    """Return the facts that do not concern the rules."""
    return {
        "addresses": seen.addresses,
        "client": seen.client,
        "port": seen.port,
        "published": seen.published,
    }


def _boot_of(seen: RulesetFacts) -> dict[str, Any]:
    return {"boot": seen.boot, "boot_unit": seen.boot_unit}


def _unknown_names(inputs: RulesetInputs, seen: RulesetFacts) -> str:
    missing = sorted(set(names(inputs.declared)) - set(seen.addresses))
    return f"the host cannot resolve {', '.join(missing)}: use addresses in the rules instead"

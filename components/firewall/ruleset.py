"""`Ruleset`: the iptables rules of one address family on one host, loaded atomically and loaded again at boot.

Stockade owns the rules of the built-in chains in the tables that are declared, and the chains that are declared; all
else (fail2ban's and Docker's chains, the jumps to them) is left in place. An update is one `iptables-restore --noflush`
transaction of the fewest inserts, replacements and deletions, so counters and open connections survive.

Source: the guide, "Configure a Firewall" and "Insert, Replace or Delete iptables Rules"; iptables-restore(8).
"""

from collections.abc import Mapping
from difflib import unified_diff
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pulumi import Output, ResourceOptions
from pulumi.dynamic import CheckFailure, CheckResult, DiffResult
from pydantic import Field, ValidationError, field_validator, model_validator

from components.core.chapter import STALE, Chapter, ChapterInputs, Failure, KnownState, Model
from components.core.dynamic import HostProvider, has_unknown
from components.core.resource import HostResource
from components.firewall.boot import and_closed, closing, sets_values
from components.firewall.controllers import (
    KEPT_TABLES,
    PROGRAMS,
    brings_rules,
    checked,
    exposure_drift,
    exposure_notes,
    in_the_way,
    obstacle,
    still_there,
    taken,
)
from components.firewall.ruleset_shell import (
    APPLY,
    BACK,
    BACK_WITH_OTHERS,
    COMMIT,
    EXITS,
    OBSERVE,
    RESTORE,
    RESTORED,
    SAVE,
    TOOLS,
)
from components.firewall.way_in import refusal, refusal_of
from hosts.errors import understanding
from hosts.guard.guarded import LIMIT, Guard
from hosts.shell import Answer, Script
from hosts.ssh.connection import HostAccess
from hosts.system.files import FileState, file_state
from hosts.system.origin import Entry, entry
from rules.analysis.reachability import TooIntricateError, exposure
from rules.language.naming import moved_names, names, resolve
from rules.language.parse import parse, parse_saved
from rules.language.render import render
from rules.language.sets import as_shown as sets_as_shown
from rules.language.sets import lacking, not_there, printed, read, write
from rules.model import Ruleset as Rules
from rules.model import Table
from rules.plan.drift import as_shown, visible, watched, watched_lines
from rules.plan.foreign import DEFAULT_PRESERVE, own_rules, spellings
from rules.plan.ownership import plan
from rules.values.family import Family

if TYPE_CHECKING:
    from hosts.host import Host

BOOT_HEADER = "# Written by Stockade: edit the stack config instead, changes here are overwritten.\n"
LOCKOUT = (
    "this would lock you out: {}. Let SSH in, or set `acceptLockout: true` under `stockade:firewall`: the rules are "
    "then tried, and taken back unless somebody can log in"
)
EXPLAINED = 10_000
"""Rules up to which the exposure is worked out, which takes seconds then."""
LOCK_WAIT = "10"
"""Seconds to wait for the xtables lock, as in `iptables-restore -w`."""


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
    exposure: str = ""
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
        """Let one text stand for all spellings of a ruleset. Raises what `rules.language.parse` raises."""
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
        """The interfaces whose rules are not ours."""
        return DEFAULT_PRESERVE if self.preserve is None else self.preserve

    def boot_text(self, wanted: Rules) -> str:
        """Return the boot file's content: our rules alone, with addresses for names (at boot there is no DNS yet)."""
        return BOOT_HEADER + render(wanted) if self.persistent else ""


class RulesetFacts(Model):
    """What a host shows.

    `saved`: the built-in chains of all tables and the declared chains, as iptables-save prints them, without counters;
    the jumps to others' chains are among the rules, as they count for rule numbers. `boot`: the file loaded at boot;
    `boot_unit`: whether it is (`enabled`); `look`: whether somebody looks then. `closed`: why the host was closed when
    it was booted. `controller`: who else filters, a line each (`controllers_shell.OTHERS`). `other`: what
    iptables-legacy has where iptables is nf_tables, or the other way round. `cause`: what is known of who emptied our
    rules. `addresses`: of the names in the rules. `client`, `port`: whence and where the run came in that looked.
    `sets`: the declared ones, as `rules.language.sets.printed` gives them.
    """

    saved: str = ""
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


Seen = KnownState[RulesetInputs, RulesetFacts]


class RulesetChapter(Chapter[RulesetInputs, RulesetFacts]):
    """The firewall of one address family."""

    inputs = RulesetInputs
    facts = RulesetFacts
    replaced_by = frozenset({"host", "family"})

    def title(self, inputs: RulesetInputs) -> str:
        return f"firewall {inputs.family}"

    def observe(self, inputs: RulesetInputs) -> Script:
        values = {**_tools(inputs.family), "names": " ".join(names(inputs.declared)), **sets_values(inputs.sets)}
        return Script("read the rules", OBSERVE, values, exits=EXITS)

    def parse(self, inputs: RulesetInputs, answer: Answer) -> RulesetFacts:
        part = answer.sections
        addresses: dict[str, tuple[str, ...]] = {}
        for line in part["names"].splitlines():
            name, address = line.replace("::ffff:", "").split()  # an IPv4 address in the IPv6 database
            addresses[name] = tuple(dict.fromkeys((*addresses.get(name, ()), address)))
        came = entry(part["entry"])
        return RulesetFacts(
            saved=visible(part["saved"], inputs.declared),
            boot=file_state(part, "boot").packed(),
            boot_unit=part["boot_unit"].strip(),
            look=bool(part.get("look", "").strip()),
            closed=part.get("closed", "").strip(),
            sets=printed(part.get("sets", "")),
            controller=part["controller"].strip(),
            other=visible(part.get("other", ""), Rules(inputs.family)),  # not in records of earlier versions
            cause=part.get("cause", "").strip(),
            addresses=addresses,
            client=came.client if came else "",
            port=came.port if came else 0,
        )

    def stages(self, host: "Host", inputs: RulesetInputs, known: Seen) -> tuple[RulesetInputs, ...]:
        """Refuse, before anything is begun, what else filters there, and rules that keep out whoever comes from where
        this run comes from."""
        look = self.observe(inputs)
        answer = host.read(look, resource=self.title(inputs))
        with understanding(host.name, self.title(inputs), look.step):
            seen = self.parse(inputs, answer)
        told = self._refused(inputs, seen)
        if seen.client and not told and not inputs.accept_lockout:
            locked = refusal_of(inputs.declared, Entry(seen.client, seen.port))
            told = LOCKOUT.format(locked) if locked else ""
        if told:
            raise Failure(f"{inputs.host}: {self.title(inputs)}: nothing was changed: {told}")
        return (inputs,)

    def _refused(self, inputs: RulesetInputs, seen: RulesetFacts) -> str:
        obstacles = _obstacles(inputs, seen)
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
        wanted = _resolved(inputs, before)
        take = taken(_obstacles(inputs, before), before.other, inputs.family)
        values = {
            **self._change(inputs, known, before, wanted),
            "take": "\n".join(take.lines),
            "other_transaction": take.other,
            "other_back": take.other_back,
            "others_expected": before.controller,
            "boot_content": inputs.boot_text(wanted),
        }
        return Script("load the rules", APPLY, values, exits=EXITS)

    def restore(self, inputs: RulesetInputs, known: Seen) -> Script:
        prior, now = known.prior or RulesetFacts(), known.before or RulesetFacts()
        saved = parse_saved(prior.saved, inputs.family)
        declared = inputs.declared
        back = own_rules(saved, declared, inputs.preserved)
        if still_there(prior.controller, now.controller):  # it was not taken over by then
            back = own_rules(parse_saved(now.saved, inputs.family), declared, inputs.preserved)
        elif brings_rules(prior.controller, prior.saved):  # when it is started again
            back = Rules(inputs.family, tuple(Table(table.name) for table in declared.tables))
        return Script("put the prior rules back", RESTORE, self._change(inputs, known, now, back), exits=EXITS)

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
            **closing(_addressed(inputs, now), inputs.preserved, {*inputs.ssh_ports, *ways, now.port}),
            **sets_values(inputs.sets, known.last.sets if known.last else ""),
            **prior.boot.unpacked().values("prior"),
        }
        takes = inputs.take_over and bool(_obstacles(inputs, known.before or RulesetFacts()))
        back = BACK_WITH_OTHERS if takes and not restoring else BACK
        return Guard(SAVE, back, RESTORED if restoring else COMMIT, values, inputs.confirm_within)

    def differences(self, inputs: RulesetInputs, seen: RulesetFacts) -> str:
        wanted, own = render(_resolved(inputs, seen)), render(_own(inputs, seen))
        if wanted != own:
            changes = unified_diff(wanted.splitlines(), own.splitlines(), "declared", "on the host", lineterm="", n=0)
            return "the rules differ:\n" + "\n".join(changes)
        if seen.closed:
            return f"it is closed as it was at boot: {seen.closed}"
        if missing := not_there(inputs.sets, seen.sets):
            return f"there is no set {missing}"
        return "" if self._loaded_at_boot(inputs, seen) else f"{seen.boot.path} does not hold the rules"

    def as_observed(self, inputs: RulesetInputs, known: Seen, seen: RulesetFacts) -> RulesetInputs:
        before = known.recorded or RulesetFacts()
        then, now = _own(inputs, before), _own(inputs, seen)
        moved = moved_names(before.addresses, seen.addresses)
        changes: dict[str, Any] = {}
        if moved or render(then) != render(now):
            shown = as_shown(inputs.declared, before.addresses, then, now)
            changes |= _told(resolve(shown, before.addresses, moved), inputs.beside)
        if seen.sets != before.sets:
            changes["sets"] = sets_as_shown(inputs.sets, before.sets, seen.sets)
        loaded = self._loaded_at_boot(inputs, before.model_copy(update=_boot_of(seen)))
        if inputs.persistent and not (loaded and seen.look >= before.look):
            changes["persistent"] = False
        obstacles = _obstacles(inputs, seen)
        if obstacles:
            changes["take_over"] = not inputs.take_over
        if seen.closed:
            notes = [f"closed at boot: {seen.closed}", *exposure_drift(obstacles, "")]
        else:
            notes = [*exposure_drift(obstacles, seen.cause if "rules" in changes else "")]
        told = "\n".join((changes.get("exposure", inputs.exposure), *notes))
        if told != inputs.exposure:
            changes["exposure"] = told
        return inputs.model_copy(update=changes)

    def same_settings(self, one: RulesetFacts, other: RulesetFacts) -> bool:
        alike = {**_about_look(other), "saved": other.saved if _filled(one) == _filled(other) else one.saved}
        return one.model_copy(update=alike) == other

    def already_configured(self, inputs: RulesetInputs, seen: RulesetFacts) -> str:
        own = _own(inputs, seen)
        count = sum(len(chain.rules) for table in own.tables for chain in table.chains)
        return f"the host has {count} rules of its own" if count else ""

    def _change(self, inputs: RulesetInputs, known: Seen, before: RulesetFacts, wanted: Rules) -> dict[str, str]:
        """Return the values that every change needs: the transaction, and the lines it was planned against."""
        current = parse_saved(before.saved, inputs.family)
        last = known.last.declared if known.last else inputs.declared
        spelled = {}
        if known.last and known.recorded:
            spelled = spellings(_resolved(known.last, known.recorded), _own(known.last, known.recorded))
        chains = watched(wanted, last)
        return {
            **_tools(inputs.family),
            **sets_values(inputs.sets, known.last.sets if known.last else ""),
            "lock_wait": LOCK_WAIT,
            "watched": " ".join(chains),
            "expected": watched_lines(before.saved, chains),
            "transaction": plan(
                current, wanted, inputs.preserved, spelled, previous=and_closed(last, current)
            ).transaction(),
        }

    @staticmethod
    def _loaded_at_boot(inputs: RulesetInputs, seen: RulesetFacts) -> bool:
        text = inputs.boot_text(_resolved(inputs, seen))
        return not text or (seen.boot.unpacked().content == text and seen.boot_unit == "enabled")


class RulesetProvider(HostProvider[RulesetInputs, RulesetFacts]):
    """Pulumi's CRUD for `Ruleset`."""

    chapter = RulesetChapter()

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse, beside what is wrong in itself, rules that nobody could log in through any more."""
        result = super().check(_olds, news)
        if result.failures or has_unknown(news.get("rules")) or has_unknown(news.get("host")):
            return result
        inputs = RulesetInputs.model_validate({k: v for k, v in result.inputs.items() if k != "connection"})
        need = lacking(inputs.declared, read(inputs.sets)) if inputs.persistent else ""
        if need:
            return CheckResult(result.inputs, [CheckFailure("rules", need)])
        access = None if inputs.accept_lockout else self._way(inputs.host, news.get("connection"))
        told = refusal(inputs.declared, access) if access else ""
        if not told:
            return result
        return CheckResult(result.inputs, [CheckFailure("rules", LOCKOUT.format(told))])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Refuse, in the preview already, a change that keeps out whoever comes from where the last run came from.

        Raises Failure.
        """
        result = super().diff(_id, _olds, _news)
        if not result.changes:
            return result
        seen = RulesetFacts.model_validate(_olds.get("observed") or {})
        if not seen.client or has_unknown(_news):
            return result
        inputs = self._inputs(_news)
        way = self._way(inputs.host, _news.get("connection"))
        # sshd may have moved since: the run itself goes by where it comes in
        ports = dict.fromkeys((seen.port, *(login.port for _, login in (way.logins() if way else ()))))
        told = [refusal_of(inputs.declared, Entry(seen.client, port)) for port in ports]
        if all(told) and not inputs.accept_lockout:
            raise Failure(f"{inputs.host}: {self.chapter.title(inputs)}: {LOCKOUT.format(told[0])}")
        return result

    def noted(self, before: RulesetFacts | None, seen: RulesetFacts) -> dict[str, Any]:
        """Whence and where the last look came in: that is the way that a preview must not close."""
        if before is None or not seen.client or (seen.client, seen.port) == (before.client, before.port):
            return {}
        return {"observed": before.model_copy(update={"client": seen.client, "port": seen.port}).props()}

    def _way(self, host: str, connection: Any) -> HostAccess | None:
        """How the host is reached, as far as a preview can know."""
        if host in self._access or not connection or has_unknown(connection):
            return self._access.get(host)
        try:
            return HostAccess.model_validate({"name": host, **connection})
        except ValidationError:
            return None


class Ruleset(HostResource, module="stockade", name="Ruleset"):
    """The rules of one address family on one host. Properties: those of `RulesetInputs`.

    Outputs: `rules` (canonical text), `observed` (what the host shows).
    """

    rules: Output[str]
    observed: Output[Mapping[str, Any]]

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        super().__init__(RulesetProvider(), name, {**props, "observed": None}, opts)


@lru_cache(maxsize=64)  # pure; every look at the state asks again
def _normal(text: str, family: Family, beside: tuple[str, ...]) -> Mapping[str, str]:
    return _told(parse(text, family), beside)


def _told(rules: Rules, beside: tuple[str, ...]) -> dict[str, str]:
    """Return the canonical text of rules, and what they let in: the diff shows both."""
    count = sum(len(chain.rules) for table in rules.tables for chain in table.chains)
    try:
        lines = exposure(rules) if count <= EXPLAINED else (f"not worked out for more than {EXPLAINED} rules",)
    except TooIntricateError as error:
        lines = (f"not worked out: {error}",)
    return {"rules": render(rules), "exposure": "\n".join((*lines, *exposure_notes(beside)))}


def _tools(family: Family) -> dict[str, str]:
    return {**TOOLS[family], "programs": " ".join(PROGRAMS), "kept_tables": "\n".join(KEPT_TABLES)}


def _obstacles(inputs: RulesetInputs, seen: RulesetFacts) -> tuple[str, ...]:
    """Who else filters, and is not declared to."""
    return in_the_way(seen.controller, seen.other, inputs.family, inputs.beside)


def _filled(seen: RulesetFacts) -> list[str]:
    """Return the tables that do something: an empty one, which a look or a change leaves behind, lets all through."""
    tables = seen.saved.split("COMMIT\n")
    return [table for table in tables if "\n-A " in table or " DROP" in table or " - " in table]


def _about_look(seen: RulesetFacts) -> dict[str, Any]:
    """Return the facts that are not about the rules."""
    return {"addresses": seen.addresses, "client": seen.client, "port": seen.port}


def _own(inputs: RulesetInputs, seen: RulesetFacts) -> Rules:
    return own_rules(parse_saved(seen.saved, inputs.family), inputs.declared, inputs.preserved)


def _resolved(inputs: RulesetInputs, seen: RulesetFacts) -> Rules:
    return resolve(inputs.declared, seen.addresses)


def _addressed(inputs: RulesetInputs, seen: RulesetFacts) -> Rules:
    """Return the rules with addresses for names; as declared before these were looked up."""
    try:
        return _resolved(inputs, seen)
    except ValueError:
        return inputs.declared


def _boot_of(seen: RulesetFacts) -> dict[str, Any]:
    return {"boot": seen.boot, "boot_unit": seen.boot_unit}


def _unknown_names(inputs: RulesetInputs, seen: RulesetFacts) -> str:
    missing = sorted(set(names(inputs.declared)) - set(seen.addresses))
    return f"the host cannot resolve {', '.join(missing)}: name addresses in the rules instead"

"""Reads one host: everything that a chapter can declare, as settings of a stack config. Changes nothing on it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from adopt.firewall import typed_rules
from adopt.survey import Survey, survey
from components.config.inventory import Settings
from components.core.chapter import Chapter, F, I
from components.core.transaction import Transaction
from components.fail2ban.chapter import Fail2BanChapter
from components.fail2ban.settings import Fail2BanSettings
from components.failure import Failure
from components.firewall.kept.chapter import KeptChapter
from components.firewall.ruleset.chapter import RulesetChapter
from components.firewall.ruleset.existing import Managed, of_a_program
from components.firewall.ruleset.settings import RulesetInputs
from components.firewall.settings import FirewallSettings
from components.listeners.chapter import ListenerChapter
from components.listeners.settings import ListenerSettings
from components.packages.chapter import PackageChapter
from components.packages.settings import UNNECESSARY, PackageFacts, PackageInputs
from components.registry import Hardening
from components.sshd.chapter import SshdChapter
from components.sshd.settings import SshdSettings
from components.sysctl.chapter import SysctlChapter
from components.sysctl.settings import SysctlSettings
from components.timesync.chapter import TimeSyncChapter
from components.timesync.settings import TimeSyncSettings
from components.updates.chapter import UpdateChapter
from components.updates.settings import UpdateSettings
from components.users.chapter import UserChapter
from components.users.settings import SYSTEM_NAMES, UserSettings, ends_logins
from hosts.errors import HostError, understanding
from hosts.guard.record import LEDGER, ledger, record_name
from hosts.host import Host
from hosts.text.masking import one_line
from rules.values.family import Family

Progress = Callable[[str], None]


@dataclass
class Reading:
    """What one host has.

    `settings`: chapters by their names in a stack config. `remarks`: what is said about a chapter, line by line.
    `left_out`: what could not be taken over, with the reason. `listening`: what can be reached over the network, as
    `tcp 0.0.0.0:22 sshd (package openssh-server)`. `unwanted`: installed packages of the kind that the guide removes.
    `openssh`: the version of its sshd, as `OpenSSH_9.2p1`; empty if unknown.
    `lacking`: chapters that the host does without, among those that were left out. `others`: which other stack manages
    what, by the names of its records.
    """

    survey: Survey
    settings: dict[str, Any] = field(default_factory=dict)
    remarks: dict[str, list[str]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    listening: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()
    openssh: str = ""
    lacking: set[str] = field(default_factory=set)
    others: Mapping[str, str] = field(default_factory=dict)

    def remark(self, chapter: str, *lines: str) -> None:
        """Say something about a chapter."""
        if lines:
            self.remarks.setdefault(chapter, []).extend(lines)

    def leave_out(self, what: str, why: object) -> None:
        """Say that something is not taken over."""
        reason = " ".join(str(why).split())
        self.left_out.append(f"{what}: {reason}")

    def managed(self, *titles: str) -> str:
        """Return which other stack manages one of these; "" if none does."""
        return next((why for title in titles if (why := self.others.get(record_name(title)))), "")

    def do_without(self, chapter: str, why: str) -> None:
        """Say that the host does without a chapter."""
        self.lacking.add(chapter)
        self.leave_out(chapter, why)


def read(host: Host, progress: Progress = lambda _step: None, stack: str = "") -> Reading:
    """Read everything. A chapter that cannot be read is left out, and so is one that a stack besides `stack` manages.

    Raises HostError if the host cannot be looked at, or is no longer there.
    """
    progress("accounts")
    found = Reading(survey(host), others=_others(host, stack))
    for step, look in _STEPS.items():
        progress(step)
        try:
            if why := found.managed(*_TITLES.get(step, ())):
                found.leave_out(step, why)
            else:
                look(host, found)
        except (HostError, Failure) as error:
            if isinstance(error, HostError) and error.not_reached:
                raise
            found.leave_out(step, _without_place(error, host, *_TITLES.get(step, ())))
        except ValidationError as error:
            faults: list[Any] = error.errors(include_input=False, include_url=False)
            found.leave_out(step, "; ".join(str(fault["msg"]).removeprefix("Value error, ") for fault in faults))
        except ValueError as error:
            found.leave_out(step, error)
    return found


def _others(host: Host, stack: str) -> dict[str, str]:
    """Return which other stack manages what, by the names of its records."""
    answer = host.read(LEDGER)
    with understanding(host.name, "", LEDGER.step):
        owners = ledger(answer).owners
    return {
        name: f"the stack {one_line(owner.stack)[:60]} of the project {one_line(owner.project)[:60]} manages it"
        for name, owner in owners.items()
        if owner.stack != stack
    }


def _without_place(error: Exception, host: Host, *titles: str) -> str:
    """Return an error without what the reader knows already: which host, what was read, what it was to be."""
    text = f"{error.message} {error.hint}".strip() if isinstance(error, HostError) else str(error)
    for prefix in (host.name, *titles, "cannot be imported"):
        text = text.removeprefix(f"{prefix}: ")
    return text


def _look(chapter: Chapter[I, F], host: Host, **named: Any) -> I | None:
    inputs = chapter.inputs.model_validate({"host": host.name, **chapter.sought(), **named})
    return Transaction(chapter, host, inputs).look()


def _observe(chapter: Chapter[I, F], host: Host, inputs: I) -> F:
    return Transaction(chapter, host, inputs).observe()


def _declare(found: Reading, chapter: str, settings: Settings) -> None:
    found.settings[chapter] = _set(settings)


def _set(settings: Settings) -> dict[str, Any]:
    """Return the settings that are not defaults."""
    return settings.model_dump(by_alias=True, mode="json", exclude_defaults=True)


def _users(host: Host, found: Reading) -> None:
    users = []
    for account in found.survey.accounts:
        if account.name == "root" or account.name in SYSTEM_NAMES:
            continue
        if why := found.managed(f"user {account.name}"):
            found.leave_out(f"user {account.name}", why)
            continue
        try:
            inputs = _look(UserChapter(), host, name=account.name)
            if inputs is None:
                continue
            if inputs.sudo == "none" and (ends_logins(account.shell) or not inputs.keys):
                continue  # nobody logs in with it
            users.append(_set(UserSettings.of(inputs)))
            found.remark("users", *_about_sudo(inputs.name, inputs.sudo, found.survey.sudo.get(account.name, ())))
        except (Failure, HostError, ValueError) as error:
            if isinstance(error, HostError) and error.not_reached:
                raise
            found.leave_out(f"user {account.name}", _without_place(error, host, f"user {account.name}"))
    if users:
        found.settings["users"] = users


def _about_sudo(name: str, sudo: str, allowed: Sequence[str]) -> list[str]:
    """Return what no setting says about what sudo allows a user, by the lines of `sudo -l`."""
    rules = "; ".join(allowed)
    if sudo == "none":
        return [f"{name}: sudo for some commands stays as it is: {rules}"] if rules else []
    if "!" in rules:
        return [f"TODO: {name}: sudo has exceptions, which end with any change of this user: {rules}"]
    return []


def _firewall(host: Host, found: Reading) -> None:
    kept = _look(KeptChapter(), host)
    if kept is not None:
        _declare(found, "firewall", FirewallSettings(keep=kept.program))
        found.remark("firewall", f"{kept.program} manages the rules; Stockade watches them")
        return
    try:
        rulesets = {family: _look(RulesetChapter(), host, family=family, rules="") for family in Family}
    except Managed as error:
        found.leave_out("firewall", f"{error.why}; what it lets in stays as it is")
        return
    known = {family: inputs for family, inputs in rulesets.items() if inputs is not None}
    if not any(_filters(inputs) for inputs in known.values()):
        found.do_without("firewall", "no rule filters anything: every listener can be reached")
        return
    _declare(found, "firewall", firewall_settings(known))
    others = [chain for chain in found.survey.chains if of_a_program(chain)]
    if others:
        found.remark("firewall", f"Left to the programs that fill them: {', '.join(others)}")
    for family, inputs in known.items():
        found.remark("firewall", *(f"{family}: {line}" for line in inputs.exposure.splitlines()))


def _filters(inputs: RulesetInputs) -> bool:
    tables = inputs.declared.tables
    return any(chain.rules or chain.policy == "DROP" for table in tables for chain in table.chains)


def firewall_settings(rulesets: Mapping[Family, RulesetInputs]) -> FirewallSettings:
    """Return the settings that declare these rules. Raises ValueError if none do."""
    values = typed_rules({family: inputs.rules for family, inputs in rulesets.items()})
    beside = sorted({one for inputs in rulesets.values() for one in inputs.beside})
    if beside:
        values["beside"] = beside
    if not all(inputs.persistent for inputs in rulesets.values()):
        values["persistent"] = False
    return FirewallSettings.model_validate(values)


def _sysctl(host: Host, found: Reading) -> None:
    if (inputs := _look(SysctlChapter(), host)) is not None:
        _declare(found, "sysctl", SysctlSettings.of(inputs))


def _sshd(host: Host, found: Reading) -> None:
    chapter = SshdChapter()
    admin = host.access.admin.user if host.access.admin else ""
    inputs = _look(chapter, host, admin=admin, **_given(settings=found.survey.sshd_settings))
    if inputs is None:
        return
    seen = _observe(chapter, host, inputs)
    found.openssh = seen.version
    if not chapter.in_force(inputs, seen):
        found.leave_out("sshd", f"not the same for every login: {chapter.differences(inputs, seen)}")
        return
    _declare(found, "sshd", SshdSettings.of(inputs))
    if found.survey.matches:
        found.remark("sshd", "Match blocks stay as they are:", *found.survey.matches)


def _given(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _whole(
    name: str, chapter: Chapter[I, F], settings: Callable[[I], Settings], missing: str
) -> Callable[[Host, Reading], None]:
    """Return the step for a chapter that a host has as a whole or not at all. `missing`: what is said if not."""

    def look(host: Host, found: Reading) -> None:
        inputs = _look(chapter, host)
        if inputs is None:
            found.do_without(name, missing)
        else:
            _declare(found, name, settings(inputs))

    return look


_fail2ban = _whole("fail2ban", Fail2BanChapter(), Fail2BanSettings.of, "it is not installed")
_updates = _whole("updates", UpdateChapter(), UpdateSettings.of, "nothing installs updates by itself")
_time_sync = _whole("timeSync", TimeSyncChapter(), TimeSyncSettings.of, "no time daemon that Stockade knows is running")


def _listeners(host: Host, found: Reading) -> None:
    chapter = ListenerChapter()
    inputs = _look(chapter, host)
    if inputs is None:
        return
    _declare(found, "listeners", ListenerSettings.of(inputs))
    seen = _observe(chapter, host, inputs)
    found.listening = seen.listening
    found.remark("listeners", *seen.listening)


def _packages(host: Host, found: Reading) -> None:
    """Say which packages the chapters would install, as the last step: `up` must not install them."""
    needs = Hardening.model_validate(found.settings).needs()
    inputs = PackageInputs(host=host.name, present=needs.present, absent=(*needs.absent, *UNNECESSARY))
    try:
        if why := found.managed("packages"):
            raise Failure(why)
        seen: PackageFacts = _observe(PackageChapter(), host, inputs)
    except (HostError, Failure):
        found.settings["packages"] = {"without": sorted({*needs.present})}  # then `up` asks for none
        if needs.absent:
            found.settings.pop("timeSync")
            found.leave_out("timeSync", "its packages are not known")
        raise
    missing = sorted({*needs.present} - {*seen.installed})
    if missing:
        found.settings["packages"] = {"without": missing}
    unwanted = sorted({*inputs.absent} & {*seen.installed})
    if set(unwanted) & {*needs.absent}:
        found.settings.pop("timeSync", None)
        found.leave_out("timeSync", f"more than one time daemon is installed: {', '.join(unwanted)}")
    found.unwanted = tuple(sorted({*UNNECESSARY} & {*seen.installed}))
    if found.unwanted:
        found.remark("packages", f"installed, and of a kind that the guide removes: {', '.join(found.unwanted)}")


_STEPS: Mapping[str, Callable[[Host, Reading], None]] = {
    "users": _users,
    "firewall": _firewall,
    "sysctl": _sysctl,
    "sshd": _sshd,
    "fail2ban": _fail2ban,
    "updates": _updates,
    "timeSync": _time_sync,
    "listeners": _listeners,
    "packages": _packages,
}
_TITLES: Mapping[str, Sequence[str]] = {
    "firewall": ("firewall ipv4", "firewall ipv6", "firewall kept"),
    "sysctl": ("sysctl",),
    "sshd": ("sshd",),
    "fail2ban": ("fail2ban",),
    "updates": ("automatic updates",),
    "timeSync": ("time sync",),
    "listeners": ("listeners",),
}
"""The titles of the resources of a step, by which a host's record names what a stack manages there."""

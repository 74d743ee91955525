"""`Fail2Ban`: bans addresses after too many failed logins.

What is compared and verified is what the running server answers for each jail, not what is written in files. A change
keeps the present bans. Source: the guide, "Use Fail2Ban for SSH Login Protection"; jail.conf(5), fail2ban-client(1).
"""

import json
from collections.abc import Mapping
from typing import Any, Literal

from pulumi import ComponentResource, Input, Output, ResourceOptions
from pydantic import field_validator

from components.core.chapter import Chapter, ChapterInputs, KnownState, Model
from components.core.dynamic import HostProvider
from components.core.resource import HostResource
from components.core.waiting import waiting
from components.fail2ban.settings import (
    KEPT,
    Fail2BanSettings,
    Jail,
    as_declared,
    filled,
    found_in,
    jails_in,
    same_addresses,
    seconds,
    with_value,
)
from components.fail2ban.shell import APPLY, EXITS, HEAD, OBSERVE, RESTORE, UNIT
from components.packages.chapter import Packages
from hosts.shell import Answer, Script
from hosts.system.files import FileState, file_state
from hosts.system.services import service_states

PACKAGES = ("fail2ban", "iptables", "python3-systemd")
"""What the chapter needs: Debian 12 has no auth.log, and fail2ban reads the journal through python3-systemd."""

STARTED_HERE = (UNIT,)
"""What does not start when it is installed: with Debian's own jail it would ban the operator, whose admin login failed
as long as there was no such user."""

DROP_IN = "/etc/fail2ban/jail.d/zz-stockade.local"
"""Read last (jail.conf(5)): what it says holds."""

_NUMBERS = ("maxretry", "findtime", "bantime")
_RELOADED = frozenset({*_NUMBERS, "ignoreip"})
"""Values that a reload changes in a running jail; all others need the jail to be started anew."""


class JailsInputs(ChapterInputs):
    """Inputs of `Fail2BanJails`.

    `config`: the jails, in the format of jail.conf(5); `%(stockade_backend)s` and `%(stockade_operator)s` stand for the
    backend that works on the host and the address that the operator connects from, `%(stockade_kept_JAIL)s` for what
    the host's other files say in `ignoreip` for that jail. `enabled`: running, also after a
    boot; without it, fail2ban is stopped.
    """

    config: str
    enabled: bool = True

    @field_validator("config")
    @classmethod
    def _whole_lines(cls, text: str) -> str:
        return text.strip("\n") + "\n" if text.strip() else ""

    @property
    def jails(self) -> dict[str, Jail]:
        """The jails that are to run, by name."""
        return {name: jail for name, jail in jails_in(self.config).items() if jail.enabled}


class JailFacts(Model):
    """What the running server answers for one jail: numbers (times in seconds) and addresses as it prints them."""

    maxretry: str
    findtime: str
    bantime: str
    ignoreip: tuple[str, ...] = ()


class JailsFacts(Model):
    """What a host shows.

    `dropin`: our file. `enabled`, `active`: the unit, in systemctl's words. `jails`: of the declared ones, those that
    run. `unenforced`: those with bans of which the firewall has no rule. `local`: files that the administrator wrote.
    `ignored`: lines about `ignoreip` in files that are not ours.
    """

    dropin: FileState = FileState(DROP_IN, False)
    enabled: str = "absent"
    active: str = "inactive"
    jails: dict[str, JailFacts] = {}
    unenforced: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def declared(self) -> str:
        """The part of the file that was declared, without the head that the host's own values make."""
        content = self.dropin.unpacked().content
        head, found, rest = content.partition("\n\n")
        return rest if found and head.startswith(HEAD) else content

    @property
    def found(self) -> dict[str, str]:
        """What was found on the host when our file was written."""
        return found_in(self.dropin.unpacked().content)


Seen = KnownState[JailsInputs, JailsFacts]


class JailsChapter(Chapter[JailsInputs, JailsFacts]):
    """Fail2Ban's jails on a host."""

    inputs = JailsInputs
    facts = JailsFacts

    def title(self, inputs: JailsInputs) -> str:
        return "fail2ban"

    def observe(self, inputs: JailsInputs) -> Script:
        values = {"dropin": DROP_IN, "jails": " ".join(inputs.jails)}
        return Script("look at fail2ban", OBSERVE, values, exits=EXITS)

    def parse(self, inputs: JailsInputs, answer: Answer) -> JailsFacts:
        part = answer.sections
        unit = service_states(part["unit"])[UNIT]
        answers = [json.loads(line) for line in part["jails"].splitlines()]
        each = len(_NUMBERS) + 2
        jails: dict[str, JailFacts] = {}
        unenforced = []
        jumps = set(part["jumps"].splitlines())
        for index, (name, jail) in enumerate(inputs.jails.items()):
            told = answers[index * each : (index + 1) * each]
            if len(told) < each or None in told:
                continue
            *numbers, ignored, status = told
            values = dict(zip(_NUMBERS, map(str, numbers), strict=True))
            jails[name] = JailFacts(**values, ignoreip=tuple(ignored))
            banned = _banned(status)
            tools = {"ip6tables" if ":" in address else "iptables" for address in banned}
            if jail.uses_iptables and not {f"{tool} {name}" for tool in tools} <= jumps:
                unenforced.append(name)
        return JailsFacts(
            dropin=file_state(part, "dropin").packed(),
            enabled=unit.enabled,
            active=unit.active,
            jails=jails,
            unenforced=tuple(unenforced),
            local=tuple(path for path in part["local"].split() if path != DROP_IN),
            ignored=tuple(part.get("ignored", "").splitlines()),
        )

    def apply(self, inputs: JailsInputs, known: Seen) -> Script:
        values = {
            "dropin": DROP_IN,
            "config": inputs.config,
            "enabled": "yes" if inputs.enabled else "",
            "jails": " ".join(inputs.jails),
            "restarts": " ".join(_restarts(known.last, inputs)),
        }
        return Script("set up fail2ban", APPLY, values, exits=EXITS)

    def restore(self, inputs: JailsInputs, known: Seen) -> Script:
        prior = known.prior or JailsFacts()
        values = {
            "dropin": DROP_IN,
            "jails": " ".join(inputs.jails),
            "prior_enabled": prior.enabled,
            "prior_active": prior.active,
            **prior.dropin.unpacked().values("prior"),
        }
        return Script("put fail2ban's prior settings back", RESTORE, values, exits=EXITS)

    def differences(self, inputs: JailsInputs, seen: JailsFacts) -> str:
        if as_declared(seen.declared, inputs.config) != inputs.config:
            return f"{DROP_IN} is not as declared"
        if not inputs.enabled:
            return f"the service is {seen.active}" if seen.active == "active" else ""
        if seen.active != "active" or seen.enabled != "enabled":
            return f"the service is {seen.enabled} and {seen.active}"
        return "; ".join(_differences(inputs, seen))

    def as_observed(self, inputs: JailsInputs, known: Seen, seen: JailsFacts) -> JailsInputs:
        config, enabled = as_declared(seen.declared, inputs.config), inputs.enabled
        if not inputs.enabled:
            enabled = seen.active == "active"
        elif seen.active != "active" or seen.enabled != "enabled" or seen.unenforced:
            enabled = False
        else:
            config = _in_force(inputs, seen, known.recorded)
        return inputs.model_copy(update={"config": config, "enabled": enabled})

    def already_configured(self, inputs: JailsInputs, seen: JailsFacts) -> str:
        there = [*seen.local, *([DROP_IN] if seen.dropin.exists else [])]
        return f"fail2ban is configured already, in {' and '.join(there)}" if there else ""


class JailsProvider(HostProvider[JailsInputs, JailsFacts]):
    """Pulumi's CRUD for `Fail2BanJails`."""

    chapter = JailsChapter()


class Fail2BanJails(HostResource, module="stockade", name="Fail2BanJails"):
    """Fail2Ban's jails on one host; fail2ban must be installed. Properties: those of `JailsInputs`."""

    config: Output[str]
    observed: Output[Mapping[str, Any]]

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        super().__init__(JailsProvider(), name, {**props, "observed": None}, opts)


class Fail2Ban(ComponentResource):
    """Fail2Ban on one host, installed and running.

    Args:
        name: of the component.
        host: the host's name in the stack config.
        settings: jails and their limits; by default sshd's, with fail2ban's own limits.
        connection: how to reach the host, where the stack config does not say.
        existing: `adopt` a configuration that is there already (delete puts it back) or `fail`.
        packages: what installs `PACKAGES`; None: the component brings its own.
        opts: resource options.

    Outputs: `enforced`, one line for each jail.
    """

    enforced: Output[dict[str, str]]

    def __init__(
        self,
        name: str,
        host: str,
        settings: Fail2BanSettings | None = None,
        *,
        connection: Mapping[str, Input[Any]] | None = None,
        existing: Literal["adopt", "fail", "takeOver"] = "adopt",
        packages: Packages | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        opts, before = waiting(opts)
        super().__init__("stockade:index:Fail2Ban", name, {}, opts)
        settings = settings or Fail2BanSettings()
        retain = opts.retain_on_delete if opts else None
        common: dict[str, Any] = {"host": host, "connection": connection}
        if packages is None:
            child = ResourceOptions(parent=self, depends_on=before, retain_on_delete=retain)
            wanted = {**common, "present": PACKAGES, "unstarted": STARTED_HERE}
            packages = Packages(f"{name}-fail2ban-packages", wanted, child)
        child = ResourceOptions(parent=self, depends_on=[*before, packages], retain_on_delete=retain)
        common |= {"existing": existing, "triggers": packages.came_back(*PACKAGES)}
        jails = Fail2BanJails(name, {**common, **settings.props()}, child)
        self.enforced = jails.config.apply(lambda text: _told(text) if settings.enabled else {})
        self.register_outputs({"enforced": self.enforced})


def _banned(status: Any) -> list[str]:
    """Return the addresses in the answer to `status JAIL`: pairs of a title and a value, in groups."""
    pairs = [pair for _, group in status for pair in group]
    return [address for title, value in pairs if str(title).endswith("IP list") for address in value]


def _restarts(last: JailsInputs | None, inputs: JailsInputs) -> list[str]:
    """Name the jails that a reload alone would leave with their old actions or logs."""
    before = last.jails if last and last.enabled else {}
    names = dict.fromkeys((*before, *inputs.jails))
    return [
        name
        for name in names
        if name not in before
        or name not in inputs.jails
        or before[name].without(_RELOADED) != inputs.jails[name].without(_RELOADED)
    ]


def _expected_addresses(jail: Jail, seen: JailsFacts) -> list[str]:
    return filled(jail.value("ignoreip"), seen.found).split()


def _differences(inputs: JailsInputs, seen: JailsFacts) -> list[str]:
    out = []
    for name, jail in inputs.jails.items():
        facts = seen.jails.get(name)
        if facts is None:
            out.append(f"jail {name} does not run")
            continue
        for key in _NUMBERS:
            shown: str = getattr(facts, key)
            if jail.value(key) and seconds(jail.value(key)) != seconds(shown):
                out.append(f"jail {name} has {key} = {shown}, not {jail.value(key)}")
        if jail.value("ignoreip") and not same_addresses(_expected_addresses(jail, seen), facts.ignoreip):
            out.append(f"jail {name} ignores {' '.join(facts.ignoreip)}")
    return out


def _in_force(inputs: JailsInputs, seen: JailsFacts, recorded: JailsFacts | None) -> str:
    """Return the text that stands in the file, with the values that the server really uses."""
    changed = recorded is not None and recorded.ignored != seen.ignored
    text = as_declared(seen.declared, inputs.config)
    there = jails_in(text)
    for name, jail in inputs.jails.items():
        if name not in there:
            continue
        facts = seen.jails.get(name)
        if facts is None:
            text = with_value(text, name, "enabled", "false")
            continue
        for key in _NUMBERS:
            shown: str = getattr(facts, key)
            if jail.value(key) and seconds(jail.value(key)) != seconds(shown):
                text = with_value(text, name, key, shown)
        kept = KEPT.format(jail=name) in jail.value("ignoreip")
        if (kept and changed) or (
            jail.value("ignoreip") and not same_addresses(_expected_addresses(jail, seen), facts.ignoreip)
        ):
            text = with_value(text, name, "ignoreip", " ".join(facts.ignoreip))
    return text


def _told(text: str) -> dict[str, str]:
    return {
        name: f"{jail.value('maxretry')} failures in {jail.value('findtime')}: banned for {jail.value('bantime')}"
        for name, jail in jails_in(text).items()
        if jail.enabled
    }

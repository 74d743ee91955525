"""Fail2Ban's jails: how they are observed, put in force and removed.

Compared and verified is what the running server reports for each jail, not what the files say. A change keeps the
current bans. Source: the guide, "Use Fail2Ban for SSH Login Protection"; jail.conf(5), fail2ban-client(1).
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from components.core.chapter import Chapter, KnownState
from components.fail2ban.jails import (
    JAIL_NAME,
    Jail,
    as_declared,
    filled,
    jails_in,
    same_addresses,
    seconds,
    with_value,
)
from components.fail2ban.settings import (
    DROP_IN,
    HEAD,
    KEPT,
    LOOPBACK,
    NUMBERS,
    UNIT,
    Fail2BanFacts,
    Fail2BanInputs,
    JailFacts,
)
from components.failure import Failure
from hosts.scripts import script
from hosts.shell import Answer, Script
from hosts.system.files import FILE_EXITS, file_state
from hosts.system.services import service_states

ABSENT = 69
REFUSED = 70
NOT_STARTED = 71
OVERRULED = 72

EXITS = {
    **FILE_EXITS,
    ABSENT: "fail2ban is not installed on the host",
    REFUSED: "fail2ban refuses this configuration; nothing was changed",
    NOT_STARTED: "fail2ban does not run its jails; see /var/log/fail2ban.log on the host",
    OVERRULED: "another fail2ban file is read later and overrides this; nothing was changed. Remove there",
}

_RELOADED = frozenset({*NUMBERS, "ignoreip"})
"""Values that a reload changes in a running jail. Any other requires restarting the jail."""


Seen = KnownState[Fail2BanInputs, Fail2BanFacts]


class Fail2BanChapter(Chapter[Fail2BanInputs, Fail2BanFacts]):
    """Fail2Ban's jails on a host."""

    inputs = Fail2BanInputs
    facts = Fail2BanFacts
    importable = ("fail2ban",)

    def title(self, inputs: Fail2BanInputs) -> str:
        return "fail2ban"

    def observe(self, inputs: Fail2BanInputs) -> Script:
        values = {"dropin": DROP_IN, "jails": " ".join(inputs.jails)}
        return Script("look at fail2ban", script("components/fail2ban/observe.sh"), values, exits=EXITS)

    def parse(self, inputs: Fail2BanInputs, answer: Answer) -> Fail2BanFacts:
        part = answer.sections
        unit = service_states(part["unit"])[UNIT]
        answers = [json.loads(line) for line in part["jails"].splitlines()]
        each = len(NUMBERS) + 2
        jails: dict[str, JailFacts] = {}
        unenforced = []
        jumps = set(part["jumps"].splitlines())
        for index, (name, jail) in enumerate(inputs.jails.items()):
            of_jail = answers[index * each : (index + 1) * each]
            if len(of_jail) < each or None in of_jail:
                continue
            *numbers, ignored, status = of_jail
            values = dict(zip(NUMBERS, map(str, numbers), strict=True))
            jails[name] = JailFacts(**values, ignoreip=tuple(ignored))
            banned = _banned(status)
            tools = {"ip6tables" if ":" in address else "iptables" for address in banned}
            if jail.uses_iptables and not {f"{tool} {name}" for tool in tools} <= jumps:
                unenforced.append(name)
        return Fail2BanFacts(
            dropin=file_state(part, "dropin").packed(),
            enabled=unit.enabled,
            active=unit.active,
            jails=jails,
            unenforced=tuple(unenforced),
            local=tuple(path for path in part["local"].split() if path != DROP_IN),
            ignored=tuple(part.get("ignored", "").splitlines()),
        )

    def apply(self, inputs: Fail2BanInputs, known: Seen) -> Script:
        values = {
            "dropin": DROP_IN,
            "head": HEAD,
            "config": inputs.config,
            "enabled": "yes" if inputs.enabled else "",
            "jails": " ".join(inputs.jails),
            "restarts": " ".join(_restarts(known.last, inputs)),
        }
        return Script("set up fail2ban", script("components/fail2ban/apply.sh"), values, exits=EXITS)

    def restore(self, inputs: Fail2BanInputs, known: Seen) -> Script:
        prior = known.prior or Fail2BanFacts()
        values = {
            "dropin": DROP_IN,
            "jails": " ".join(inputs.jails),
            "prior_enabled": prior.enabled,
            "prior_active": prior.active,
            **prior.dropin.unpacked().values("prior"),
        }
        body = script("components/fail2ban/restore.sh")
        return Script("restore fail2ban's prior settings", body, values, exits=EXITS)

    def differences(self, inputs: Fail2BanInputs, seen: Fail2BanFacts) -> str:
        if as_declared(seen.declared, inputs.config) != inputs.config:
            return f"{DROP_IN} is not as declared"
        if not inputs.enabled:
            return f"the service is {seen.active}" if seen.active == "active" else ""
        if seen.active != "active" or seen.enabled != "enabled":
            return f"the service is {seen.enabled} and {seen.active}"
        return "; ".join(_differences(inputs, seen))

    def as_observed(self, inputs: Fail2BanInputs, known: Seen, seen: Fail2BanFacts) -> Fail2BanInputs:
        config, enabled = as_declared(seen.declared, inputs.config), inputs.enabled
        if not inputs.enabled:
            enabled = seen.active == "active"
        elif seen.active != "active" or seen.enabled != "enabled" or seen.unenforced:
            enabled = False
        else:
            config = _in_force(inputs, seen, known.recorded)
        return inputs.model_copy(update={"config": config, "enabled": enabled})

    def sought(self) -> Mapping[str, Any]:
        return {"config": ""}

    def existing(self, inputs: Fail2BanInputs, seen: Fail2BanFacts, answer: Answer) -> Fail2BanInputs | None:
        """Our file if there is one; otherwise the running jails with the values in force."""
        if seen.enabled == "absent":
            return None
        if (seen.active == "active") != (seen.enabled == "enabled"):
            raise Failure(
                f"{inputs.host}: fail2ban: cannot be imported: its service is {seen.active} now, and {seen.enabled} at "
                "boot: neither on nor off"
            )
        if seen.active != "active":
            return inputs.model_copy(update={"enabled": False, "config": seen.declared})
        running = "".join(f"[{name}]\nenabled = true\n" for name in _running(answer))
        config = seen.declared or inputs.config or running
        if seen.declared or config != inputs.config:
            return inputs.model_copy(update={"config": config})
        for name, jail in seen.jails.items():
            for key in NUMBERS:
                config = with_value(config, name, key, getattr(jail, key))
            config = with_value(config, name, "ignoreip", " ".join(jail.ignoreip))
        return inputs.model_copy(update={"config": config})

    def in_force(self, inputs: Fail2BanInputs, seen: Fail2BanFacts) -> bool:
        """Whether the running jails are as declared, whichever file says so."""
        if seen.dropin.exists or not inputs.enabled:
            return super().in_force(inputs, seen)
        if (seen.active, seen.enabled) != ("active", "enabled") or seen.unenforced:
            return False
        for name, jail in inputs.jails.items():
            facts = seen.jails.get(name)
            ignored = jail.value("ignoreip").replace(KEPT.format(jail=name), "").split()
            if facts is None or not {*ignored} - {*LOOPBACK} <= {*facts.ignoreip}:
                return False
            if any(seconds(jail.value(key)) != seconds(getattr(facts, key)) for key in NUMBERS if jail.value(key)):
                return False
        return True

    def already_configured(self, inputs: Fail2BanInputs, seen: Fail2BanFacts) -> str:
        there = [*seen.local, *([DROP_IN] if seen.dropin.exists else [])]
        return f"fail2ban is configured already, in {' and '.join(there)}" if there else ""


def _banned(status: Any) -> list[str]:
    """Return the addresses in the reply to `status JAIL`: pairs of a title and a value, in groups."""
    pairs = [pair for _, group in status for pair in group]
    return [address for title, value in pairs if str(title).endswith("IP list") for address in value]


def _running(answer: Answer) -> list[str]:
    """Return the names of the running jails, from the reply to `status`."""
    replies = answer.sections["running"].splitlines()
    status = json.loads(replies[0]) if replies else None
    found = {str(title): str(value) for title, value in status or ()}
    return sorted(name for name in re.split(r"[,\s]+", found.get("Jail list", "")) if JAIL_NAME.fullmatch(name))


def _restarts(last: Fail2BanInputs | None, inputs: Fail2BanInputs) -> list[str]:
    """Return the jails that would keep their old actions or logs if only reloaded."""
    before = last.jails if last and last.enabled else {}
    names = dict.fromkeys((*before, *inputs.jails))
    return [
        name
        for name in names
        if name not in before
        or name not in inputs.jails
        or before[name].without(_RELOADED) != inputs.jails[name].without(_RELOADED)
    ]


def _expected_addresses(jail: Jail, seen: Fail2BanFacts) -> list[str]:
    return filled(jail.value("ignoreip"), seen.found).split()


def _differences(inputs: Fail2BanInputs, seen: Fail2BanFacts) -> list[str]:
    out = []
    for name, jail in inputs.jails.items():
        facts = seen.jails.get(name)
        if facts is None:
            out.append(f"jail {name} does not run")
            continue
        for key in NUMBERS:
            actual: str = getattr(facts, key)
            if jail.value(key) and seconds(jail.value(key)) != seconds(actual):
                out.append(f"jail {name} has {key} = {actual}, not {jail.value(key)}")
        if jail.value("ignoreip") and not same_addresses(_expected_addresses(jail, seen), facts.ignoreip):
            out.append(f"jail {name} ignores {' '.join(facts.ignoreip)}")
    return out


def _in_force(inputs: Fail2BanInputs, seen: Fail2BanFacts, recorded: Fail2BanFacts | None) -> str:
    """Return the text of the file, with the values that the server actually uses."""
    changed = recorded is not None and recorded.ignored != seen.ignored
    ours = recorded is None or recorded.dropin.exists or seen.dropin.exists  # else imported, and not applied yet
    text = as_declared(seen.declared, inputs.config) if ours else inputs.config
    there = jails_in(text)
    for name, jail in inputs.jails.items():
        if name not in there:
            continue
        facts = seen.jails.get(name)
        if facts is None:
            text = with_value(text, name, "enabled", "false")
            continue
        for key in NUMBERS:
            actual: str = getattr(facts, key)
            if jail.value(key) and seconds(jail.value(key)) != seconds(actual):
                text = with_value(text, name, key, actual)
        kept = KEPT.format(jail=name) in jail.value("ignoreip")
        if (kept and changed) or (
            jail.value("ignoreip") and not same_addresses(_expected_addresses(jail, seen), facts.ignoreip)
        ):
            text = with_value(text, name, "ignoreip", " ".join(facts.ignoreip))
    return text

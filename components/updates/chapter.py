"""Automatic updates of a host: how they are observed, put in force and restored.

Compared and verified is what apt itself reads from all its files (`apt-config dump`), and whether the timers run.
Source: the guide, "Automatic Security Updates"; apt.conf(5), /usr/lib/apt/apt.systemd.daily.
"""

import re
from dataclasses import replace
from typing import Any

from components.core.chapter import Chapter, KnownState
from components.updates.dnf import DnfAutomatic, dnf_text, parse, sysconfig_text, yum_text
from components.updates.settings import DROP_IN, SECURITY, WITHOUT_CODENAME, UpdateFacts, UpdateInputs
from hosts.scripts import script
from hosts.shell import Answer, Script
from hosts.system.distro import UNSUPPORTED_EXIT
from hosts.system.files import FILE_EXITS, file_state
from hosts.system.services import service_states

ABSENT = 69
REFUSED = 70
NO_MAIL = 71
NO_SOURCES = 82
NO_UPDATER = 83
NO_REBOOT = 84
NO_CODENAME = 85
NO_TIMER = 86
MASKED = 87
OVERRULED = 88
SELDOM = 89

EXITS = {
    **FILE_EXITS,
    **UNSUPPORTED_EXIT,
    MASKED: "the service that installs updates is masked, so no timer can start it; nothing was changed. Run "
    "`systemctl unmask`, or set `updates: false` for this host",
    OVERRULED: "another apt file is read later and overrides this; nothing was changed. Remove there",
    SELDOM: "a timer starts updates less often than every three days; nothing was changed. Remove what sets it",
    ABSENT: "the program that installs updates (unattended-upgrades, dnf5-automatic, dnf-automatic, yum-cron) is "
    "missing",
    NO_UPDATER: "this distribution has no unattended updates; set `updates: false` for this host",
    NO_SOURCES: "dnf-automatic, dnf5-automatic and yum-cron do not support `origins`: leave them out for this host",
    NO_REBOOT: "this host's updates cannot reboot it at that time (dnf 4.15 and unattended-upgrades 0.80 can): leave "
    "`rebootTime` out for this host",
    NO_CODENAME: "unattended-upgrades before 0.80 supports no codename in `origins`: use `archive` or `label`",
    NO_TIMER: "nothing on this host can start updates every day; install cron",
    REFUSED: "apt does not understand the settings; nothing was changed",
    NO_MAIL: "`mail` is set, but the host cannot send mail: install a mail program (bsd-mailx) and a mail server, "
    "or leave `mail` out",
}

Seen = KnownState[UpdateInputs, UpdateFacts]


class UpdateChapter(Chapter[UpdateInputs, UpdateFacts]):
    """Automatic updates of a host."""

    inputs = UpdateInputs
    facts = UpdateFacts
    importable = ("automatic updates",)

    def title(self, inputs: UpdateInputs) -> str:
        return "automatic updates"

    def observe(self, inputs: UpdateInputs) -> Script:
        return Script("read the update settings", script("components/updates/observe.sh"), exits=EXITS)

    def parse(self, inputs: UpdateInputs, answer: Answer) -> UpdateFacts:
        part = answer.sections
        states = service_states(part["timers"])
        common = UpdateFacts(
            dropin=file_state(part, "dropin").packed(),
            timers=tuple(f"{state.enabled} {state.active}" for state in states.values()),
            names=tuple(states),
            masked=tuple(part.get("masked", "").split()),
            seldom=tuple(line.partition(":")[0] for line in part.get("seldom", "").splitlines()),
            installed=bool(part["program"].strip()),
        )
        program, _, distro = part["updater"].strip().partition(" ")
        if program != "unattended-upgrades":
            found = parse(part["config"])
            if (program, distro) == ("yum-cron", "centos"):  # all updates: its repositories do not mark them
                found = replace(found, security=True)
            return common.model_copy(update=_dnf_facts(found))
        lines = re.findall(r'^(\S+) "(.*)";$', part["config"], re.M)
        last = {name.lower(): value for name, value in lines}
        lists = ("unattended-upgrade::origins-pattern::", "unattended-upgrade::allowed-origins::")
        origins = tuple(value for name, value in lines if name.lower() in lists)
        return common.model_copy(
            update={
                "periodic": (
                    last.get("apt::periodic::enable", ""),
                    last.get("apt::periodic::update-package-lists", ""),
                    last.get("apt::periodic::unattended-upgrade", ""),
                ),
                "origins": SECURITY if origins == WITHOUT_CODENAME else origins,
                "reboot": last.get("unattended-upgrade::automatic-reboot", "").lower() in ("true", "1", "yes", "on"),
                "reboot_time": last.get("unattended-upgrade::automatic-reboot-time", ""),
                "mail": last.get("unattended-upgrade::mail", ""),
                "mail_report": last.get("unattended-upgrade::mailreport", ""),
            }
        )

    def apply(self, inputs: UpdateInputs, known: Seen) -> Script:
        values = {
            "text_apt": inputs.text(),
            "text_dnf": dnf_text(inputs.dnf()),
            "text_yum": yum_text(inputs.dnf()),
            "text_sysconfig": sysconfig_text(inputs.dnf()),
            "sources": "" if inputs.origins == SECURITY else "others",
            "reboot_time": inputs.reboot_time or "",
            "enabled": "yes" if inputs.enabled else "",
            "mail": inputs.mail or "",
        }
        return Script("set up automatic updates", script("components/updates/apply.sh"), values, exits=EXITS)

    def restore(self, inputs: UpdateInputs, known: Seen) -> Script:
        prior = known.prior or UpdateFacts()
        timers = {f"timer_{number}": state for number, state in enumerate(prior.timers)}
        values = {**timers, **prior.dropin.unpacked().values("prior")}
        body = script("components/updates/restore.sh")
        return Script("restore the prior update settings", body, values, exits=EXITS)

    def differences(self, inputs: UpdateInputs, seen: UpdateFacts) -> str:
        in_force = _in_force(inputs, seen)
        if in_force == inputs:
            return ""
        wanted, there = inputs.props(), in_force.props()
        differing = [key for key in wanted if wanted[key] != there.get(key)] or ["rebootTime"]
        states = ", ".join(f"{name} is {state}" for name, state in zip(seen.names, seen.timers, strict=False))
        states += "".join(f", {name} starts it too rarely" for name in seen.seldom)
        return f"{', '.join(differing)} (in force: {seen.periodic}, {'; '.join(seen.origins)}; {states})"

    def as_observed(self, inputs: UpdateInputs, known: Seen, seen: UpdateFacts) -> UpdateInputs:
        return _in_force(inputs, seen)

    def existing(self, inputs: UpdateInputs, seen: UpdateFacts, answer: Answer) -> UpdateInputs | None:
        if not seen.installed:
            return None
        if not seen.on:
            return inputs.model_copy(update={"enabled": False})
        return _in_force(inputs.model_copy(update={"enabled": True, "mail": seen.mail or None}), seen)

    def already_configured(self, inputs: UpdateInputs, seen: UpdateFacts) -> str:
        bare = seen.dropin.path == DROP_IN or "dnf5-automatic.timer" in seen.names  # else a package has it
        return f"{seen.dropin.path} already exists" if seen.dropin.exists and bare else ""


def _dnf_facts(found: DnfAutomatic) -> dict[str, Any]:
    """Return the apt settings that would do the same."""
    return {
        "periodic": ("1", "1", "1") if found.apply else ("1", "1", "0"),
        "origins": SECURITY if found.security else ("all",),
        "reboot": bool(found.reboot),
        "reboot_time": found.reboot.removeprefix("shutdown -r "),
        "mail": found.mail,
        "mail_report": "",
    }


def _in_force(inputs: UpdateInputs, seen: UpdateFacts) -> UpdateInputs:
    """Return the inputs that describe what the host actually does."""
    if not inputs.enabled:
        return inputs.model_copy(update={"enabled": not seen.off})
    changes: dict[str, Any] = {"enabled": seen.on, "origins": seen.origins}
    changes["reboot_time"] = (seen.reboot_time or "now") if seen.reboot else None
    if inputs.mail:
        changes |= {"mail": seen.mail or None, "mail_report": seen.mail_report or inputs.mail_report}
    return inputs.model_copy(update=changes)

"""`AutomaticUpdates`: security updates installed every day, with nobody asked: by unattended-upgrades, dnf-automatic or
yum-cron.

What is compared and verified is what apt itself reads from all its files (`apt-config dump`) and whether the timers
run. Source: the guide, "Automatic Security Updates"; apt.conf(5), /usr/lib/apt/apt.systemd.daily.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pulumi import ComponentResource, Input, Output, ResourceOptions
from pydantic import AfterValidator, Field

from components.config.inventory import Settings
from components.core.chapter import Chapter, ChapterInputs, KnownState, Model
from components.core.dynamic import HostProvider
from components.core.host_resource import HostResource
from components.core.waiting import waiting
from components.packages.chapter import Packages
from components.updates.dnf import DnfAutomatic, dnf_text, parse, sysconfig_text, yum_text
from components.updates.shell import APPLY, EXITS, OBSERVE, RESTORE
from hosts.shell import Answer, Script
from hosts.system.files import FileState, file_state
from hosts.system.services import service_states

PACKAGES = ("unattended-upgrades",)
"""What the chapter needs on the host."""

DROP_IN = "/etc/apt/apt.conf.d/99stockade-updates"
"""Read after the package's own 20auto-upgrades and 50unattended-upgrades (apt.conf(5))."""

SECURITY = (
    "origin=Debian,codename=${distro_codename}-security,label=Debian-Security",
    "origin=Debian,codename=${distro_codename},label=Debian-Security",
    "origin=Ubuntu,archive=${distro_codename}-security",
    "origin=UbuntuESMApps,archive=${distro_codename}-apps-security",
    "origin=UbuntuESM,archive=${distro_codename}-infra-security",
)
"""The security sources of Debian and Ubuntu; those that a host does not have match nothing."""

WITHOUT_CODENAME = tuple(dict.fromkeys(re.sub(r",codename=[^,]*", "", origin) for origin in SECURITY))
"""The same for unattended-upgrades before 0.80, which stops at a codename; the label tells enough."""

_FIELD = r"(o|origin|a|archive|suite|l|label|c|component|n|codename|site)=[^,\"';\\\s]([^,\"';\\\n]*[^,\"';\\\s])?"
_NEVER = ("", "0")


def _origin(value: str) -> str:
    if not re.fullmatch(rf"{_FIELD}(,{_FIELD})*", value):
        raise ValueError(f"{value!r} names no source: 'origin=Debian,codename=${{distro_codename}}-security' would")
    return value


def _reboot_time(value: str) -> str:
    if value != "now" and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError(f"{value!r} is not a time of day (04:00) nor `now`")
    return value


def _mail_address(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._%+=-]+(@[A-Za-z0-9.-]+)?", value):
        raise ValueError(f"{value!r} is not a mail address nor a local user")
    return value


Origin = Annotated[str, AfterValidator(_origin)]
RebootTime = Annotated[str, AfterValidator(_reboot_time)]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
Report = Literal["always", "only-on-error", "on-change"]


class UpdateSettings(Settings):
    """What the stack config says under `stockade:updates`."""

    enabled: bool = Field(True, description="Install security updates every day; `false` turns it off.")
    origins: tuple[Origin, ...] = Field(
        SECURITY, min_length=1, description="Sources to update from. Default: the security sources alone."
    )
    reboot_time: RebootTime | None = Field(
        None, description="Reboot where an update needs it, at this time (04:00, or `now`). Default: never."
    )
    mail: MailAddress | None = Field(None, description="Who gets mail about updates. Default: as the host has it.")
    mail_report: Report = Field("on-change", description="What there is mail about.")

    def props(self) -> dict[str, Any]:
        """Return the inputs of `UnattendedUpgrades` for these settings."""
        return self.model_dump(by_alias=True, mode="json", exclude_none=True)


class UpdateInputs(ChapterInputs):
    """Inputs of `UnattendedUpgrades`: those of `UpdateSettings`."""

    enabled: bool = True
    origins: tuple[str, ...] = SECURITY
    reboot_time: str | None = None
    mail: str | None = None
    mail_report: str = "on-change"

    def dnf(self) -> DnfAutomatic:
        """Return the same for dnf-automatic and yum-cron, which know security updates and no sources."""
        reboot = f"shutdown -r {self.reboot_time}" if self.reboot_time else ""
        return DnfAutomatic(self.enabled, self.origins == SECURITY, reboot, self.mail or "")

    def text(self) -> str:
        """Return the file that apt reads."""
        lines = ["// Written by Stockade: edit the stack config instead, changes here are overwritten."]
        if not self.enabled:
            return "\n".join([*lines, 'APT::Periodic::Unattended-Upgrade "0";', ""])
        lines += [
            'APT::Periodic::Enable "1";',
            'APT::Periodic::Update-Package-Lists "1";',
            'APT::Periodic::Unattended-Upgrade "1";',
            "#clear Unattended-Upgrade::Allowed-Origins;",
            "#clear Unattended-Upgrade::Origins-Pattern;",
            "Unattended-Upgrade::Origins-Pattern {",
            *(f'    "{origin}";' for origin in self.origins),
            "};",
            f'Unattended-Upgrade::Automatic-Reboot "{"true" if self.reboot_time else "false"}";',
        ]
        if self.reboot_time:
            lines.append(f'Unattended-Upgrade::Automatic-Reboot-Time "{self.reboot_time}";')
        if self.mail:
            lines += [
                f'Unattended-Upgrade::Mail "{self.mail}";',
                f'Unattended-Upgrade::MailReport "{self.mail_report}";',
            ]
        if self.mail and self.mail_report == "only-on-error":
            lines.append('Unattended-Upgrade::MailOnlyOnError "true";')  # what MailReport was before 2.2
        return "\n".join([*lines, ""])


class UpdateFacts(Model):
    """What a host shows: our file, and what is in force whoever wrote it (`apt-config dump`, systemctl).

    `periodic`: what apt does every day, of Enable, Update-Package-Lists and Unattended-Upgrade. `timers`: those that
    start it, as `enabled active`, and `names`, what they are called. `masked`: services of theirs that cannot start.
    `installed`: whether the program is there.
    """

    dropin: FileState = FileState(DROP_IN, False)
    periodic: tuple[str, str, str] = ("", "", "")
    origins: tuple[str, ...] = ()
    reboot: bool = False
    reboot_time: str = ""
    mail: str = ""
    mail_report: str = ""
    timers: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    installed: bool = False

    @property
    def on(self) -> bool:
        """Whether updates really happen."""
        enable, lists, upgrade = self.periodic
        wanted = enable != "0" and lists not in _NEVER and upgrade not in _NEVER
        return wanted and self.installed and not self.masked and all(timer == "enabled active" for timer in self.timers)

    @property
    def off(self) -> bool:
        """Whether apt is told not to upgrade."""
        return not self.installed or self.periodic[0] == "0" or self.periodic[2] in _NEVER


Seen = KnownState[UpdateInputs, UpdateFacts]


class UpdateChapter(Chapter[UpdateInputs, UpdateFacts]):
    """Automatic updates of a host."""

    inputs = UpdateInputs
    facts = UpdateFacts

    def title(self, inputs: UpdateInputs) -> str:
        return "automatic updates"

    def observe(self, inputs: UpdateInputs) -> Script:
        return Script("look at automatic updates", OBSERVE, exits=EXITS)

    def parse(self, inputs: UpdateInputs, answer: Answer) -> UpdateFacts:
        part = answer.sections
        states = service_states(part["timers"])
        common = UpdateFacts(
            dropin=file_state(part, "dropin").packed(),
            timers=tuple(f"{state.enabled} {state.active}" for state in states.values()),
            names=tuple(states),
            masked=tuple(part.get("masked", "").split()),
            installed=bool(part["program"].strip()),
        )
        program, _, distro = part["updater"].strip().partition(" ")
        if program != "unattended-upgrades":
            found = parse(part["config"])
            if (program, distro) == ("yum-cron", "centos"):  # all updates, since it is not told which these are
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
        return Script("set up automatic updates", APPLY, values, exits=EXITS)

    def restore(self, inputs: UpdateInputs, known: Seen) -> Script:
        prior = known.prior or UpdateFacts()
        timers = {f"timer_{number}": state for number, state in enumerate(prior.timers)}
        values = {**timers, **prior.dropin.unpacked().values("prior")}
        return Script("put the prior update settings back", RESTORE, values, exits=EXITS)

    def differences(self, inputs: UpdateInputs, seen: UpdateFacts) -> str:
        shown = _in_force(inputs, seen)
        if shown == inputs:
            return ""
        wanted, there = inputs.props(), shown.props()
        differing = [key for key in wanted if wanted[key] != there.get(key)] or ["rebootTime"]
        states = ", ".join(f"{name} is {state}" for name, state in zip(seen.names, seen.timers, strict=False))
        return f"{', '.join(differing)} (in force: {seen.periodic}, {'; '.join(seen.origins)}; {states})"

    def as_observed(self, inputs: UpdateInputs, known: Seen, seen: UpdateFacts) -> UpdateInputs:
        return _in_force(inputs, seen)

    def already_configured(self, inputs: UpdateInputs, seen: UpdateFacts) -> str:
        bare = seen.dropin.path == DROP_IN or "dnf5-automatic.timer" in seen.names  # else a package brings the file
        return f"{seen.dropin.path} is there already" if seen.dropin.exists and bare else ""


def _dnf_facts(found: DnfAutomatic) -> dict[str, Any]:
    """Return what apt would have to say to do the same."""
    return {
        "periodic": ("1", "1", "1") if found.apply else ("1", "1", "0"),
        "origins": SECURITY if found.security else ("all",),
        "reboot": bool(found.reboot),
        "reboot_time": found.reboot.removeprefix("shutdown -r "),
        "mail": found.mail,
        "mail_report": "",
    }


class UpdateProvider(HostProvider[UpdateInputs, UpdateFacts]):
    """Pulumi's CRUD for `UnattendedUpgrades`."""

    chapter = UpdateChapter()


class UnattendedUpgrades(HostResource, module="stockade", name="UnattendedUpgrades"):
    """Automatic updates of one host; unattended-upgrades must be installed. Properties: those of `UpdateInputs`."""

    enabled: Output[bool]
    reboot_time: Output[str | None]
    observed: Output[Mapping[str, Any]]

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        super().__init__(UpdateProvider(), name, {**props, "observed": None}, opts)


class AutomaticUpdates(ComponentResource):
    """Daily security updates of one host.

    Args:
        name: of the component.
        host: the host's name in the stack config.
        settings: sources, reboot, mail; by default the security sources, no reboot, no mail.
        connection: how to reach the host, where the stack config does not say.
        existing: `adopt` settings that are there already (delete puts them back) or `fail`.
        packages: what installs `PACKAGES`; None: the component brings its own.
        opts: resource options.

    Outputs: `enforced`, what happens every day.
    """

    enforced: Output[str]

    def __init__(
        self,
        name: str,
        host: str,
        settings: UpdateSettings | None = None,
        *,
        connection: Mapping[str, Input[Any]] | None = None,
        existing: Literal["adopt", "fail", "takeOver"] = "adopt",
        packages: Packages | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        opts, before = waiting(opts)
        super().__init__("stockade:index:AutomaticUpdates", name, {}, opts)
        settings = settings or UpdateSettings.model_validate({})
        retain = opts.retain_on_delete if opts else None
        common: dict[str, Any] = {"host": host, "connection": connection}
        if packages is None:
            child = ResourceOptions(parent=self, depends_on=before, retain_on_delete=retain)
            packages = Packages(f"{name}-updates-packages", {**common, "present": PACKAGES}, child)
        child = ResourceOptions(parent=self, depends_on=[*before, packages], retain_on_delete=retain)
        common |= {"existing": existing, "triggers": packages.came_back(*PACKAGES)}
        made = UnattendedUpgrades(name, {**common, **settings.props()}, child)
        reboot = f"reboot at {settings.reboot_time} where needed" if settings.reboot_time else "no reboot"
        limits = "security sources" if settings.origins == SECURITY else f"{len(settings.origins)} sources"
        self.enforced = made.enabled.apply(lambda on: f"daily from {limits}, {reboot}" if on else "off")
        self.register_outputs({"enforced": self.enforced})


def _in_force(inputs: UpdateInputs, seen: UpdateFacts) -> UpdateInputs:
    """Return the inputs that describe what the host really does."""
    if not inputs.enabled:
        return inputs.model_copy(update={"enabled": not seen.off})
    changes: dict[str, Any] = {"enabled": seen.on, "origins": seen.origins}
    changes["reboot_time"] = (seen.reboot_time or "now") if seen.reboot else None
    if inputs.mail:
        changes |= {"mail": seen.mail or None, "mail_report": seen.mail_report or inputs.mail_report}
    return inputs.model_copy(update=changes)

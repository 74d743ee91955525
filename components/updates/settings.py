"""Automatic updates: settings, the inputs and files derived from them, and the facts about a host. Pure."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field

from components.config.inventory import Settings
from components.core.chapter import ChapterInputs, Model
from components.updates.dnf import DnfAutomatic
from hosts.system.files import FileState

PACKAGES = ("unattended-upgrades",)
"""The packages that the chapter needs."""

DROP_IN = "/etc/apt/apt.conf.d/99stockade-updates"
"""Read after the package's own 20auto-upgrades and 50unattended-upgrades (apt.conf(5))."""

SECURITY = (
    "origin=Debian,codename=${distro_codename}-security,label=Debian-Security",
    "origin=Debian,codename=${distro_codename},label=Debian-Security",
    "origin=Ubuntu,archive=${distro_codename}-security",
    "origin=UbuntuESMApps,archive=${distro_codename}-apps-security",
    "origin=UbuntuESM,archive=${distro_codename}-infra-security",
)
"""The security sources of Debian and Ubuntu. Those that a host does not have match nothing."""

WITHOUT_CODENAME = tuple(dict.fromkeys(re.sub(r",codename=[^,]*", "", origin) for origin in SECURITY))
"""The same for unattended-upgrades before 0.80, which fails on a codename; the label is sufficient."""

_FIELD = r"(o|origin|a|archive|suite|l|label|c|component|n|codename|site)=[^,\"';\\\s]([^,\"';\\\n]*[^,\"';\\\s])?"
_NEVER = ("", "0")


def _origin(value: str) -> str:
    if not re.fullmatch(rf"{_FIELD}(,{_FIELD})*", value):
        raise ValueError(
            f"{value!r} does not name a source: 'origin=Debian,codename=${{distro_codename}}-security' would"
        )
    return value


def _reboot_time(value: str) -> str:
    if value != "now" and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError(f"{value!r} is neither a time of day (04:00) nor `now`")
    return value


def _mail_address(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._%+=-]+(@[A-Za-z0-9.-]+)?", value):
        raise ValueError(f"{value!r} is neither a mail address nor a local user")
    return value


Origin = Annotated[str, AfterValidator(_origin)]
RebootTime = Annotated[str, AfterValidator(_reboot_time)]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
Report = Literal["always", "only-on-error", "on-change"]


class UpdateSettings(Settings):
    """Settings under `stockade:updates`."""

    enabled: bool = Field(True, description="Install security updates every day; `false` turns it off.")
    origins: tuple[Origin, ...] = Field(
        SECURITY, min_length=1, description="Sources to update from. Default: the security sources only."
    )
    reboot_time: RebootTime | None = Field(
        None, description="When to reboot if an update needs it: a time such as 04:00, or `now`. Default: never."
    )
    mail: MailAddress | None = Field(
        None, description="Address for mail about updates. Default: as configured on the host."
    )
    mail_report: Report = Field("on-change", description="When to send mail.")

    @classmethod
    def of(cls, inputs: "UpdateInputs") -> Self:
        """Return the settings that declare these inputs. Raises ValueError if none do."""
        if not inputs.enabled:
            return cls(enabled=False)
        if "all" in inputs.origins:
            raise ValueError("it installs all updates, not only those of named sources: no setting says that")
        if not inputs.origins:
            raise ValueError("it is on, but has no source to update from")
        if (inputs.reboot_time or "").startswith("+"):
            raise ValueError(f"it reboots {inputs.reboot_time} minutes after an update: no setting says that")
        return cls.model_validate({name: getattr(inputs, name) for name in cls.model_fields})

    def props(self) -> dict[str, Any]:
        """Return the inputs of `AutomaticUpdates` for these settings."""
        return self.model_dump(by_alias=True, mode="json", exclude_none=True)


class UpdateInputs(ChapterInputs):
    """Inputs of `AutomaticUpdates`.

    `enabled`: install updates automatically. `origins`: sources to update from, as patterns of unattended-upgrades'
    Origins-Pattern. `reboot_time`: when to reboot if an update needs it: `HH:MM` or `now`. Default: never. `mail`:
    address for mail about updates. Default: none. `mail_report`: when to send mail: `always`, `only-on-error` or
    `on-change`.
    """

    enabled: bool = True
    origins: tuple[str, ...] = SECURITY
    reboot_time: str | None = None
    mail: str | None = None
    mail_report: str = "on-change"

    def dnf(self) -> DnfAutomatic:
        """Return the same for dnf-automatic and yum-cron, which support security updates but not sources."""
        reboot = f"shutdown -r {self.reboot_time}" if self.reboot_time else ""
        return DnfAutomatic(self.enabled, self.origins == SECURITY, reboot, self.mail or "")

    def text(self) -> str:
        """Return the settings file for apt."""
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
            lines.append('Unattended-Upgrade::MailOnlyOnError "true";')  # the predecessor of MailReport, before 2.2
        return "\n".join([*lines, ""])


class UpdateFacts(Model):
    """What was observed on the host: Stockade's file, and what is in force (`apt-config dump`, systemctl).

    `dropin`: Stockade's file. `origins`: the patterns in force. `reboot`: whether the host reboots if an update needs
    it. `reboot_time`: when the host reboots. `mail`: address for mail about updates. `mail_report`: when mail is sent.
    `periodic`: what apt does every day: Enable, Update-Package-Lists and Unattended-Upgrade of `APT::Periodic`.
    `timers`: the states of the timers that start updates, as `enabled active`. `names`: the names of the timers in
    `timers`. `masked`: services of the timers that cannot start. `seldom`: timers that start nothing for days.
    `installed`: whether the program that installs updates exists.
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
    seldom: tuple[str, ...] = ()
    installed: bool = False

    @property
    def on(self) -> bool:
        """Whether updates are actually installed."""
        enable, lists, upgrade = self.periodic
        wanted = enable != "0" and lists not in _NEVER and upgrade not in _NEVER
        started = not (self.masked or self.seldom) and all(timer == "enabled active" for timer in self.timers)
        return wanted and self.installed and started

    @property
    def off(self) -> bool:
        """Whether apt is configured not to upgrade."""
        return not self.installed or self.periodic[0] == "0" or self.periodic[2] in _NEVER

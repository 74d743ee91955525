"""Fail2Ban's settings in the stack config, the inputs derived from them, and the facts about a host. Pure."""

import re
from ipaddress import ip_network
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from components.config.inventory import Settings
from components.core.chapter import ChapterInputs, Model
from components.fail2ban.jails import JAIL_NAME, Jail, found_in, jails_in, seconds
from hosts.system.files import FileState

PACKAGES = ("fail2ban", "iptables", "python3-systemd")
"""The packages that the chapter needs. Debian 12 has no auth.log, so fail2ban reads the journal with
python3-systemd."""

UNIT = "fail2ban"
STARTED_HERE = (UNIT,)
"""Services not to be started on installation. With Debian's own jail, fail2ban would ban the operator, whose admin
login failed as long as that user did not exist."""

DROP_IN = "/etc/fail2ban/jail.d/zz-stockade.local"
"""Read last (jail.conf(5)), so it overrides the others."""

HEAD = """\
# Written by Stockade: edit the stack config instead, changes here are overwritten.
[DEFAULT]
# Found on the host when this was applied:
"""

OPERATOR = "%(stockade_operator)s"
BACKEND = "%(stockade_backend)s"
KEPT = "%(stockade_kept_{jail})s"
"""What the host itself never bans in a jail, according to files other than ours."""

LOOPBACK = ("127.0.0.1/8", "::1")
NUMBERS = ("maxretry", "findtime", "bantime")
"""Limits of a jail that the running server reports."""

_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9])?")


def _time(value: str | int) -> str:
    text = str(value).strip()
    if not seconds(text) or seconds(text) == -1:
        raise ValueError(f"{text!r} is not a duration: expected seconds, or a number with s, m, h, d or w")
    return text


def _ban_time(value: str | int) -> str:
    return "-1" if str(value).strip() == "-1" else _time(value)


def _line(value: str) -> str:
    if not value.strip() or re.search(r"[\r\n\0]", value):
        raise ValueError("expected one line of text")
    return value.strip()


def _ports(value: str | int) -> str:
    text = str(value).replace(" ", "")
    if not re.fullmatch(r"[a-z0-9][a-z0-9:,-]*", text):
        raise ValueError("expected ports (22), ranges (6000:6010) or names (ssh), separated by commas")
    return text


def _address(value: str) -> str:
    """Validate an address, a network or a host name."""
    try:
        ip_network(value, strict=False)
    except ValueError:
        if not _HOST_NAME.fullmatch(value) or re.fullmatch(r"[\d.]+", value):
            raise ValueError(f"{value!r} is not an address, a network (192.0.2.0/24) or a host name") from None
    return value


Time = Annotated[str | int, AfterValidator(_time)]
BanTime = Annotated[str | int, AfterValidator(_ban_time)]
Line = Annotated[str, AfterValidator(_line)]
Ports = Annotated[str | int, AfterValidator(_ports)]
Address = Annotated[str, AfterValidator(_address)]


class JailSettings(Settings):
    """One jail. Default: the settings for all jails, or those in fail2ban's jail.conf for a jail of this name."""

    enabled: bool = Field(True, description="Run this jail.")
    maxretry: int | None = Field(None, ge=1, description="Failures before a ban.")
    findtime: Time | None = Field(None, description="Time within which failures count: seconds, or 10m, 1h, 1d, 1w.")
    bantime: BanTime | None = Field(None, description="Length of a ban; -1 for a permanent ban.")
    port: Ports | None = Field(None, description="Ports that banned addresses cannot reach: `22`, `ssh` or `80,443`.")
    backend: Line | None = Field(
        None, description="How logs are read. Default for sshd: a backend that works on the host."
    )
    filter: Line | None = Field(None, description="Filter in /etc/fail2ban/filter.d. Default: the jail's name.")
    logpath: tuple[Line, ...] = Field((), description="Log files to read.")
    banaction: Line | None = Field(None, description="Action in /etc/fail2ban/action.d.")
    options: dict[str, Line] = Field({}, description="Any other option of jail.conf(5).")

    @model_validator(mode="after")
    def _option_names(self) -> Self:
        for name in self.options:
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name):
                raise ValueError(f"options: {name!r} is not the name of an option")
        return self


class Fail2BanSettings(Settings):
    """Settings under `stockade:fail2ban`."""

    enabled: bool = Field(True, description="Run Fail2Ban; `false` stops it.")
    maxretry: int = Field(5, ge=1, description="Failed logins before a ban.")
    findtime: Time = Field("10m", description="Time within which failures count: seconds, or 10m, 1h, 1d, 1w.")
    bantime: BanTime = Field("10m", description="Length of a ban; -1 for a permanent ban.")
    ignoreip: tuple[Address, ...] = Field((), description="Addresses, networks or names that are never banned.")
    ignore_operator: bool = Field(
        True, description="Never ban the address that the last `up` connected from, as the host saw it."
    )
    ssh_port: Ports = Field("ssh", description="Ports of sshd, which banned addresses cannot reach.")
    banaction: Line = Field("iptables-multiport", description="Action in /etc/fail2ban/action.d that enforces bans.")
    jails: dict[str, JailSettings] = Field(
        {}, description="More jails, by name; under `sshd`, overrides for that jail."
    )

    @model_validator(mode="after")
    def _jail_names(self) -> Self:
        for name in self.jails:
            if not JAIL_NAME.fullmatch(name) or name in ("DEFAULT", "INCLUDES"):
                raise ValueError(f"jails: {name!r} is not a valid jail name: use letters, digits and _ . -")
        return self

    @classmethod
    def of(cls, inputs: "Fail2BanInputs") -> Self:
        """Return the settings that declare jails as an import finds them. Raises ValueError if none do."""
        if not inputs.enabled:
            return cls(enabled=False)
        first = inputs.jails.get("sshd", next(iter(inputs.jails.values()), Jail()))
        common: dict[str, Any] = {key: _typed(key, first.value(key)) for key in NUMBERS if first.value(key)}
        ignored = [one for one in first.value("ignoreip").split() if one not in LOOPBACK]
        jails: dict[str, Any] = {} if "sshd" in inputs.jails else {"sshd": {"enabled": False}}
        for name, jail in inputs.jails.items():
            own: dict[str, Any] = {
                key: _typed(key, jail.value(key)) for key in NUMBERS if jail.value(key) != first.value(key)
            }
            if jail.value("ignoreip") != first.value("ignoreip"):
                own["options"] = {"ignoreip": jail.value("ignoreip") or " ".join(LOOPBACK)}
            if own or name != "sshd":
                jails[name] = own
        return cls.model_validate({**common, "ignoreip": ignored, "ignoreOperator": False, "jails": jails})

    def text(self) -> str:
        """Return the jails in the format of jail.conf(5); nothing in it affects other jails of the host."""
        jails = {"sshd": JailSettings.model_validate({}), **self.jails}
        return "\n".join("\n".join(self._section(name, jail)) + "\n" for name, jail in jails.items())

    def props(self) -> dict[str, Any]:
        """Return the inputs of `Fail2Ban` for these settings."""
        return {"config": self.text(), "enabled": self.enabled}

    def _section(self, name: str, jail: JailSettings) -> list[str]:
        ssh = name == "sshd"
        operator = (OPERATOR,) if self.ignore_operator else ()
        ignored = (*LOOPBACK, *self.ignoreip, *operator, KEPT.format(jail=name))
        values: dict[str, Any] = {
            "enabled": str(jail.enabled).lower(),
            "filter": jail.filter,
            "backend": jail.backend or (BACKEND if ssh else None),
            "logpath": "\n          ".join(jail.logpath) or None,
            "port": jail.port or (self.ssh_port if ssh else None),
            "banaction": jail.banaction or self.banaction,
            "maxretry": jail.maxretry or self.maxretry,
            "findtime": jail.findtime or self.findtime,
            "bantime": jail.bantime or self.bantime,
            "ignoreip": " ".join(ignored),
            **jail.options,
        }
        return [f"[{name}]", *(f"{key} = {value}" for key, value in values.items() if value is not None)]


def _typed(key: str, value: str) -> str | int:
    """Return a limit as people write it: the server reports times in seconds."""
    if key == "maxretry" or not value.isdecimal():
        return int(value) if value.isdecimal() else value
    number, units = int(value), (("w", 604800), ("d", 86400), ("h", 3600), ("m", 60))
    return next((f"{number // size}{unit}" for unit, size in units if number and number % size == 0), f"{number}s")


class Fail2BanInputs(ChapterInputs):
    """Inputs of `Fail2Ban`.

    `config`: the jails, in the format of jail.conf(5). `%(stockade_backend)s` stands for the backend that works on the
    host, `%(stockade_operator)s` for the address that the operator connects from, and `%(stockade_kept_JAIL)s` for that
    jail's `ignoreip` in the host's other files. `enabled`: run fail2ban and start it at boot; if false, it is stopped.
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
    """Settings of one jail, as the running server prints them.

    `maxretry`: failures before a ban. `findtime`: time within which failures count, in seconds. `bantime`: length of a
    ban, in seconds. `ignoreip`: addresses that are never banned.
    """

    maxretry: str
    findtime: str
    bantime: str
    ignoreip: tuple[str, ...] = ()


class Fail2BanFacts(Model):
    """What was observed on the host.

    `dropin`: Stockade's file. `enabled`, `active`: the unit's state, as systemctl prints it. `jails`: the declared
    jails that are running. `unenforced`: jails with bans that no firewall rule enforces. `local`: files that the
    administrator wrote. `ignored`: `ignoreip` lines in files other than Stockade's.
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
        """The declared part of the file, without the head that holds the host's own values."""
        content = self.dropin.unpacked().content
        head, found, rest = content.partition("\n\n")
        return rest if found and head.startswith(HEAD) else content

    @property
    def found(self) -> dict[str, str]:
        """The values found on the host when our file was written."""
        return found_in(self.dropin.unpacked().content)

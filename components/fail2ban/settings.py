"""Fail2Ban's settings in the stack config, and the text of jails (jail.conf(5)) that they become. Pure."""

import re
from collections.abc import Iterable, Mapping
from configparser import ConfigParser, Error
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from components.config.inventory import Settings

OPERATOR = "%(stockade_operator)s"
BACKEND = "%(stockade_backend)s"
KEPT = "%(stockade_kept_{jail})s"
"""What the host itself never bans in a jail, by files that are not ours."""

LOOPBACK = ("127.0.0.1/8", "::1")

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_TIME = re.compile(r"(\d{1,9})([smhdw]?)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9])?")


def seconds(text: str) -> int | None:
    """Return a time (`10m`, `600`, `-1` for ever) in seconds; None for what is none of these."""
    if text.strip() == "-1":
        return -1
    match = _TIME.fullmatch(text.strip())
    return int(match[1]) * _UNITS[match[2]] if match else None


def _time(value: str | int) -> str:
    text = str(value).strip()
    if not seconds(text) or seconds(text) == -1:
        raise ValueError(f"{text!r} is not a time: a number of seconds, or a number with s, m, h, d or w is expected")
    return text


def _ban_time(value: str | int) -> str:
    return "-1" if str(value).strip() == "-1" else _time(value)


def _line(value: str) -> str:
    if not value.strip() or re.search(r"[\r\n\0]", value):
        raise ValueError("one line of text is expected")
    return value.strip()


def _ports(value: str | int) -> str:
    text = str(value).replace(" ", "")
    if not re.fullmatch(r"[a-z0-9][a-z0-9:,-]*", text):
        raise ValueError("ports (22), ranges (6000:6010) or names (ssh) with commas between them are expected")
    return text


def _address(value: str) -> str:
    """Accept an address, a network or a host name."""
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
    """One jail. What is not set is as for all jails, or as fail2ban's jail.conf has it for a jail of this name."""

    enabled: bool = Field(True, description="Run this jail.")
    maxretry: int | None = Field(None, ge=1, description="Failures that lead to a ban.")
    findtime: Time | None = Field(None, description="Time within which they count: seconds, or 10m, 1h, 1d, 1w.")
    bantime: BanTime | None = Field(None, description="Length of a ban; -1: for ever.")
    port: Ports | None = Field(None, description="Ports that are closed to the banned: `22`, `ssh` or `80,443`.")
    backend: Line | None = Field(None, description="How it reads logs. Default for sshd: what works on the host.")
    filter: Line | None = Field(None, description="Filter in /etc/fail2ban/filter.d. Default: that of the jail's name.")
    logpath: tuple[Line, ...] = Field((), description="Log files to read.")
    banaction: Line | None = Field(None, description="Action in /etc/fail2ban/action.d.")
    options: dict[str, Line] = Field({}, description="Any other option of jail.conf(5), by its name.")

    @model_validator(mode="after")
    def _option_names(self) -> Self:
        for name in self.options:
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name):
                raise ValueError(f"options: {name!r} is not the name of an option")
        return self


class Fail2BanSettings(Settings):
    """What the stack config says under `stockade:fail2ban`."""

    enabled: bool = Field(True, description="Fail2Ban runs; `false` stops it.")
    maxretry: int = Field(5, ge=1, description="Failed logins that lead to a ban.")
    findtime: Time = Field("10m", description="Time within which they count: seconds, or 10m, 1h, 1d, 1w.")
    bantime: BanTime = Field("10m", description="Length of a ban; -1: for ever.")
    ignoreip: tuple[Address, ...] = Field((), description="Addresses, networks or names that are never banned.")
    ignore_operator: bool = Field(
        True, description="Never ban the address that `up` came from last, as the host sees it."
    )
    ssh_port: Ports = Field("ssh", description="Ports of sshd, closed to those who are banned.")
    banaction: Line = Field("iptables-multiport", description="Action in /etc/fail2ban/action.d that bans.")
    jails: dict[str, JailSettings] = Field({}, description="Further jails by name, or what differs for `sshd`.")

    @model_validator(mode="after")
    def _jail_names(self) -> Self:
        for name in self.jails:
            if not _NAME.fullmatch(name) or name in ("DEFAULT", "INCLUDES"):
                raise ValueError(f"jails: {name!r} is not a jail's name: letters, digits and _ . - are expected")
        return self

    def text(self) -> str:
        """Return the jails as jail.conf(5) has them; nothing in it affects other jails of the host."""
        jails = {"sshd": JailSettings.model_validate({}), **self.jails}
        return "\n".join("\n".join(self._section(name, jail)) + "\n" for name, jail in jails.items())

    def props(self) -> dict[str, Any]:
        """Return the inputs of `Fail2BanJails` for these settings."""
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


@dataclass(frozen=True)
class Jail:
    """One section of a jail file, as written."""

    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def enabled(self) -> bool:
        """Whether it is to run."""
        return self.value("enabled").lower() in ("true", "yes", "on", "1")

    @property
    def uses_iptables(self) -> bool:
        """Whether its bans are rules in a chain `f2b-NAME`."""
        return self.value("banaction") in ("iptables", "iptables-multiport", "iptables-allports", "iptables-new")

    def value(self, key: str) -> str:
        """Return a value as written; empty where the jail does not have it."""
        return self.values.get(key, "")

    def without(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the other values."""
        left_out = frozenset(keys)
        return {key: value for key, value in self.values.items() if key not in left_out}


def jails_in(text: str) -> dict[str, Jail]:
    """Read the jails of a jail file; none where the text is not one (someone may have edited it)."""
    parser = ConfigParser(interpolation=None, default_section="\0", strict=False)
    try:
        parser.read_string(text)
    except Error:
        return {}
    sections = (name for name in parser.sections() if name not in ("DEFAULT", "INCLUDES"))
    return {name: Jail(dict(parser.items(name))) for name in sections if _NAME.fullmatch(name)}


def with_value(text: str, jail: str, key: str, value: str) -> str:
    """Return the text with one value of one jail replaced, or added where the jail does not have it."""
    lines, inside, start = text.splitlines(), False, 0
    for number, line in enumerate(lines):
        if line.startswith("["):
            inside = line.strip() == f"[{jail}]"
            start = number if inside else start
        elif inside and re.match(rf"{re.escape(key)}\s*[=:]", line):
            lines[number] = f"{key} = {value}"
            break
    else:
        lines.insert(start + 1, f"{key} = {value}")
    return "\n".join(lines) + "\n"


def as_declared(text: str, declared: str) -> str:
    """Return `declared` where `text` differs from it in nothing but times, which fail2ban 0.8 has in seconds alone."""
    return declared if _in_seconds(text) == _in_seconds(declared) else text


def _in_seconds(text: str) -> str:
    return re.sub(
        r"^((?:findtime|bantime) = )(\d+[smhdw]?)$", lambda found: f"{found[1]}{seconds(found[2])}", text, flags=re.M
    )


def found_in(head: str) -> dict[str, str]:
    """Return what was found on the host when the file was written: the values of its head, by name."""
    return dict(re.findall(r"^(stockade_[^\s=]+) *= *(.*?) *$", head, re.M))


def filled(value: str, found: Mapping[str, str]) -> str:
    """Return a value with what was found on the host in its place."""
    return re.sub(r"%\((stockade_[^)]+)\)s", lambda name: found.get(name[1], ""), value)


def same_addresses(some: Iterable[str], others: Iterable[str]) -> bool:
    """Tell whether two lists name the same addresses, networks and hosts, however they are spelled."""
    return {_canonical(item) for item in some} == {_canonical(item) for item in others}


def _canonical(address: str) -> str:
    try:
        return str(ip_network(address, strict=False))
    except ValueError:
        return address.lower()

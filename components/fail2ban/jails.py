"""Jails in the format of jail.conf(5): parsed, compared, edited. Pure."""

import re
from collections.abc import Iterable, Mapping
from configparser import ConfigParser, Error
from dataclasses import dataclass, field
from ipaddress import ip_network

JAIL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_TIME = re.compile(r"(\d{1,9})([smhdw]?)")


def seconds(text: str) -> int | None:
    """Parse a time (`10m`, `600`, `-1` for ever) to seconds; None if it is not one."""
    if text.strip() == "-1":
        return -1
    match = _TIME.fullmatch(text.strip())
    return int(match[1]) * _UNITS[match[2]] if match else None


@dataclass(frozen=True)
class Jail:
    """One section of a jail file, as written."""

    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def enabled(self) -> bool:
        """Whether the jail is enabled."""
        return self.value("enabled").lower() in ("true", "yes", "on", "1")

    @property
    def uses_iptables(self) -> bool:
        """Whether its bans are rules in a chain `f2b-NAME`."""
        return self.value("banaction") in ("iptables", "iptables-multiport", "iptables-allports", "iptables-new")

    def value(self, key: str) -> str:
        """Return a value as written; empty if the jail does not set it."""
        return self.values.get(key, "")

    def without(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the other values."""
        left_out = frozenset(keys)
        return {key: value for key, value in self.values.items() if key not in left_out}


def jails_in(text: str) -> dict[str, Jail]:
    """Parse the jails of a jail file. An unparsable text has none: someone may have edited it."""
    parser = ConfigParser(interpolation=None, default_section="\0", strict=False)
    try:
        parser.read_string(text)
    except Error:
        return {}
    sections = (name for name in parser.sections() if name not in ("DEFAULT", "INCLUDES"))
    return {name: Jail(dict(parser.items(name))) for name in sections if JAIL_NAME.fullmatch(name)}


def with_value(text: str, jail: str, key: str, value: str) -> str:
    """Return the text with one value of one jail replaced, or added if missing."""
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
    """Return `declared` if `text` differs from it only in the spelling of times, which fail2ban 0.8 needs in
    seconds."""
    return declared if _in_seconds(text) == _in_seconds(declared) else text


def _in_seconds(text: str) -> str:
    return re.sub(
        r"^((?:findtime|bantime) = )(\d+[smhdw]?)$", lambda found: f"{found[1]}{seconds(found[2])}", text, flags=re.M
    )


def found_in(head: str) -> dict[str, str]:
    """Return the values that were found on the host when the file was written: those in its head, by name."""
    return dict(re.findall(r"^(stockade_[^\s=]+) *= *(.*?) *$", head, re.M))


def filled(value: str, found: Mapping[str, str]) -> str:
    """Return a value with its placeholders replaced by what was found on the host."""
    return re.sub(r"%\((stockade_[^)]+)\)s", lambda name: found.get(name[1], ""), value)


def same_addresses(some: Iterable[str], others: Iterable[str]) -> bool:
    """Return whether two lists name the same addresses, networks and hosts, however they are spelled."""
    return {_canonical(item) for item in some} == {_canonical(item) for item in others}


def _canonical(address: str) -> str:
    try:
        return str(ip_network(address, strict=False))
    except ValueError:
        return address.lower()

"""The declared kernel settings and the facts about a host: the data of `chapter.py`, no I/O."""

import re
from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from components.config.inventory import Problems, Settings
from components.core.chapter import ChapterInputs, Model
from components.sysctl.names import lines_of, name_of, path_of, settings_in, value_of
from hosts.guard.guarded import LIMIT
from hosts.system.files import FileState

DROP_IN = "/etc/sysctl.d/zz-stockade.conf"
"""Sorts after the numbers used by distributions and tools (`10-network-security.conf`, `99-sysctl.conf`)."""

DEFAULTS: Mapping[str, tuple[str, str]] = {
    "net.ipv4.conf.all.rp_filter": (
        "1",
        "Drops packets whose replies would leave by another interface: their source is forged (RFC 3704). "
        "Use `2` if routing is asymmetric.",
    ),
    "net.ipv4.tcp_syncookies": ("1", "During a SYN flood, new clients still get in."),
    "net.ipv4.conf.all.accept_redirects": ("0", "Nobody on the network can change this host's routes."),
    "net.ipv6.conf.all.accept_redirects": ("0", "The same for IPv6."),
    "net.ipv4.conf.all.secure_redirects": (
        "1",
        "If redirects are accepted after all, only known gateways may send them; `0` would accept anyone's.",
    ),
    "net.ipv4.conf.all.send_redirects": ("0", "This host is not a router and sends no routes to others."),
    "net.ipv4.conf.all.accept_source_route": ("0", "Senders cannot choose a route around filters."),
    "net.ipv6.conf.all.accept_source_route": ("0", "The same for IPv6, except for what Mobile IPv6 needs."),
    "net.ipv4.icmp_echo_ignore_broadcasts": (
        "1",
        "Broadcast pings get no reply, so the host plays no part in smurf attacks.",
    ),
    "net.ipv4.icmp_ignore_bogus_error_responses": ("1", "Bogus ICMP errors do not fill the log."),
}
"""Each setting that `sysctl: {}` declares, with its value and the reason."""


class SysctlSettings(Settings):
    """Settings under `stockade:sysctl`."""

    values: dict[str, int | str | None] = Field(
        {},
        description="Settings of sysctl(8), in addition to the defaults or instead of them; `null` leaves a setting as "
        "the host has it.",
    )
    confirm_within: int = Field(
        LIMIT, ge=5, le=600, description="Seconds after which the host reverts a change that no new login confirmed."
    )

    @field_validator("values", mode="before")
    @classmethod
    def _can_be_written(cls, values: Any) -> Any:
        problems = dict(_wrong(values)) if isinstance(values, Mapping) else {}
        if problems:
            raise Problems(problems)
        return values

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names: dict[str, str] = {}
        for name in self.values:
            other = names.setdefault(path_of(name), name)
            if other != name:
                raise Problems({f"values.{name}": f"it is the same setting as {other}"})
        return self

    @classmethod
    def of(cls, inputs: "SysctlInputs") -> Self:
        """Return the settings that declare these inputs."""
        default, there = settings_in(cls().text()), inputs.wanted
        values: dict[str, int | str | None] = {
            name_of(path): int(value) if value.isdecimal() else value
            for path, value in there.items()
            if default.get(path) != value
        }
        return cls(values=values | {name_of(path): None for path in default if path not in there})

    def text(self) -> str:
        """Return the lines, in canonical form."""
        wanted: dict[str, Any] = {path_of(name): value for name, (value, _) in DEFAULTS.items()}
        wanted |= {path_of(name): value for name, value in self.values.items()}
        return lines_of({path: value_of(value) for path, value in wanted.items() if value is not None})

    def props(self) -> dict[str, Any]:
        """Return the inputs of `Sysctl` except `host` and `connection`."""
        return {"settings": self.text(), "confirmWithin": self.confirm_within}


_IPV6 = re.compile("net/ipv6/conf/")
_LOSING = {"disable_ipv6": ("1",), "accept_ra": ("0",), "forwarding": ("1",)}
"""Values that make the kernel drop what router advertisements or others have configured (ip-sysctl)."""


def _wrong(values: Mapping[Any, Any]) -> Any:
    for name, value in values.items():
        try:
            path = path_of(str(name))
            if value is not None and value_of(value) in _LOSING.get(path.rpartition("/")[2], ()) and _IPV6.match(path):
                raise ValueError(
                    "removes addresses or routes that a rollback cannot restore: set it in the host's network "
                    "configuration"
                )
        except ValueError as error:
            yield str(name), str(error)


class SysctlInputs(ChapterInputs):
    """Inputs of `Sysctl`.

    `settings`: lines `name = value` of sysctl.d(5), in the order in which they are set. `persistent`: whether the next
    boot sets the same values; a refresh shows false if it would not. `confirm_within`: seconds after which the host
    rolls back a change that no new login confirmed.
    """

    settings: str
    persistent: bool = True
    confirm_within: int = Field(LIMIT, ge=5, le=600)

    @field_validator("settings")
    @classmethod
    def _canonical(cls, text: str) -> str:
        wanted = {}
        for line in filter(None, map(str.strip, text.splitlines())):
            name, is_one, value = line.partition("=")
            if not is_one:
                raise ValueError(f"{line!r}: expected `name = value`")
            wanted[path_of(name.strip())] = value_of(value)
        return lines_of(wanted)

    @property
    def wanted(self) -> dict[str, str]:
        """The declared values by path."""
        return settings_in(self.settings)


class SysctlFacts(Model):
    """What was observed on the host: the declared settings, and those of interfaces that follow them, by path.

    `values`: the values in /proc/sys. `missing`: declared settings that this kernel does not have. `fixed`: settings
    that differ and that nobody in this container may change. `later`: lines of other files that the next boot, or
    `sysctl --system`, reads after Stockade's file and that override it. `dropin`: Stockade's file.
    """

    values: dict[str, str] = {}
    missing: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    dropin: FileState = FileState(DROP_IN, False)

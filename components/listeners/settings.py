"""Which listeners a host is expected to have: settings, inputs and facts. Pure."""

import re
from typing import Any, Literal, Self

from pydantic import Field, field_validator

from components.config.inventory import Settings
from components.core.chapter import ChapterInputs, Model, worked_out

_EXPECTED = (
    *("sshd/tcp", "ssh/tcp"),
    *("ntpd:123/udp", "ntpsec:123/udp", "chronyd/udp", "systemd-timesyn/udp"),
    # DHCP clients: without them the host would lose its address
    *("dhclient:68/udp", "dhclient:546/udp", "dhcpcd:68/udp", "dhcpcd:546/udp"),
    *("systemd-network:68/udp", "systemd-network:546/udp"),
)
EXPECTED = tuple(sorted(_EXPECTED))
"""sshd, time synchronisation, and what maintains the host's address."""

ON_LOOPBACK = ("systemd-resolve:53/tcp", "systemd-resolve:53/udp")
"""Expected only on loopback, if that is checked: the host's own resolver."""

SHAPE = re.compile(
    r"(?P<who>(?!/(?:tcp|udp)\Z)/[A-Za-z0-9/_.+@-]+?|[A-Za-z0-9_.+@-]*)"
    r"(?::(?P<port>[0-9]{1,5}))?(?:/(?P<protocol>tcp|udp))?"
)


class ListenerSettings(Settings):
    """Settings under `stockade:listeners`."""

    expected: tuple[str, ...] = Field(
        (),
        description="Expected besides sshd and time sync: `[program or package][:port][/tcp or /udp]`.",
    )
    unexpected: Literal["warn", "fail"] = Field("warn", description="What a run does about any other listener.")
    loopback: bool = Field(
        False, description="Also check listeners that only the host itself can reach. They are shown in any case."
    )

    @field_validator("expected")
    @classmethod
    def _shapes(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        return checked(entries)

    @classmethod
    def of(cls, inputs: "ListenerInputs") -> Self:
        """Return the settings that declare these inputs."""
        return cls(expected=tuple(sorted({*inputs.expected} - {*EXPECTED})), loopback=inputs.loopback)

    def props(self, *more: str) -> dict[str, Any]:
        """The properties of a `Listeners` resource. `more`: what other chapters expect."""
        wanted = sorted({*EXPECTED, *self.expected, *more})
        return {"expected": wanted, "unexpected": self.unexpected, "loopback": self.loopback}


class ListenerInputs(ChapterInputs):
    """Inputs of `Listeners`.

    `expected`: what may be reachable over the network, each as `[program or package][:port][/tcp or /udp]`.
    `unexpected`: what a run does about other listeners: `warn` or `fail`. `loopback`: also check listeners that only
    the host itself can reach. `triggers`: texts that, when they change, make the resource observe the host again; for
    example the removed packages. `unexpected_listeners`: unexpected listeners that appeared since the last run;
    computed by a refresh, otherwise empty.
    """

    expected: tuple[str, ...] = EXPECTED
    unexpected: Literal["warn", "fail"] = "warn"
    loopback: bool = False
    triggers: tuple[str, ...] | None = ()
    unexpected_listeners: tuple[str, ...] = worked_out(())

    @field_validator("expected")
    @classmethod
    def _shapes(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        return checked(entries)


class ListenerFacts(Model):
    """What was observed on the host; each listener as `tcp 0.0.0.0:22 sshd (package openssh-server)`.

    `listening`: listeners that can be reached over the network. `loopback`: listeners that only the host itself can
    reach. `unexpected`: listeners that are checked and not expected. `tool`: whether the host has ss or netstat.
    """

    listening: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    loopback: tuple[str, ...] = ()
    tool: bool = True


def checked(entries: tuple[str, ...]) -> tuple[str, ...]:
    """Return the entries, sorted. Raises `ValueError` unless each is `[program or package][:port][/protocol]`."""
    for entry in entries:
        shape = SHAPE.fullmatch(entry)
        if not shape or not (shape["who"] or shape["port"]) or int(shape["port"] or 1) not in range(1, 65536):
            raise ValueError(
                f"{entry!r} is not [program or package][:port][/tcp or /udp], as nginx, nginx:443/tcp, :80"
            )
    return tuple(sorted(set(entries)))


def complaint(unexpected: tuple[str, ...] | list[str]) -> str:
    """Return what listens unexpectedly, and what to do about it."""
    return (
        f"unexpected listeners: {', '.join(unexpected)}. Remove the package (packages that are absent), "
        f"or expect it: {', '.join(dict.fromkeys(entry_for(one) for one in unexpected))}"
    )


def entry_for(listener: str) -> str:
    """The entry of `expected` that would allow a listener, derived from its text in the facts."""
    protocol, place, who = listener.split(" ")[:3]
    return f"{who}:{place.rpartition(':')[2]}/{protocol}"

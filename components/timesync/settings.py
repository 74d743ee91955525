"""Which daemon sets a host's clock: settings, inputs and facts. Pure."""

from typing import Any, Literal, Self

from pydantic import Field

from components.config.inventory import Settings
from components.core.chapter import ChapterInputs, Model, worked_out

Daemon = Literal["openntpd", "chrony", "systemd-timesyncd"]
Choice = Literal["keep"] | Daemon

DAEMONS: tuple[Daemon, ...] = ("openntpd", "chrony", "systemd-timesyncd")
NTP = ("ntp", "ntpsec")
"""Packages of ntpd, which keeps UDP port 123 open."""


def packages_for(choice: Choice) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The packages `present` and `absent` for a choice; both empty for `keep`."""
    if choice == "keep":
        return (), ()
    return (choice,), tuple(sorted({*NTP, *DAEMONS} - {choice}))


class TimeSyncSettings(Settings):
    """Settings under `stockade:timeSync`."""

    daemon: Choice = Field("keep", description="The NTP daemon; `keep` leaves whatever is installed.")

    @classmethod
    def of(cls, inputs: "TimeSyncInputs") -> Self:
        """Return the settings that declare these inputs."""
        return cls(daemon=inputs.daemon)

    def packages(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The packages present and absent."""
        return packages_for(self.daemon)

    def props(self) -> dict[str, Any]:
        """Return the inputs of `TimeSync` for these settings; `keep` has no resource."""
        return {"daemon": self.daemon}


class TimeSyncInputs(ChapterInputs):
    """Inputs of `TimeSync`.

    `daemon`: the package, and the unit of the same name. `running`: whether the daemon is enabled and running; a
    refresh shows false if it is not.
    """

    daemon: Daemon
    running: bool = worked_out(True)


class TimeSyncFacts(Model):
    """What was observed on the host.

    `enabled`, `active`: the state of the daemon's unit, as systemctl(1) prints it. `may_set_clock`: whether the host
    may set the clock (a container may not).
    """

    enabled: str
    active: str
    may_set_clock: bool

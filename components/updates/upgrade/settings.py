"""A system upgrade: settings, inputs and facts. Pure."""

import hashlib
from typing import Any

from pydantic import Field

from components.config.inventory import Settings
from components.core.chapter import ChapterInputs, Model, worked_out


class UpgradeSettings(Settings):
    """Settings under `stockade:upgrade`."""

    trigger: str | int | None = Field(
        None, description="Upgrade everything whenever this value changes; for example a date. Default: never."
    )
    full: bool = Field(False, description="Also remove packages if an upgrade needs it (apt-get full-upgrade).")

    def props(self) -> dict[str, Any]:
        """The properties of a `SystemUpgrade` resource."""
        return {"trigger": str(self.trigger), "full": self.full}


class UpgradeInputs(ChapterInputs):
    """Inputs of `SystemUpgrade`.

    `trigger`: upgrade everything whenever this value changes. `full`: also remove packages if an upgrade needs it.
    `upgraded`: whether the host has been upgraded for this trigger; computed by a refresh, otherwise true.
    """

    trigger: str
    full: bool = False
    upgraded: bool = worked_out(True)

    @property
    def digest(self) -> str:
        """The text by which the host's record names this upgrade."""
        return hashlib.sha256(f"{self.full} {self.trigger}".encode()).hexdigest()


class UpgradeFacts(Model):
    """What was observed on the host.

    `done`: the last upgrade's digest; "" if there was none. `changes`: what it changed, each as `upgraded libc6:amd64
    2.36-9 2.36-10`, `installed NAME VERSION` or `removed NAME VERSION`. `reboot_due`: whether a reboot is due.
    """

    done: str = ""
    changes: tuple[str, ...] = ()
    reboot_due: bool = False

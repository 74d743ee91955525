"""`SystemUpgrade`: upgrades all packages once, and again whenever its trigger changes."""

from collections.abc import Mapping
from typing import Any

from pulumi import Output, ResourceOptions

from components.core.dynamic import HostProvider
from components.core.host_resource import HostResource
from components.updates.upgrade.chapter import UpgradeChapter
from components.updates.upgrade.settings import UpgradeFacts, UpgradeInputs


class SystemUpgradeProvider(HostProvider[UpgradeInputs, UpgradeFacts]):
    """Pulumi's CRUD for `SystemUpgrade`."""

    chapter = UpgradeChapter()

    def noted(self, before: UpgradeFacts | None, seen: UpgradeFacts) -> dict[str, Any]:
        """Whether a reboot is due changes without anybody's doing."""
        return {"observed": seen.props()}


class SystemUpgrade(HostResource, provider=SystemUpgradeProvider):
    """All packages of one host, upgraded once for each value of `trigger`. Delete leaves them as they are.

    Properties: those of `UpgradeInputs`. Non-interactive; changed configuration files are kept.

    Outputs: `observed`: `changes`, what the last upgrade changed, each as `upgraded libc6:amd64 2.36-9 2.36-10`,
    `installed ...` or `removed ...`; `rebootDue`.
    """

    observed: Output[Mapping[str, Any]]

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        super().__init__(name, {**props, "observed": None}, opts)
        self.upgraded: Output[list[str]] = self.observed.apply(lambda seen: list((seen or {}).get("changes", ())))
        self.reboot_due: Output[bool | None] = self.observed.apply(lambda seen: (seen or {}).get("rebootDue"))

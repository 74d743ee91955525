"""`AutomaticUpdates`: security updates installed every day, with nobody asked: by unattended-upgrades, dnf-automatic or
yum-cron.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pulumi import ComponentResource, Input, Output, ResourceOptions

from components.core.dynamic import HostProvider
from components.core.host_resource import HostResource
from components.core.waiting import waiting
from components.packages.resource import Packages
from components.updates.chapter import UpdateChapter
from components.updates.settings import PACKAGES, SECURITY, UpdateFacts, UpdateInputs, UpdateSettings


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

"""`AutomaticUpdates`: unattended daily security updates, by unattended-upgrades, dnf-automatic or yum-cron."""

from collections.abc import Mapping
from typing import Any

from pulumi import Output, ResourceOptions

from components.core.dynamic import HostProvider
from components.core.host_resource import HostResource
from components.updates.chapter import UpdateChapter
from components.updates.settings import UpdateFacts, UpdateInputs


class AutomaticUpdatesProvider(HostProvider[UpdateInputs, UpdateFacts]):
    """Pulumi's CRUD for `AutomaticUpdates`."""

    chapter = UpdateChapter()


class AutomaticUpdates(HostResource, provider=AutomaticUpdatesProvider):
    """Automatic updates of one host, where `PACKAGES` are installed. Properties: those of `UpdateInputs`."""

    enabled: Output[bool]
    reboot_time: Output[str | None]
    observed: Output[Mapping[str, Any]]

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        super().__init__(name, {**props, "observed": None}, opts)

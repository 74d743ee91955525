"""`TimeSync`: which daemon keeps a host's clock; the guide offers OpenNTPD in the place of ntpd.

Source: the guide, "Determine Which Services to Remove": "If you prefer a time synchronization method which does not
hold open network ports [...] you may be interested in replacing NTPdate with OpenNTPD".
"""

from collections.abc import Mapping
from typing import Any

from pulumi import ComponentResource, Input, ResourceOptions

from components.core.dynamic import HostProvider
from components.core.host_resource import HostResource
from components.core.waiting import waiting
from components.packages.resource import Packages
from components.timesync.chapter import TimeSyncChapter
from components.timesync.settings import TimeSyncFacts, TimeSyncInputs, TimeSyncSettings


class TimeSyncProvider(HostProvider[TimeSyncInputs, TimeSyncFacts]):
    """Pulumi's CRUD for `TimeSyncService`."""

    chapter = TimeSyncChapter()


class TimeSyncService(HostResource, module="stockade", name="TimeSyncService"):
    """The unit of a time daemon on one host. Properties: `host` (str), `connection`, `daemon` (str)."""

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        super().__init__(TimeSyncProvider(), name, {"observed": None, **props}, opts)


class TimeSync(ComponentResource):
    """One time daemon on a host, in the place of the others.

    Args:
        name: name of the component; its children are `NAME-service` and, unless `packages` is given, `NAME-packages`.
        host: name of the host in the stack config.
        settings: which daemon; by default the one that is there is kept, and nothing is done.
        connection: how to reach the host, where the stack config does not say (values may be Outputs).
        packages: a `Packages` resource that has what `packages_for` says already.
        opts: resource options; `retain_on_delete` is handed to the children.
    """

    def __init__(
        self,
        name: str,
        host: str,
        settings: TimeSyncSettings | None = None,
        *,
        connection: Input[Mapping[str, Any]] | None = None,
        packages: Packages | None = None,
        opts: ResourceOptions | None = None,
    ) -> None:
        opts, before = waiting(opts)
        super().__init__("stockade:index:TimeSync", name, {}, opts)
        settings = settings or TimeSyncSettings()
        if settings.daemon != "keep":
            retain = opts.retain_on_delete if opts else None
            common: dict[str, Any] = {"host": host, "connection": connection}
            if packages is None:
                present, absent = settings.packages()
                child = ResourceOptions(parent=self, depends_on=before, retain_on_delete=retain)
                props = {**common, "present": present, "absent": absent, "group": "time"}
                packages = Packages(f"{name}-packages", props, child)
            child = ResourceOptions(parent=self, depends_on=[*before, packages], retain_on_delete=retain)
            common["triggers"] = packages.came_back(settings.daemon)
            TimeSyncService(f"{name}-service", {**common, "daemon": settings.daemon}, child)
        self.register_outputs({})

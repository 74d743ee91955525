"""`HardenedHost`: the chapters of the guide on one host, in an order in which every state on the way is safe."""

from collections.abc import Mapping
from typing import Any, Literal

from pulumi import ComponentResource, Input, Output, ResourceOptions

from components.firewall import BOOT_PACKAGES, Firewall, FirewallSettings
from components.inventory import connection_props
from components.packages import Packages
from hosts.connection import HostAccess


class HardenedHost(ComponentResource):
    """One host, hardened.

    Args:
        name: the host's name in the stack config.
        connection: how to reach it; a `HostAccess`, or a mapping of the same names whose values may be Outputs of a
            machine that this program creates.
        firewall: the firewall's settings; the guide's web server preset by default.
        existing: `adopt` settings that are there already (delete puts them back) or `fail` when there are any.
        opts: resource options; `retain_on_delete` leaves the host hardened when it is deleted from the stack.

    Outputs: `enforced`: what is in force, by chapter.
    """

    enforced: Output[dict[str, Any]]

    def __init__(
        self,
        name: str,
        connection: HostAccess | Mapping[str, Input[Any]] | None = None,
        firewall: FirewallSettings | None = None,
        *,
        existing: Literal["adopt", "fail"] = "adopt",
        opts: ResourceOptions | None = None,
    ) -> None:
        super().__init__("stockade:index:HardenedHost", name, {}, opts)
        way = connection_props(connection) if isinstance(connection, HostAccess) else connection
        child = ResourceOptions(parent=self, retain_on_delete=opts.retain_on_delete if opts else None)
        packages = Packages(name, {"host": name, "connection": way, "present": BOOT_PACKAGES}, child)
        rules = Firewall(name, name, firewall, connection=way, existing=existing, packages=packages, opts=child)
        self.enforced = Output.from_input({"firewall": rules.enforced})
        self.register_outputs({"enforced": self.enforced})

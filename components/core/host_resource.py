"""The base class of all chapters' resources: credentials among the inputs become Pulumi secrets."""

from collections.abc import Mapping
from typing import Any

from pulumi import ResourceOptions

from components.config.sealing import sealed
from components.core.served import Served


class HostResource(Served):
    """A resource on one host.

    Secrets in its `connection` become Pulumi secrets, whatever their source and depth.
    """

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        way = props.get("connection")
        super().__init__(name, {**props, "connection": sealed(way)} if way is not None else {**props}, opts)

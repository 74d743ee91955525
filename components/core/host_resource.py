"""What the resources of all chapters have in common: credentials among their inputs are Pulumi secrets."""

from collections.abc import Mapping
from typing import Any

from pulumi import ResourceOptions

from components.config.sealing import sealed
from components.core.served import Served


class HostResource(Served):
    """A resource about one host.

    What is secret in its `connection` becomes a Pulumi secret, wherever it came from and however deep it stands.
    """

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        way = props.get("connection")
        super().__init__(name, {**props, "connection": sealed(way)} if way is not None else {**props}, opts)

"""`Machine` stands for your cloud's resource: a server, its address, its host key and the key that gets in as root."""

from typing import Any

import asyncssh
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider


class MachineProvider(ResourceProvider):
    """Takes a server over that is there already. A cloud would make it, and make these values up."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Tell what a cloud tells once the machine is there."""
        server = props["server"]
        public = asyncssh.import_private_key(server["privateKey"]).export_public_key().decode().strip()
        known = {"address": server["address"], "host_key": server["hostKey"], "private_key": server["privateKey"]}
        return CreateResult(server["address"], {**props, **known, "public_key": public})


class Machine(Resource):
    """A server. `server` has its `address`, `hostKey` and `privateKey`; all outputs are unknown in a preview."""

    address: pulumi.Output[str]
    host_key: pulumi.Output[str]
    public_key: pulumi.Output[str]
    private_key: pulumi.Output[str]

    def __init__(self, name: str, server: pulumi.Input[Any]) -> None:
        outputs = dict.fromkeys(("address", "host_key", "public_key", "private_key"))
        opts = pulumi.ResourceOptions(additional_secret_outputs=["private_key"])
        super().__init__(MachineProvider(), name, {**outputs, "server": server}, opts)

"""`__main__.py` of this repository over the package: the same stack config in, `stockade:HardenedHost` out."""

from typing import Any

import pulumi

from components.config.inventory import plain
from components.config.sealing import sealed
from components.core.served import packaged, type_of
from components.keys.resource import KeyPair
from components.stack_config import load

packaged()


class HardenedHost(pulumi.ComponentResource):
    """As in a generated SDK."""

    enforced: pulumi.Output[dict[str, Any]]

    def __init__(self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions) -> None:
        super().__init__(type_of("HardenedHost"), name, {"enforced": None, **props}, opts, remote=True)


config = load()
wanted = config.hardening()
pairs = [KeyPair("operator", config.key_pair.props())] if config.key_pair else []
for name, host in config.hosts.items():
    retain = host.retain_on_delete if host.retain_on_delete is not None else config.defaults.retain_on_delete
    props = {
        **sealed(plain(wanted.on(host))),
        "keys": [pair.public_key for pair in pairs],
        "existing": host.existing or config.defaults.existing or "adopt",
    }
    hardened = HardenedHost(name, props, pulumi.ResourceOptions(retain_on_delete=retain, depends_on=pairs))
    pulumi.export(name, hardened.enforced)

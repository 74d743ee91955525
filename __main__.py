"""A stack's config in, hardened hosts out."""

import pulumi

from components.config import load
from components.host import HardenedHost
from components.keys import KeyPair

config = load()
wanted, access = config.hardening(), config.access()
pairs = [KeyPair("operator", config.key_pair.props())] if config.key_pair else []
for name, host in config.hosts.items():
    retain = host.retain_on_delete if host.retain_on_delete is not None else config.defaults.retain_on_delete
    hardened = HardenedHost(
        name,
        access[name],
        wanted.on(host),
        keys=[pair.public_key for pair in pairs],
        existing=host.existing or config.defaults.existing or "adopt",
        opts=pulumi.ResourceOptions(retain_on_delete=retain, depends_on=pairs),
    )
    pulumi.export(name, hardened.enforced)

"""A stack's config in, hardened hosts out."""

import pulumi

from components.config import load
from components.host import HardenedHost

config = load()
wanted, access = config.hardening(), config.access()
for name, host in config.hosts.items():
    retain = host.retain_on_delete if host.retain_on_delete is not None else config.defaults.retain_on_delete
    hardened = HardenedHost(
        name,
        access[name],
        wanted.on(host),
        existing=host.existing or config.defaults.existing or "adopt",
        opts=pulumi.ResourceOptions(retain_on_delete=retain),
    )
    pulumi.export(name, hardened.enforced)

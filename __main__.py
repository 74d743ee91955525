"""A stack's config in, hardened hosts out."""

import pulumi

from components.config import load
from components.host import HardenedHost

config = load()
hosts = {
    name: HardenedHost(
        name,
        connection=config.access()[name],
        firewall=config.firewall_of(name),
        existing=host.existing or "adopt",
        opts=pulumi.ResourceOptions(retain_on_delete=host.retain_on_delete),
    )
    for name, host in config.hosts.items()
}
for name, host in hosts.items():
    pulumi.export(name, host.enforced)

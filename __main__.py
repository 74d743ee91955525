"""A stack's config in, hardened hosts out."""

import asyncio
import signal

import pulumi

from components.host import HardenedHost
from components.keys.resource import KeyPair
from components.stack_config import load

config = load()
wanted = config.hardening()
hosts: list[HardenedHost] = []
pairs = [KeyPair("operator", config.key_pair.props())] if config.key_pair else []
for name, host in config.hosts.items():
    retain = host.retain_on_delete if host.retain_on_delete is not None else config.defaults.retain_on_delete
    hardened = HardenedHost(
        name,
        wanted=wanted.on(host),
        keys=[pair.public_key for pair in pairs],
        existing=host.existing or config.defaults.existing or "adopt",
        opts=pulumi.ResourceOptions(retain_on_delete=retain, depends_on=pairs),
    )
    pulumi.export(name, hardened.enforced)
    hosts.append(hardened)


async def settled() -> None:
    """Wait for all hosts at once: what the SDK does instead at the end looks at every value for each that is there."""
    await asyncio.gather(*(host.enforced.future() for host in hosts), return_exceptions=True)  # errors are told later


if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # so the CLI ends a program that waits for what failed: no traceback
pulumi.run(settled)

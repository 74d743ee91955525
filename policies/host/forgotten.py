"""Machines that were created and never hardened."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from pulumi_policy import StackValidationArgs

from policies.base import kind_of, stack_policy
from policies.settings import PolicySettings, table, texts

MACHINES = texts(
    "machineTypes",
    "Resource types that are machines; `*` matches anything.",
    (
        "linode:index/instance:Instance",
        "aws:ec2/instance:Instance",
        "azure-native:compute*:VirtualMachine",
        "digitalocean:index/droplet:Droplet",
        "gcp:compute/instance:Instance",
        "hcloud:index/server:Server",
        "openstack:compute/instance:Instance",
        "vultr:index/instance:Instance",
    ),
)
WAIVED = table(
    "waivedMachines", "Machines that need not be hardened, each with a reason.", {"type": "string", "minLength": 1}
)


def _check(args: StackValidationArgs, settings: PolicySettings) -> Iterable[str]:
    ours = [resource for resource in args.resources if kind_of(resource.resource_type)]
    needed = [one for resource in ours for one in resource.dependencies]
    needed += [one for resource in ours for many in resource.property_dependencies.values() for one in many]
    hardened = {one.urn for one in needed}
    for resource in args.resources:
        is_machine = any(fnmatchcase(resource.resource_type, kind) for kind in settings.texts(MACHINES.name))
        if is_machine and resource.urn not in hardened and resource.name not in settings.table(WAIVED.name):
            yield (
                f"{resource.name} ({resource.resource_type}) is not hardened by anything. Add "
                f'`HardenedHost("{resource.name}", connection={{"host": ..., ...}})` with its address as an Output.'
            )


POLICIES = [stack_policy("no-forgotten-machine", "Every machine of the stack is hardened.", _check, MACHINES, WAIVED)]

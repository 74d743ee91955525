"""No user is root by group membership."""

from __future__ import annotations

from collections.abc import Iterable

from policies.base import USER, CannotTellYetError, Props, items, resource_policy
from policies.settings import PolicySettings, texts

SUDO = frozenset({"admin", "sudo", "wheel"})
"""`sudo` declares what these groups grant; if it is `none`, they contradict it."""

GROUPS = texts(
    "groups",
    "Groups whose members are root or can become root: they start containers or read disks, memory or password hashes.",
    (
        *("docker", "dockerroot", "lxd", "lxc", "incus", "incus-admin", "libvirt", "libvirtd", "microk8s"),
        *("snap_microk8s", "podman", "mock", "google-sudoers"),
        *("disk", "kmem", "root", "shadow", "ssh_keys", "staff", *sorted(SUDO)),
    ),
)
ALLOWED = texts("allowedMembers", "Exceptions, each as `user:group`.")


def _check(props: Props, settings: PolicySettings) -> Iterable[str]:
    groups, unknown = items(props.get("groups"))
    name, sudo = props["name"], props.get("sudo", "password")
    allowed = settings.texts(ALLOWED.name)
    for group in groups:
        if group not in settings.texts(GROUPS.name) or f"{name}:{group}" in allowed:
            continue
        if group in SUDO and sudo != "none":
            continue
        yield (
            f"{name} (sudo {sudo}) is in the group {group}, whose members are root in all but name. Take it from "
            f'`groups` of the user, or add "{name}:{group}" to allowedMembers.'
        )
    if unknown:
        raise CannotTellYetError(f"a group of {name} is known only in `pulumi up`, which decides then")


POLICIES = [
    resource_policy("no-root-groups", "No user is in a group that amounts to root.", USER, _check, GROUPS, ALLOWED)
]

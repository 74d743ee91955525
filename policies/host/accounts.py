"""Every host has a limited user, so that nobody needs to log in as root."""

from __future__ import annotations

from collections.abc import Iterable

from policies.base import USER, DeclaredHost, host_policy
from policies.settings import PolicySettings, texts

SUDO = texts("sudo", "Allowed values of the user's `sudo`.", ("password", "nopasswd"))


def _check(host: DeclaredHost, settings: PolicySettings) -> Iterable[str]:
    ways = settings.texts(SUDO.name)
    users = [user.props for user in host.of(USER)]
    if not any(user.get("sudo", "password") in ways and user.get("keys") for user in users):
        yield (
            f"there is no limited user with a key and sudo ({' or '.join(ways)}). Declare one under `stockade:users`: "
            "`{name: deploy, sudo: nopasswd, keyFiles: [~/.ssh/id_ed25519.pub]}`."
        )


POLICIES = [host_policy("limited-user", "Every host has a limited user with sudo and a key.", _check, SUDO)]

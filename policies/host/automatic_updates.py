"""Security updates are installed on every host automatically."""

from __future__ import annotations

from collections.abc import Iterable

from policies.base import UPDATES, DeclaredHost, host_policy
from policies.settings import PolicySettings


def _check(host: DeclaredHost, settings: PolicySettings) -> Iterable[str]:
    declared = [resource.props for resource in host.of(UPDATES)]
    if not declared:
        yield (
            "nothing installs security updates. Declare `stockade:updates: {}`; a host whose distribution has no "
            "unattended updates (Arch) is named in this policy's `waivedHosts`, with who updates it."
        )
    elif not any(props.get("enabled", True) for props in declared):
        yield "automatic updates are turned off. Remove `enabled: false` under `stockade:updates`."


POLICIES = [host_policy("updates-on", "Every host installs security updates automatically.", _check)]

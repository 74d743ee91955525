"""What the guide removes is declared absent on every host, so that it is not installed again."""

from __future__ import annotations

from collections.abc import Iterable

from policies.base import PACKAGES, DeclaredHost, host_policy, items
from policies.settings import PolicySettings, texts

STAND_FOR = {
    name: frozenset({"exim4-daemon-light", "exim4-daemon-heavy"}) for name in ("exim4", "mail-transport-agent")
}
"""Names that include others when they are declared absent (`pkg_means` of hosts/packages/manager.sh)."""

UNWANTED = texts("packages", "Packages that must be declared absent.", ("exim4-daemon-light", "rpcbind"))


def _check(host: DeclaredHost, settings: PolicySettings) -> Iterable[str]:
    unwanted = settings.texts(UNWANTED.name)
    absent = {name for resource in host.of(PACKAGES) for name in items(resource.props.get("absent"))[0]}
    absent |= {other for name in absent for other in STAND_FOR.get(name, ())}
    present = {name for resource in host.of(PACKAGES) for name in items(resource.props.get("present"))[0]}
    wanted = [name for name in unwanted if name in present]
    missing = [name for name in unwanted if name not in absent and name not in present]
    if wanted:
        yield (
            f"{', '.join(wanted)} is declared present and must not be. Remove it from `present` under "
            "`stockade:packages`."
        )
    if missing:
        yield (
            f"{', '.join(missing)} may be there, or come back. Declare it under `stockade:packages`: "
            f"`absent: [{', '.join(missing)}]`."
        )


POLICIES = [host_policy("unwanted-absent", "Unwanted packages are declared absent.", _check, UNWANTED)]

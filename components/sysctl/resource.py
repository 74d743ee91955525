"""`Sysctl`: kernel settings that complement a firewall: put in force, kept across reboots, and restored.

Source: ip-sysctl in the kernel's documentation, sysctl.d(5).
"""

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi import Output, ResourceOptions

from components.core.dynamic import HostProvider
from components.core.host_resource import HostResource
from components.sysctl.chapter import SysctlChapter
from components.sysctl.names import name_of
from components.sysctl.settings import SysctlFacts, SysctlInputs


class SysctlProvider(HostProvider[SysctlInputs, SysctlFacts]):
    """Pulumi's CRUD for `Sysctl`."""

    chapter = SysctlChapter()


class Sysctl(HostResource, provider=SysctlProvider):
    """Kernel settings of one host. Properties: those of `SysctlInputs`; see `SysctlSettings.props`.

    Outputs: `settings` (canonical lines), `observed` (what the host shows), `prior` (what was there before).
    """

    settings: Output[str]
    observed: Output[Mapping[str, Any]]

    def __init__(self, name: str, props: Mapping[str, Any], opts: ResourceOptions | None = None) -> None:
        super().__init__(name, {**props, "observed": None}, opts)
        self.observed.apply(self._warn)

    def _warn(self, observed: Mapping[str, Any] | None) -> None:
        for text in remarks(observed or {}):
            pulumi.log.warn(text, self)


def remarks(observed: Mapping[str, Any]) -> list[str]:
    """Return the declared settings that do not exist on a host or cannot be changed there."""
    texts = {
        "missing": "this host's kernel has no such settings; they are skipped: {}",
        "fixed": "settings that nobody can change on this host (is it a container?): {}",
    }
    return [text.format(", ".join(map(name_of, observed[key]))) for key, text in texts.items() if observed.get(key)]
